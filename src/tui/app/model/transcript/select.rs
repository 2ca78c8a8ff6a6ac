//! The cursor on items, and ranges of them.

use std::ops::RangeInclusive;

use super::Transcript;
use crate::tui::text;

impl Transcript {
    /// Selects the next item and shows it; the first on the screen when none was selected.
    pub fn next_item(&mut self) {
        let place = match self.cursor.as_deref().and_then(|key| self.index(key)) {
            Some(place) => place + 1,
            None => self.top.entry,
        };
        self.put_cursor(place);
    }

    /// Selects the item before and shows it; the last on the screen when none was selected.
    pub fn previous_item(&mut self) {
        let place = match self.cursor.as_deref().and_then(|key| self.index(key)) {
            Some(place) => place.saturating_sub(1),
            None => self.visible().last().map_or(0, |row| row.place.entry),
        };
        self.put_cursor(place);
    }

    /// Selects the item in a row of the pane, from 0.
    pub fn select_at(&mut self, y: u16) {
        if let Some(place) = self.row_at(y) {
            self.cursor = self.key(place.entry).map(str::to_owned);
        }
    }

    /// Nothing is selected any more. Whether something was.
    pub fn deselect(&mut self) -> bool {
        self.anchor = None;
        self.cursor.take().is_some()
    }

    /// Begins a selection at the cursor, or ends it.
    pub fn select_range(&mut self) {
        if self.cursor.is_none() {
            self.previous_item();
        }
        self.anchor = if self.anchor.is_some() { None } else { self.cursor.clone() };
    }

    /// The entries of a selection that was begun.
    pub fn range(&self) -> Option<RangeInclusive<usize>> {
        self.anchor.as_ref().and_then(|_| self.selected())
    }

    /// Selected entries.
    pub fn selected(&self) -> Option<RangeInclusive<usize>> {
        let cursor = self.index(self.cursor.as_deref()?)?;
        let anchor = self.anchor.as_deref().and_then(|key| self.index(key)).unwrap_or(cursor);
        Some(cursor.min(anchor)..=cursor.max(anchor))
    }

    /// What is selected, as it was written; without a selection the last item on the screen.
    pub fn selected_text(&self) -> Option<String> {
        let last = || self.last_visible().and_then(|key| self.index(key)).map(|place| place..=place);
        let range = self.selected().or_else(last)?;
        let texts: Vec<String> =
            range.filter_map(|place| self.entries.get(place)).map(|entry| text::plain(&entry.item.item)).collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }

    /// The last block of code of what is selected; without a selection the last one of the items on the screen.
    pub fn selected_code(&self) -> Option<String> {
        let seen = || self.visible().last().map(|row| self.top.entry..=row.place.entry);
        let mut range = self.selected().or_else(seen)?;
        range
            .by_ref()
            .rev()
            .filter_map(|place| self.entries.get(place))
            .find_map(|entry| text::last_code(&entry.item.item))
    }

    /// What acts on an item acts on one that is seen: a cursor that scrolling took off the screen goes to the nearest.
    pub(super) fn keep_cursor_seen(&mut self) {
        let Some(cursor) = self.cursor.as_deref() else { return };
        let Some(last) = self.visible().last().map(|row| row.place.entry) else { return };
        // Of one that went with its part of the window it is known where one came from: G comes from above.
        let far = if self.follow { 0 } else { usize::MAX };
        let place = self.index(cursor);
        let seen = place.unwrap_or(far).clamp(self.top.entry, last);
        if place != Some(seen) {
            self.cursor = self.key(seen).map(str::to_owned);
        }
    }

    pub(super) fn last_visible(&self) -> Option<&str> {
        self.visible().last().and_then(|row| self.key(row.place.entry))
    }

    fn put_cursor(&mut self, place: usize) {
        let place = place.min(self.len().saturating_sub(1));
        self.cursor = self.key(place).map(str::to_owned);
        if self.cursor.is_some() {
            self.reveal(place);
        }
    }
}
