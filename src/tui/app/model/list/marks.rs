//! Marks: rows that the next action is for, instead of the one with the cursor.
//!
//! The cursor's place is a hint and a mark is looked up in a set, so that ten thousand marked rows cost a key nothing.

use super::{Listing, Row};

impl<T: Row> Listing<T> {
    /// Rows with a mark, as they are shown: what acts on marked rows acts on those that are seen. A row that the filter
    /// hides keeps its mark, and comes back with it.
    pub fn marked(&self) -> impl Iterator<Item = &T> {
        let most = self.marked_shown;
        self.rows().map(|(row, _)| row).filter(|row| self.marks.contains(&row.id())).take(most)
    }

    /// How many rows have a mark and are shown.
    pub fn marked_count(&self) -> usize {
        self.marked_shown
    }

    /// How many marks the filter hides.
    pub fn marked_hidden(&self) -> usize {
        self.marks.len().saturating_sub(self.marked_shown)
    }

    /// Counts the marks that are shown: whenever marks or shown rows change, so that nobody who asks has to walk them.
    /// Without a filter these are all.
    pub(super) fn count_marks(&mut self) {
        self.marked_shown = if self.marks.is_empty() || self.shown.len() == self.kept {
            self.marks.len()
        } else {
            self.rows().filter(|(row, _)| self.marks.contains(&row.id())).count()
        };
    }

    /// Marks the row with the cursor, or takes its mark away. Whether it can have one.
    pub fn toggle_mark(&mut self) -> bool {
        let Some(row) = self.place().and_then(|place| self.row(place)) else { return true };
        let (id, can) = (row.id(), row.can_be_marked());
        if self.marks.remove(&id) {
            self.marked_last.take_if(|last| *last == id);
        } else if can {
            self.marks.insert(id.clone());
            self.marked_last = Some(id);
        }
        self.count_marks();
        can
    }

    /// Marks what is shown from the row that was marked last to the one with the cursor; when that isn't shown, only
    /// the cursor's. Whether there is anything that can be marked.
    pub fn mark_range(&mut self) -> bool {
        let Some(here) = self.place() else { return true };
        let last = self.marked_last.as_ref();
        let from = last.and_then(|last| self.rows().position(|(row, _)| row.id() == *last)).unwrap_or(here);
        let found = self.markable(from.min(here), from.max(here));
        let some = !found.is_empty();
        self.marks.extend(found);
        let cursor = self.cursor.clone().filter(|cursor| self.marks.contains(cursor));
        self.marked_last = cursor.or(self.marked_last.take());
        self.count_marks();
        some
    }

    /// Marks all that is shown; when all of that is marked, takes the marks of it away. Whether there is anything that
    /// can be marked.
    pub fn mark_all(&mut self) -> bool {
        let found = self.markable(0, self.shown.len().saturating_sub(1));
        let some = !found.is_empty() || self.shown.is_empty();
        if found.iter().all(|id| self.marks.contains(id)) {
            for id in found {
                self.marks.remove(&id);
            }
            self.marked_last.take_if(|last| !self.marks.contains(last));
        } else {
            self.marks.extend(found);
        }
        self.count_marks();
        some
    }

    /// Takes the marks of all that is shown away. Whether there were any.
    pub fn unmark_shown(&mut self) -> bool {
        let shown: Vec<_> = self.marked().map(Row::id).collect();
        for id in &shown {
            self.marks.remove(id);
        }
        self.marked_last.take_if(|last| !self.marks.contains(last));
        self.count_marks();
        !shown.is_empty()
    }

    /// Takes one mark away.
    pub fn unmark(&mut self, id: &T::Id) {
        if self.marks.remove(id) {
            self.marked_last.take_if(|last| last == id);
            self.count_marks();
        }
    }

    /// Marks of what isn't there any more, or that nothing can be done to any more, go, also hidden ones.
    pub(super) fn forget_marks(&mut self) {
        if !self.marks.is_empty() {
            let rows = self.all().iter().filter(|row| row.can_be_marked()).map(Row::id);
            self.marks = rows.filter(|id| self.marks.contains(id)).collect();
            self.marked_last.take_if(|last| !self.marks.contains(last));
        }
    }

    /// Ids of shown rows that can be marked, from one place to another.
    fn markable(&self, from: usize, to: usize) -> Vec<T::Id> {
        let rows = self.shown.get(from..=to).unwrap_or_default();
        let rows = rows.iter().filter_map(|(place, _)| self.all().get(*place));
        rows.filter(|row| row.can_be_marked()).map(Row::id).collect()
    }
}
