//! When followers may see what grows: not before the lines that came before it. A line is shown once it is stored, so
//! text that came right behind it waits for that too, and everyone reads an answer in the order in which it was given.

use std::mem::take;

use crate::agent::fold::Change;

/// Changes of blocks that wait for lines before them.
#[derive(Debug, Default)]
pub(super) struct Unshown {
    /// Until the lines that are being stored are.
    behind: Vec<Change>,
    /// Until lines that are not being stored yet are.
    waiting: Vec<Change>,
}

impl Unshown {
    /// Takes what came, with or behind lines that `wait` to be stored, and gives what may be shown at once. A block that
    /// is whole by now needs no more of its own: its line brings all of it, and behind that the block would open again.
    pub(super) fn add(&mut self, changes: Vec<Change>, wait: bool, is_open: impl Fn(&str) -> bool) -> Vec<Change> {
        self.waiting.extend(changes);
        if !wait {
            return self.all();
        }
        let still = |change: &Change| match change {
            Change::Begun(block) => is_open(&block.item),
            Change::Grown { item, .. } => is_open(item),
            // It may have been shown before.
            Change::Dropped { .. } => true,
        };
        self.behind.retain(still);
        self.waiting.retain(still);
        Vec::new()
    }

    /// All lines that came so far are being stored.
    pub(super) fn storing(&mut self) {
        self.behind.append(&mut self.waiting);
    }

    /// They are stored: what waited for them may be shown.
    pub(super) fn stored(&mut self) -> Vec<Change> {
        take(&mut self.behind)
    }

    /// Nothing has to wait any more.
    pub(super) fn all(&mut self) -> Vec<Change> {
        let mut all = take(&mut self.behind);
        all.append(&mut self.waiting);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(item: &str, from: usize) -> Change {
        Change::Grown { item: item.to_owned(), from, text: "x".into() }
    }

    #[test]
    fn text_without_lines_before_it_is_shown_at_once() {
        let mut unshown = Unshown::default();
        assert_eq!(unshown.add(vec![grown("a", 0)], false, |_| true), [grown("a", 0)]);
    }

    #[test]
    fn text_behind_a_line_waits_until_that_line_is_stored_and_no_longer() {
        let mut unshown = Unshown::default();
        assert_eq!(unshown.add(vec![grown("b", 0)], true, |_| true), []);
        unshown.storing();
        // More of it, behind another line that came meanwhile.
        assert_eq!(unshown.add(vec![grown("b", 1)], true, |_| true), []);
        assert_eq!(unshown.stored(), [grown("b", 0)]);
        unshown.storing();
        assert_eq!(unshown.stored(), [grown("b", 1)]);
    }

    #[test]
    fn a_block_that_is_whole_is_left_to_its_line() {
        let mut unshown = Unshown::default();
        assert_eq!(unshown.add(vec![grown("a", 0)], true, |_| true), []);
        assert_eq!(unshown.add(vec![grown("a", 1), grown("b", 0)], true, |item| item == "b"), []);
        assert_eq!(unshown.all(), [grown("b", 0)]);
    }

    #[test]
    fn that_a_block_goes_is_told_behind_lines_too() {
        let mut unshown = Unshown::default();
        let gone = Change::Dropped { item: "a".to_owned() };
        assert_eq!(unshown.add(vec![grown("a", 1), gone.clone(), grown("b", 0)], true, |item| item == "b"), []);
        assert_eq!(unshown.all(), [gone, grown("b", 0)]);
    }
}
