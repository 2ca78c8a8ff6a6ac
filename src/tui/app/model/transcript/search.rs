//! Going to what a search found.

use std::ops::Range;

use super::{Place, Transcript};
use crate::tui::text::Line;

impl Transcript {
    /// Where the searched text stands came; goes to the last place that isn't below the pane.
    pub fn take_found(&mut self, found: Vec<u64>) {
        let bottom = self.visible().last().map_or(0, |row| row.place.entry);
        let seen = self.entries.get(bottom).or(self.entries.back()).map_or(u64::MAX, |entry| entry.item.position);
        let Some(search) = &mut self.search else { return };
        search.asked = None;
        let before = found.partition_point(|position| *position <= seen);
        search.at = (!found.is_empty()).then(|| before.saturating_sub(1));
        search.found = found;
        self.show_match();
    }

    /// Goes to the next place, or the one before; round at the ends.
    pub fn next_match(&mut self, forward: bool) {
        let Some(search) = &mut self.search else { return };
        let count = search.found.len();
        if count == 0 {
            return;
        }
        search.at = Some(match search.at {
            Some(at) if forward => (at + 1) % count,
            Some(at) => (at + count - 1) % count,
            None => 0,
        });
        self.show_match();
    }

    /// Where a line holds the searched text: places in [`Line::text`].
    pub fn matches(&self, line: &Line) -> Vec<Range<usize>> {
        self.search.as_ref().map_or_else(Vec::new, |search| line.find(&search.text))
    }

    /// Goes to an item by its position, at once or when its part is there.
    pub(super) fn show_position(&mut self, position: u64) {
        self.follow = false;
        let Some(entry) = self.nearest(position) else {
            self.jump = Some(position);
            return;
        };
        let rows = self.laid_rows(entry);
        let text = self.search.as_ref().map(|search| search.text.clone()).unwrap_or_default();
        let item = &self.entries[entry].item;
        let searched = self.search.as_ref().and_then(|search| search.found.get(search.at?));
        if searched == Some(&item.position) {
            self.cursor = Some(item.item.key.clone());
        }
        let row = (0..rows).find(|row| !self.lines(entry)[*row].find(&text).is_empty());
        self.top = match row {
            // A third of the pane above the match says where it stands.
            Some(row) => self.above(Place { entry, row }, usize::from(self.pane.rows) / 3),
            None => Place { entry, row: 0 },
        };
    }

    fn show_match(&mut self) {
        let Some(search) = &self.search else { return };
        let Some(position) = search.at.and_then(|at| search.found.get(at)).copied() else { return };
        self.error = None;
        self.show_position(position);
    }

    /// The entry of a position, or the one after it, when the window holds what is around it.
    fn nearest(&self, position: u64) -> Option<usize> {
        let place = self.entries.partition_point(|entry| entry.item.position < position);
        let found = self.entries.get(place)?;
        let inside = found.item.position == position || place > 0 || !self.more_before;
        inside.then_some(place)
    }
}
