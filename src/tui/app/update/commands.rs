//! What a `/command` of ours does.

use super::{Step, Tone};
use crate::{core::VersionId, tui::app::action::Action};

impl Step<'_> {
    /// Does a command of ours; what stands behind it is a note, a name, a version or what is searched.
    pub(super) fn run(&mut self, action: Action, rest: &str) {
        match action {
            Action::Save => self.save(rest),
            Action::CreateSandbox => self.open_create(rest),
            Action::Restore if !rest.is_empty() => match self.version_named(rest) {
                Some(version) => self.restore(version),
                None => {
                    let hint = "Name its seconds, or latest; or choose one in the list of versions";
                    self.say(Tone::Warning, &format!("There is no version {rest}"), hint);
                }
            },
            Action::Search if !rest.is_empty() => self.search_for(rest),
            other => self.act_anywhere(other),
        }
    }

    fn version_named(&self, text: &str) -> Option<VersionId> {
        let version = match text {
            "latest" => self.model.versions.all().first(),
            _ => text.parse().ok().and_then(|id| self.model.version_by_id(id)),
        };
        version.map(|version| version.version)
    }
}
