//! Marking rows, and what is done to the marked ones at once.

use super::{Step, Tone, lists::focused};
use crate::tui::app::{
    Effect,
    action::Action,
    model::{Asked, Focus, list::Row},
};

impl Step<'_> {
    /// Marks rows of the list with the keys, or takes marks away.
    pub(super) fn mark(&mut self, action: Action) {
        self.focus_list();
        let could = focused!(self, list => match action {
            Action::MarkRange => list.mark_range(),
            Action::MarkAll => list.mark_all(),
            _ => list.toggle_mark(),
        });
        if action == Action::Mark {
            self.move_in_list(1);
        }
        self.tell_marked(could);
    }

    /// A click on a row's mark.
    pub(super) fn mark_clicked(&mut self) {
        let could = focused!(self, list => list.toggle_mark());
        self.tell_marked(could);
    }

    fn tell_marked(&mut self, could: bool) {
        if !could {
            self.say(Tone::Warning, "Only sandboxes that run can be marked", "");
        }
    }

    /// Takes the marks away that the list with the keys shows. Whether there is nothing more for Esc to do: an error that was
    /// read just now is all that it meant, and what failed stays marked.
    pub(super) fn drop_marks(&mut self, told: bool) -> bool {
        // In the line of a filter Esc is the line's: who mistyped there has not unmarked anything.
        if self.model.marked() == 0 || focused!(self, list => list.filter.as_ref().is_some_and(|filter| filter.typing))
        {
            return false;
        }
        told || focused!(self, list => list.unmark_shown())
    }

    /// Copies the ids of what is marked, one a line; without marks that of the row with the cursor.
    pub(super) fn copy_ids(&mut self) {
        self.focus_list();
        let ids: Vec<String> = focused!(self, list => {
            let selected = list.selected().filter(|_| list.marked_count() == 0);
            // Of a row's handles the first is its id.
            list.marked().chain(selected).filter_map(|row| row.handles().into_iter().next()).collect()
        });
        if ids.is_empty() {
            return self.say(Tone::Note, "There is nothing to copy", "");
        }
        let id = self.model.ask(Asked::Copy);
        self.order(Effect::Copy { id, text: ids.join("\n") });
    }

    /// What is asked for is for the marked sandboxes: their list has the keys. Elsewhere nobody sees them, and it is for
    /// the sandbox that is seen.
    pub(super) fn acts_on_marked(&self) -> bool {
        self.model.focus == Focus::Sandboxes && self.model.marked() > 0
    }
}
