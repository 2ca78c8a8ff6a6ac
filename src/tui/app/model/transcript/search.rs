//! Going to what a search found: the items by position, and in each the rows that hold the text.

use std::ops::Range;

use super::{Place, Spot, Transcript};
use crate::tui::text::{self, Line, Role};

impl Transcript {
    /// Where the searched text stands came; goes to the last place that isn't below the pane.
    pub fn take_found(&mut self, found: Vec<u64>) {
        let bottom = self.visible().last().map_or_else(Place::default, |row| row.place);
        let seen = self.entries.get(bottom.entry).or(self.entries.back()).map_or(u64::MAX, |entry| entry.item.position);
        let Some(search) = &mut self.search else { return };
        search.asked = None;
        let before = found.partition_point(|position| *position <= seen);
        search.at = (!found.is_empty()).then(|| before.saturating_sub(1));
        search.found = found;
        search.back = true;
        if self.found_entry() == Some(bottom.entry)
            && let Some(row) = self.hit(bottom.entry, 0..bottom.row + 1, true)
        {
            return self.show_hit(bottom.entry, row);
        }
        self.show_match();
    }

    /// Goes to the next place, or the one before; round at the ends. Whether it went round.
    pub fn next_match(&mut self, forward: bool) -> bool {
        let Some(search) = &self.search else { return false };
        let (at, count, spot) = (search.at, search.found.len(), search.spot);
        if count == 0 {
            return false;
        }
        if let (Some(entry), Some(Spot::Row(row))) = (self.found_entry(), spot) {
            let rows = self.laid_rows(entry);
            let rows = if forward { row + 1..rows } else { 0..row.min(rows) };
            if let Some(row) = self.hit(entry, rows, !forward) {
                self.show_hit(entry, row);
                return false;
            }
        }
        let next = match at {
            Some(at) if forward => (at + 1) % count,
            Some(at) => (at + count - 1) % count,
            None => 0,
        };
        if let Some(search) = &mut self.search {
            (search.at, search.back) = (Some(next), !forward);
        }
        self.show_match();
        at.is_some_and(|at| if forward { next <= at } else { next >= at })
    }

    /// Where a line holds the searched text: places in [`Line::text`].
    pub fn matches(&self, line: &Line) -> Vec<Range<usize>> {
        match &self.search {
            // Who speaks is no part of what was said.
            Some(search) if line.spans.first().is_none_or(|span| span.role() != Role::Speaker) => {
                line.find(&search.text)
            }
            _ => Vec::new(),
        }
    }

    /// Goes to an item by its position, at once or when its part is there.
    pub(super) fn show_position(&mut self, position: u64) {
        self.follow = false;
        let Some(entry) = self.nearest(position) else {
            self.jump = Some(position);
            return;
        };
        if self.found_entry() != Some(entry) {
            self.top = Place { entry, row: 0 };
            return;
        }
        let back = self.search.as_ref().is_some_and(|search| search.back);
        let rows = self.laid_rows(entry);
        let hit = self.hit(entry, 0..rows, back).or_else(|| self.unfolded_hit(entry, back));
        match hit {
            Some(row) => self.show_hit(entry, row),
            None => {
                self.top = Place { entry, row: 0 };
                self.put_spot(entry, Spot::LeftOut);
            }
        }
    }

    fn show_match(&mut self) {
        let Some(search) = &mut self.search else { return };
        search.spot = None;
        let Some(position) = search.at.and_then(|at| search.found.get(at)).copied() else { return };
        self.error = None;
        self.show_position(position);
    }

    fn show_hit(&mut self, entry: usize, row: usize) {
        self.follow = false;
        self.jump = None;
        // A third of the pane above the match says where it stands.
        self.top = self.above(Place { entry, row }, usize::from(self.pane.rows) / 3);
        self.put_spot(entry, Spot::Row(row));
    }

    fn put_spot(&mut self, entry: usize, spot: Spot) {
        self.cursor = self.key(entry).map(str::to_owned);
        if let Some(search) = &mut self.search {
            search.spot = Some(spot);
        }
    }

    /// The first row of these that holds the searched text, or the last one.
    fn hit(&self, entry: usize, rows: Range<usize>, back: bool) -> Option<usize> {
        let mut hits = rows.filter(|row| self.holds(self.lines(entry).get(*row..).unwrap_or_default()));
        if back { hits.next_back() } else { hits.next() }
    }

    /// The same of an item whose inside is hidden; it stays unfolded if that shows the text.
    fn unfolded_hit(&mut self, entry: usize, back: bool) -> Option<usize> {
        let before = self.entries[entry].unfolded.replace(true);
        let rows = self.laid_rows(entry);
        let hit = self.hit(entry, 0..rows, back);
        if hit.is_none() {
            self.entries[entry].unfolded = before;
            self.laid_rows(entry);
        }
        hit
    }

    /// Whether the searched text begins in the first of these rows, and perhaps ends in the next.
    fn holds(&self, rows: &[Line]) -> bool {
        let Some(first) = rows.first() else { return false };
        if !self.matches(first).is_empty() {
            return true;
        }
        let (Some(next), Some(search)) = (rows.get(1), &self.search) else { return false };
        let (first, next) = (first.text(), next.text());
        let (first, next) = (first.trim_end(), next.trim_start());
        // Prose is broken at a blank, which is swallowed, and code anywhere.
        ["", " "].iter().any(|gap| {
            let found = text::find(&format!("{first}{gap}{next}"), &search.text);
            found.iter().any(|found| found.start < first.len() && found.end > first.len() + gap.len())
        })
    }

    /// The entry that is being gone to, if it is here.
    fn found_entry(&self) -> Option<usize> {
        let search = self.search.as_ref()?;
        let position = search.found.get(search.at?)?;
        self.entries.binary_search_by_key(position, |entry| entry.item.position).ok()
    }

    /// The entry of a position, or the one after it, when the window holds what is around it.
    fn nearest(&self, position: u64) -> Option<usize> {
        let place = self.entries.partition_point(|entry| entry.item.position < position);
        let found = self.entries.get(place)?;
        let inside = found.item.position == position || place > 0 || !self.more_before;
        inside.then_some(place)
    }
}
