//! Lays out what is seen, and says what is missing.

use super::{Entry, NEAR, Pane, Place, Transcript};
use crate::{
    api::Window,
    core::{Item, ItemBody, item::ToolState},
    tui::text::{self, Clock, Code, Fold, Highlighted, Line, MadeFor},
};

/// What is to be ordered after settling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// A part of the conversation; tell [`Transcript::asking`] when it is ordered.
    pub part: Option<Window>,
    /// Code to be coloured. It is wanted only once.
    pub code: Vec<Code>,
}

/// One row on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// What stands in it.
    pub line: &'a Line,
    /// Which it is.
    pub place: Place,
    /// It belongs to the item with the cursor.
    pub cursor: bool,
    /// It belongs to a selected item.
    pub selected: bool,
}

impl Transcript {
    /// Lays out what is seen in a pane. Called after whatever changed the transcript and before it is drawn.
    pub fn settle(&mut self, pane: Pane) -> Wants {
        let before = self.lines(self.top.entry).len();
        let resized = pane.columns != self.pane.columns;
        self.pane = pane;
        let mut code = Vec::new();
        if self.follow && !self.more_after {
            self.unseen = 0;
            self.top = self.last_top();
        } else {
            self.top.entry = self.top.entry.min(self.len().saturating_sub(1));
            let rows = self.laid_rows(self.top.entry);
            if resized && before > 0 {
                // The same words stay at the top, about.
                self.top.row = self.top.row * rows / before;
            }
            self.top.row = self.top.row.min(rows.saturating_sub(1));
            // A pane that is half empty while there is something above shows less than it could.
            self.top = self.filled(self.top).0;
        }
        self.keep_cursor_seen();
        let (first, last) = self.lay_around();
        for (place, entry) in self.entries.iter_mut().enumerate() {
            // What is near stays: to and fro at its edge a long item would be laid out again for each key.
            if place + NEAR < first || place > last + NEAR {
                entry.laid = None;
            }
        }
        for entry in self.entries.range(first.min(self.entries.len())..(last + 1).min(self.entries.len())) {
            code.extend(entry.laid.iter().flat_map(|laid| laid.wanted.iter().cloned()));
        }
        code.retain(|code| self.highlights.ask(code));
        Wants { part: self.missing(), code }
    }

    /// Code came in colours.
    pub fn take_highlighted(&mut self, highlighted: Highlighted) {
        if !self.highlights.take(highlighted) {
            return;
        }
        for entry in &mut self.entries {
            let better = |code: &Code| self.highlights.get(code).is_some();
            if entry.laid.as_ref().is_some_and(|laid| laid.wanted.iter().any(better)) {
                entry.laid = None;
            }
        }
    }

    /// Rows on the screen, from the top; fewer than the pane has when there are no more.
    pub fn visible(&self) -> impl Iterator<Item = Row<'_>> {
        let selected = self.selected();
        let cursor = self.cursor.as_deref();
        (self.top.entry..self.len())
            .flat_map(move |entry| {
                let on_cursor = cursor.is_some() && self.key(entry) == cursor;
                let selected = selected.as_ref().is_some_and(|range| range.contains(&entry));
                let from = if entry == self.top.entry { self.top.row } else { 0 };
                self.lines(entry).iter().enumerate().skip(from).map(move |(row, line)| Row {
                    line,
                    place: Place { entry, row },
                    cursor: on_cursor,
                    selected,
                })
            })
            .take(usize::from(self.pane.rows))
    }

    /// What stands in a row of the pane, from 0.
    pub fn row_at(&self, y: u16) -> Option<Place> {
        self.visible().nth(usize::from(y)).map(|row| row.place)
    }

    /// Something is seen whose seconds count.
    pub fn counts(&self) -> bool {
        let seen = self.entries.iter().skip(self.top.entry).take(usize::from(self.pane.rows));
        seen.into_iter().any(|entry| running(&entry.item.item))
    }

    /// Rows of an entry or open block, which is laid out if it isn't.
    pub(super) fn laid_rows(&mut self, place: usize) -> usize {
        if place >= self.len() {
            return 0;
        }
        let made_for = self.made_for(place);
        match self.entries.get_mut(place) {
            Some(entry) => {
                if entry.laid.as_ref().is_none_or(|laid| laid.made_for != made_for) {
                    entry.laid = Some(text::lay(&entry.item.item, made_for, &self.highlights));
                    #[cfg(test)]
                    {
                        self.layouts += 1;
                    }
                }
            }
            None => {
                let open = place - self.entries.len();
                self.open[open].growing.settle(made_for);
            }
        }
        self.lines(place).len()
    }

    /// The top when the last row is shown in the last row of the pane.
    fn last_top(&mut self) -> Place {
        let last = self.len().saturating_sub(1);
        let end = Place { entry: last, row: self.laid_rows(last).saturating_sub(1) };
        self.above(end, usize::from(self.pane.rows).saturating_sub(1))
    }

    /// A top, and whether all that is below it is seen: one below which the pane isn't full goes up until it is. What
    /// is laid out is never more than is seen.
    pub(super) fn filled(&mut self, top: Place) -> (Place, bool) {
        let height = usize::from(self.pane.rows).max(1);
        let mut entry = top.entry;
        let mut below = self.laid_rows(entry).saturating_sub(top.row + 1);
        while below < height && entry + 1 < self.len() {
            entry += 1;
            below += self.laid_rows(entry);
        }
        if below < height { (self.above(top, height - 1 - below), true) } else { (top, false) }
    }

    /// The place some rows above; the first when there are not so many.
    pub(super) fn above(&mut self, mut place: Place, mut rows: usize) -> Place {
        while rows > place.row {
            if place.entry == 0 {
                return Place::default();
            }
            rows -= place.row + 1;
            place.entry -= 1;
            place.row = self.laid_rows(place.entry).saturating_sub(1);
        }
        place.row -= rows;
        place
    }

    /// The place some rows below; the last when there are not so many.
    pub(super) fn below(&mut self, mut place: Place, mut rows: usize) -> Place {
        loop {
            let left = self.laid_rows(place.entry).saturating_sub(place.row + 1);
            if rows <= left {
                place.row += rows;
                return place;
            }
            if place.entry + 1 >= self.len() {
                place.row += left;
                return place;
            }
            rows -= left + 1;
            place = Place { entry: place.entry + 1, row: 0 };
        }
    }

    /// Lays out the viewport and a screen on either side of it; which entries that are.
    fn lay_around(&mut self) -> (usize, usize) {
        let screen = usize::from(self.pane.rows);
        let (first, last) = (self.above(self.top, screen), self.below(self.top, 2 * screen));
        (first.entry, last.entry)
    }

    fn made_for(&self, place: usize) -> MadeFor {
        let entry = self.entries.get(place);
        let item = entry.map(|entry| &entry.item.item);
        let before = place.checked_sub(1).and_then(|before| self.entries.get(before)).map(|entry| &entry.item.item);
        // Open blocks behind the first one go on with what it says.
        let goes_on = place > self.entries.len();
        let speaker = !goes_on && speaks(item) && (mine(item) || before.is_none_or(|before| mine(Some(before))));
        let clock = entry.filter(|_| mine(item)).map(|entry| {
            let local = self.pane.zone.to_datetime(entry.item.at);
            Clock { hour: local.hour(), minute: local.minute() }
        });
        let seconds = entry
            .filter(|entry| running(&entry.item.item))
            .map_or(0, |entry| u64::try_from(self.pane.now.duration_since(entry.item.at).as_secs()).unwrap_or(0));
        MadeFor {
            width: self.pane.columns.max(1),
            fold: self.fold(entry),
            ascii: self.pane.ascii,
            seconds,
            speaker,
            gap: speaker && (place > 0 || self.more_before),
            clock,
        }
    }

    fn fold(&self, entry: Option<&Entry>) -> Fold {
        match entry.and_then(|entry| entry.unfolded) {
            Some(true) => Fold::Unfolded,
            Some(false) => Fold::Folded,
            None if self.unfolded => Fold::Unfolded,
            None => Fold::Brief,
        }
    }

    /// What is to be asked for.
    fn missing(&self) -> Option<Window> {
        if self.loading.is_some() || self.error.is_some() {
            return None;
        }
        if let Some(position) = self.jump {
            return Some(Window::Around(position));
        }
        let top = self.entries.get(self.top.entry).map(|entry| entry.item.position);
        if !self.loaded || (self.follow && self.more_after) || (self.stale && (self.follow || top.is_none())) {
            return Some(Window::Last);
        }
        if self.stale {
            return top.map(Window::Around);
        }
        let (first, last) = (self.entries.front()?.item.position, self.entries.back()?.item.position);
        if self.more_before && self.top.entry < NEAR {
            return Some(Window::Before(first));
        }
        let near = self.top.entry + usize::from(self.pane.rows) + NEAR;
        (self.more_after && near > self.entries.len()).then_some(Window::After(last))
    }
}

/// The user speaks: a prompt, or a command of theirs.
fn mine(item: Option<&Item>) -> bool {
    match item.map(|item| &item.body) {
        Some(ItemBody::Prompt { .. }) => true,
        Some(ItemBody::Tool(tool)) => tool.name.raw() == text::SHELL,
        _ => false,
    }
}

/// Someone speaks, and it isn't a sentence about what happens.
fn speaks(item: Option<&Item>) -> bool {
    !matches!(item.map(|item| &item.body), Some(ItemBody::Notice { .. } | ItemBody::Result { .. }))
}

fn running(item: &Item) -> bool {
    matches!(&item.body, ItemBody::Tool(tool) if tool.state == ToolState::Running)
}
