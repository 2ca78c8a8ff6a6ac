//! `/command` in the prompt: the screen's own words. The CLI has slash commands too, so a word that isn't ours goes to
//! Claude as it is; `//word` goes there in any case.

use super::Step;
use crate::{
    core::{VersionId, item::Level},
    tui::app::action::Action,
};

/// Words and what they do.
const WORDS: [(&str, Action); 17] = [
    ("save", Action::Save),
    ("restore", Action::Restore),
    ("new", Action::CreateSandbox),
    ("terminate", Action::TerminateSandbox),
    ("help", Action::Help),
    ("quit", Action::Quit),
    ("exit", Action::Quit),
    ("commands", Action::Palette),
    ("sandboxes", Action::FocusSandboxes),
    ("versions", Action::FocusVersions),
    ("search", Action::Search),
    ("copy", Action::CopyItem),
    ("pager", Action::PageTranscript),
    ("editor", Action::EditPrompt),
    ("progress", Action::ShowProgress),
    ("messages", Action::Toasts),
    ("refresh", Action::Refresh),
];

/// The command of ours that a draft is, and what stands behind its word.
pub(super) fn find(draft: &str) -> Option<(Action, &str)> {
    let line = draft.strip_prefix('/')?.trim_end();
    if line.contains('\n') {
        return None;
    }
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (_, action) = WORDS.iter().find(|(name, _)| *name == word)?;
    Some((*action, rest.trim()))
}

/// A draft without the doubling of its first character that made it text.
pub(super) fn undoubled(draft: &str) -> &str {
    match draft.as_bytes() {
        [b'/', b'/', ..] | [b'!', b'!', ..] => draft.get(1..).unwrap_or(draft),
        _ => draft,
    }
}

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
                    self.say(Level::Warning, &format!("There is no version {rest}"), hint);
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
