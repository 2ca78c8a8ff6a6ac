//! Saving, restoring, ending: what changes workspaces.

use super::{Step, Tone, jobs::ONE};
use crate::{
    api::{ApiError, Command, ErrorCode, command::Changes},
    core::{RequestId, SandboxId, VersionId},
    tui::app::{
        Effect, EffectId,
        model::{
            Asked, Dialog, Focus, Remote,
            dialog::{Reader, RestorePreview, Then},
            jobs::Work,
        },
    },
};

impl Step<'_> {
    pub(super) fn save(&mut self, note: &str) {
        if self.acts_on_marked() {
            return self.save_marked();
        }
        let Some(sandbox) = self.target() else { return };
        let command = Command::VersionSave { sandbox: sandbox.as_str().to_owned(), note: note.to_owned() };
        let request = self.submit(command, None);
        // Who types goes on typing: a dialog would take the next letters. The header says how far it is.
        if self.model.focus != Focus::Prompt {
            self.open_progress(request);
        }
    }

    pub(super) fn restore_selected(&mut self) {
        match self.model.version().map(|version| version.version) {
            Some(version) => self.restore(version),
            None => self.say(Tone::Warning, "There is no version yet", "Save the workspace of a sandbox: s"),
        }
    }

    /// Shows what a restore would change, and offers it.
    pub(super) fn restore(&mut self, version: VersionId) {
        if let Some(sandbox) = self.target() {
            self.preview(sandbox, version, false);
        }
    }

    fn preview(&mut self, sandbox: SandboxId, version: VersionId, again: bool) {
        let id = self.model.ask(Asked::Preview(sandbox.clone(), version));
        self.open(Dialog::Restore(RestorePreview {
            sandbox: sandbox.clone(),
            version,
            changes: Remote::Loading { id },
            reader: Reader::default(),
            confirmed: false,
            again,
        }));
        self.order(Effect::Preview { id, sandbox, version });
    }

    pub(super) fn take_preview(
        &mut self,
        id: EffectId,
        sandbox: &SandboxId,
        version: VersionId,
        changes: Result<Changes, ApiError>,
    ) {
        let open = self.model.dialogs.iter_mut().find_map(|dialog| match dialog {
            Dialog::Restore(open) if open.sandbox == *sandbox && open.version == version => Some(open),
            _ => None,
        });
        if let Some(open) = open
            && open.changes == (Remote::Loading { id })
        {
            open.changes = match changes {
                Ok(data) => Remote::Ready { data, refreshing: None },
                Err(error) => Remote::Failed { error, last: None },
            };
        }
    }

    /// "Restore" was chosen: it counts only when what it would change was seen.
    pub(super) fn accept_restore(&mut self) {
        let Some(Dialog::Restore(open)) = self.model.dialogs.last() else { return };
        let (ready, expected) = match &open.changes {
            Remote::Ready { data, .. } => (!data.is_empty(), data.digest.clone()),
            _ => (false, None),
        };
        let loading = matches!(open.changes, Remote::Loading { .. });
        let (confirmed, sandbox, version) = (open.confirmed, open.sandbox.clone(), open.version);
        if loading && confirmed {
            return;
        }
        self.close_top();
        if confirmed && ready {
            let sandbox = sandbox.as_str().to_owned();
            let restore = Command::VersionRestore { sandbox, version: version.to_string(), dry_run: false, expected };
            let request = self.submit(restore, None);
            if let Some(task) = self.model.tasks.all.get_mut(&request) {
                task.restores = Some(version);
            }
            self.open_progress(request);
        }
    }

    /// A restore that no longer does what was seen of it is shown anew, in the place of its progress, with the reason
    /// in it: it lies over the messages. Whether it is one.
    pub(super) fn show_again(&mut self, request: RequestId, error: &ApiError) -> bool {
        let Some(task) = self.model.tasks.all.get(&request) else { return false };
        let sandbox = task.sandbox.as_deref().and_then(|named| self.resolve(named));
        let (Some(version), Some(sandbox)) = (task.restores, sandbox) else { return false };
        if error.code == ErrorCode::Conflict {
            self.close_progress(request);
            self.preview(sandbox, version, true);
        }
        error.code == ErrorCode::Conflict
    }

    pub(super) fn ask_terminate(&mut self) {
        if self.acts_on_marked() {
            return self.ask_terminate_marked();
        }
        let Some(sandbox) = self.target() else { return };
        let name = self.model.sandbox().map(|sandbox| sandbox.name.clone()).unwrap_or_default();
        self.ask_to_end(&name, ONE.to_owned(), |save| Then::Terminate { sandbox: sandbox.clone(), save });
    }

    pub(super) fn choose(&mut self, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Quit => self.quit(),
            Then::TerminateMarked { sandboxes, save } => self.take_on(sandboxes, Work::Terminate { save }),
            Then::Terminate { sandbox, save } => {
                let command = Command::SandboxTerminate { sandbox: sandbox.as_str().to_owned(), save };
                let request = self.submit(command, None);
                if save {
                    self.open_progress(request);
                }
            }
        }
    }
}
