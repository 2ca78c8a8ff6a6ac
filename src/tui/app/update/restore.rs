//! Saving, restoring, ending: what changes workspaces.

use super::Step;
use crate::{
    api::{ApiError, Command, command::Changes},
    core::{SandboxId, VersionId, item::Level},
    tui::app::{
        Effect, EffectId,
        model::{
            Asked, Dialog, Focus, Remote,
            dialog::{Choice, Question, Reader, RestorePreview, Then},
        },
    },
};

impl Step<'_> {
    pub(super) fn save(&mut self, note: &str) {
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
            None => self.say(Level::Warning, "There is no version yet", "Save the workspace of a sandbox: s"),
        }
    }

    /// Shows what a restore would change, and offers it.
    pub(super) fn restore(&mut self, version: VersionId) {
        let Some(sandbox) = self.target() else { return };
        let id = self.model.ask(Asked::Preview(sandbox.clone(), version));
        self.open(Dialog::Restore(RestorePreview {
            sandbox: sandbox.clone(),
            version,
            changes: Remote::Loading { id },
            reader: Reader::default(),
            confirmed: false,
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
        let ready = matches!(&open.changes, Remote::Ready { data, .. } if !data.is_empty());
        let loading = matches!(open.changes, Remote::Loading { .. });
        let (confirmed, sandbox, version) = (open.confirmed, open.sandbox.clone(), open.version);
        if loading && confirmed {
            return;
        }
        self.close_top();
        if confirmed && ready {
            let (sandbox, version) = (sandbox.as_str().to_owned(), version.to_string());
            let request = self.submit(Command::VersionRestore { sandbox, version, dry_run: false }, None);
            self.open_progress(request);
        }
    }

    pub(super) fn ask_terminate(&mut self) {
        let Some(sandbox) = self.target() else { return };
        let name = self.model.sandbox().map(|sandbox| sandbox.name.clone()).unwrap_or_default();
        let end = |save: bool| Then::Terminate { sandbox: sandbox.clone(), save };
        self.open(Dialog::Question(Question {
            title: crate::core::text::sanitize_line(&format!("Terminate {name}?")).as_str().to_owned(),
            detail: "The sandbox and all that runs in it ends. The workspace stays on its volume; saved versions stay."
                .to_owned(),
            choices: vec![
                Choice { key: 'k', label: "keep running", then: Then::Nothing },
                Choice { key: 's', label: "save and terminate", then: end(true) },
                Choice { key: 'w', label: "terminate without saving", then: end(false) },
            ],
            cursor: 0,
        }));
    }

    pub(super) fn choose(&mut self, then: Then) {
        match then {
            Then::Nothing => {}
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
