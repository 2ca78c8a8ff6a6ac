//! What the footer shows and the palette begins with.

use std::borrow::Cow;

use super::{Dialog, Focus, Model};
use crate::tui::app::action::{Action, Context};

impl Model {
    /// What makes sense here and now, the most useful first.
    pub fn useful(&self) -> Vec<Action> {
        let sandbox = self.sandbox().is_some_and(|sandbox| !sandbox.status.is_over());
        let restorable = sandbox && self.version().is_some();
        let turn = self.turn().is_some();
        let stops = self.stoppable().is_some();
        let doing = self.tasks.all.values().any(|task| {
            // What went well is told; what failed may be read again.
            !task.converses() && task.end.as_ref().is_none_or(Result::is_err)
        });
        let restores = matches!(self.dialogs.last(), Some(Dialog::Restore(_)));
        let searching = self.chat().is_some_and(|chat| chat.transcript.search.is_some());
        let wanted: &[(Action, bool)] = match self.context() {
            Context::Sandboxes if self.marked() > 0 => &[
                (Action::TerminateSandbox, true),
                (Action::Save, true),
                (Action::Back, true),
                (Action::Mark, true),
                (Action::Help, true),
                (Action::Palette, true),
                (Action::ShowProgress, doing),
                (Action::Open, sandbox),
                (Action::CopyIds, true),
                (Action::MarkRange, true),
                (Action::MarkAll, true),
                (Action::Filter, true),
                (Action::NextPane, true),
                (Action::Quit, true),
            ],
            Context::Versions if self.marked() > 0 => &[
                (Action::CopyIds, true),
                (Action::Back, true),
                (Action::Mark, true),
                (Action::Restore, restorable),
                (Action::Help, true),
                (Action::Palette, true),
                (Action::MarkRange, true),
                (Action::MarkAll, true),
                (Action::Filter, true),
                (Action::NextPane, true),
                (Action::Quit, true),
            ],
            Context::Sandboxes => &[
                (Action::CreateSandbox, true),
                (Action::Open, sandbox),
                (Action::Save, sandbox),
                (Action::TerminateSandbox, sandbox),
                (Action::ShowProgress, doing),
                (Action::NextPane, true),
                (Action::Palette, true),
                (Action::Help, true),
                (Action::Filter, true),
                (Action::Mark, sandbox),
                (Action::ToggleEnded, true),
                (Action::Quit, true),
                (Action::Sort, true),
            ],
            Context::Versions => &[
                (Action::Restore, restorable),
                (Action::Save, sandbox),
                (Action::ShowProgress, doing),
                (Action::NextPane, true),
                (Action::Palette, true),
                (Action::Help, true),
                (Action::Filter, true),
                (Action::Quit, true),
                (Action::Sort, true),
                (Action::Mark, self.version().is_some()),
                (Action::CopyIds, self.version().is_some()),
            ],
            Context::Transcript => &[
                (Action::Interrupt, stops),
                (Action::NextMatch, searching),
                (Action::FocusPrompt, sandbox),
                (Action::ToggleFold, true),
                (Action::Search, true),
                (Action::CopyItem, true),
                (Action::CopyCode, true),
                (Action::NextPane, true),
                (Action::Palette, true),
                (Action::Help, true),
                (Action::PageTranscript, true),
                (Action::Quit, true),
            ],
            Context::Prompt => &[
                (Action::Interrupt, stops),
                (Action::Send, sandbox && !turn),
                (Action::CreateSandbox, !sandbox),
                // Esc interrupts then, as the line above the prompt says.
                (Action::Back, !stops),
                (Action::NextPane, stops),
                (Action::Palette, true),
                (Action::Help, true),
                (Action::NewLine, sandbox),
                (Action::EditPrompt, sandbox),
                (Action::Save, sandbox),
            ],
            Context::Form => {
                &[(Action::Accept, true), (Action::NextField, true), (Action::Back, true), (Action::NewLine, true)]
            }
            Context::Question => {
                &[(Action::Accept, true), (Action::Up, true), (Action::Down, true), (Action::Back, true)]
            }
            Context::Reader => &[
                (Action::NextField, restores),
                (Action::Accept, restores),
                (Action::Back, true),
                (Action::Filter, true),
                (Action::Down, true),
                (Action::Up, true),
                (Action::PageDown, true),
            ],
            Context::Finder => {
                &[(Action::Accept, true), (Action::Back, true), (Action::Down, true), (Action::Up, true)]
            }
            Context::Global => &[],
        };
        wanted.iter().filter(|(_, makes_sense)| *makes_sense).map(|(action, _)| *action).collect()
    }

    /// How many rows of the list with the keys are marked, of those that its filter shows.
    pub fn marked(&self) -> usize {
        match self.focus {
            Focus::Sandboxes => self.sandboxes.marked_count(),
            Focus::Versions => self.versions.marked_count(),
            Focus::Transcript | Focus::Prompt => 0,
        }
    }

    /// Marked sandboxes that an action is for now: their list has the keys.
    fn marked_sandboxes(&self) -> usize {
        if self.focus == Focus::Sandboxes { self.marked() } else { 0 }
    }

    /// What an action does now, in one or two words.
    pub fn hint(&self, action: Action) -> Cow<'static, str> {
        // A dialog has keys of its own, and so has the line of a filter.
        let (open, in_list) = (!self.dialogs.is_empty(), self.context() != Context::Finder);
        match (action, self.marked(), self.marked_sandboxes()) {
            _ if open => action.hint().into(),
            (Action::TerminateSandbox | Action::Save, _, n @ 1..) => format!("{} {n}", action.hint()).into(),
            (Action::CopyIds, n @ 1.., _) => format!("copy {n}").into(),
            (Action::Back, 1.., _) if in_list => "unmark".into(),
            _ => action.hint().into(),
        }
    }

    /// What an action does now, in a sentence: the palette's. It acts on what lies below it.
    pub fn help(&self, action: Action) -> Cow<'static, str> {
        match (action, self.marked(), self.marked_sandboxes()) {
            (Action::TerminateSandbox, _, n @ 1..) => format!("Terminate what is marked ({n})").into(),
            (Action::Save, _, n @ 1..) => format!("Save the workspace of each that is marked ({n})").into(),
            (Action::CopyIds, n @ 1.., _) => format!("Copy the ids of what is marked ({n})").into(),
            _ => action.help().into(),
        }
    }
}
