//! Going to what a search found: the items by position, and in each the rows that hold the text.

use std::ops::Range;

use super::{Place, Spot, Transcript};
use crate::{
    core::ItemBody,
    tui::text::{self, Line, Role},
};

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

    /// Where a row holds the searched text, or the part of it that stands in it: places in [`Line::text`].
    pub fn matches(&self, place: Place) -> Vec<Range<usize>> {
        let Some(search) = &self.search else { return Vec::new() };
        let lines = self.lines(place.entry);
        let Some(line) = lines.get(place.row) else { return Vec::new() };
        let before = place.row.checked_sub(1).and_then(|row| broken(&lines[row], line, &search.text));
        let after = lines.get(place.row + 1).and_then(|next| broken(line, next, &search.text));
        let mut found = found_in(line, &search.text);
        found.extend(before.map(|(_, here)| here));
        found.extend(after.map(|(here, _)| here));
        found
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
        self.unfold_hits(entry);
        let rows = self.laid_rows(entry);
        match self.hit(entry, 0..rows, back) {
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

    /// Unfolds an item if that shows more places of the searched text.
    fn unfold_hits(&mut self, entry: usize) {
        if matches!(self.entries[entry].item.item.body, ItemBody::Text { .. }) {
            // Long, and nothing of it folds.
            return;
        }
        let folded = self.hits(entry);
        let before = self.entries[entry].unfolded.replace(true);
        if self.hits(entry) <= folded {
            self.entries[entry].unfolded = before;
        }
    }

    fn hits(&mut self, entry: usize) -> usize {
        let rows = self.laid_rows(entry);
        (0..rows).filter(|row| self.holds(&self.lines(entry)[*row..])).count()
    }

    /// Whether the searched text begins in the first of these rows, and perhaps ends in the next.
    fn holds(&self, rows: &[Line]) -> bool {
        let (Some(first), Some(search)) = (rows.first(), &self.search) else { return false };
        !found_in(first, &search.text).is_empty()
            || rows.get(1).is_some_and(|next| broken(first, next, &search.text).is_some())
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

/// Where a row holds a text. Who speaks is no part of what was said.
fn found_in(line: &Line, text: &str) -> Vec<Range<usize>> {
    if is_speaker(line) { Vec::new() } else { line.find(text) }
}

fn is_speaker(line: &Line) -> bool {
    line.spans.first().is_some_and(|span| span.role() == Role::Speaker)
}

/// Where a text stands that begins in a row and ends in the next: its part of each. Prose is broken at a blank, which is
/// swallowed, and code anywhere; the next row may stand in.
fn broken(first: &Line, next: &Line, text: &str) -> Option<(Range<usize>, Range<usize>)> {
    if is_speaker(first) || is_speaker(next) {
        return None;
    }
    let (first, next) = (first.text(), next.text());
    let head = first.trim_end();
    let tail = next.trim_start();
    let indent = next.len() - tail.len();
    ["", " "].iter().find_map(|gap| {
        let break_at = head.len() + gap.len();
        let found = text::find(&format!("{head}{gap}{tail}"), text);
        let found = found.into_iter().find(|found| found.start < head.len() && found.end > break_at)?;
        Some((found.start..head.len(), indent..indent + found.end - break_at))
    })
}
