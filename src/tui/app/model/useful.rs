//! What the footer shows and the palette begins with.

use super::{Dialog, Model};
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
}
