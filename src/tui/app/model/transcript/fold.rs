//! Showing and hiding the inside of items.

use super::Transcript;
use crate::tui::text::Fold;

impl Transcript {
    /// Shows or hides the inside of the item with the cursor; without one, of the last on the screen.
    pub fn toggle_fold(&mut self) {
        let Some(key) = self.cursor.clone().or_else(|| self.last_visible().map(str::to_owned)) else { return };
        let unfolded = self.unfolded;
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.item.item.key == key) else { return };
        let open = match (entry.unfolded, &entry.laid) {
            (Some(open), _) => open,
            (None, Some(laid)) => laid.made_for.fold == Fold::Unfolded,
            (None, None) => unfolded,
        };
        entry.unfolded = Some(!open);
        if let Some(place) = self.index(&key) {
            let before = self.lines(place).to_vec();
            self.laid_rows(place);
            // Some items show all of their inside without being asked: the first press hides it.
            if self.lines(place) == before && place < self.entries.len() {
                self.entries[place].unfolded = Some(open);
            }
            // What is unfolded is looked at; the end isn't left for it.
            if !self.follow {
                self.reveal(place);
            }
        }
    }

    /// Shows or hides the inside of all items; what was done by hand is forgotten.
    pub fn toggle_folds(&mut self) {
        self.unfolded = !self.unfolded;
        for entry in &mut self.entries {
            entry.unfolded = None;
        }
    }
}
