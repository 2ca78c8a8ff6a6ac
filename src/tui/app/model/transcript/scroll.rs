//! Moving through the rows.

use super::{Place, Transcript};

impl Transcript {
    /// Moves by rows: down when positive. The end, once reached, is followed.
    pub fn scroll(&mut self, rows: isize) {
        self.error = None;
        let top = if rows < 0 {
            self.above(self.top, rows.unsigned_abs())
        } else {
            self.below(self.top, rows.unsigned_abs())
        };
        self.go(top);
    }

    /// Moves by half a page, at least a row.
    pub fn half_page(&mut self, down: bool) {
        self.scroll_by(usize::from(self.pane.rows) / 2, down);
    }

    /// Moves by a page; one row of the old page stays for the eye.
    pub fn page(&mut self, down: bool) {
        self.scroll_by(usize::from(self.pane.rows).saturating_sub(1), down);
    }

    /// How much came below what is looked at: items, and what is being written there. The end has none.
    pub fn new_below(&self) -> usize {
        if self.follow { 0 } else { self.unseen + self.open.len() }
    }

    /// To the beginning of the conversation.
    pub fn go_top(&mut self) {
        self.error = None;
        self.follow = false;
        if self.more_before {
            self.jump = Some(0);
        } else {
            self.top = Place::default();
        }
    }

    /// To the end of the conversation, which is followed from here on.
    pub fn go_bottom(&mut self) {
        self.error = None;
        self.follow = true;
        self.unseen = 0;
        self.jump = None;
    }

    /// Puts the top on a place, or on the last one that fills the pane.
    pub(super) fn go(&mut self, top: Place) {
        let (top, end) = self.filled(top);
        self.follow = end && !self.more_after;
        self.top = top;
        if self.follow {
            self.unseen = 0;
        }
    }

    /// Scrolls as little as needed to see an entry: all of it, or its beginning when it is higher than the pane.
    pub(super) fn reveal(&mut self, entry: usize) {
        let rows = self.laid_rows(entry);
        let first = Place { entry, row: 0 };
        let last = Place { entry, row: rows.saturating_sub(1) };
        let height = usize::from(self.pane.rows).max(1);
        let bottom = self.below(self.top, height - 1);
        if first < self.top || (last > bottom && rows >= height) {
            self.go(first);
        } else if last > bottom {
            let top = self.above(last, height - 1);
            self.go(top);
        }
    }

    fn scroll_by(&mut self, rows: usize, down: bool) {
        let rows = rows.max(1).cast_signed();
        self.scroll(if down { rows } else { -rows });
    }
}
