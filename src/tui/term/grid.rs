//! What the terminal was told to show. ratatui tells only what changed; that isn't enough for a row with a cluster
//! whose width terminals disagree about: one that takes it for wider covers cells that did not change for us.

use ratatui::{buffer::Cell, layout::Size};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The cells, row by row. A row on which nothing has been shown yet has none: most of them have nothing in the first
/// frame, which waits for their memory otherwise.
#[derive(Debug, Default)]
pub(super) struct Grid {
    columns: usize,
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// All blank.
    pub(super) fn clear(&mut self, size: Size) {
        self.columns = usize::from(size.width);
        self.rows.clear();
        self.rows.resize_with(usize::from(size.height), Vec::new);
    }

    /// A cell is shown; what a wide one covers is blank, should it go.
    pub(super) fn put(&mut self, x: u16, y: u16, cell: &Cell) {
        let Some(row) = self.rows.get_mut(usize::from(y)) else { return };
        row.resize(self.columns, Cell::EMPTY);
        let x = usize::from(x);
        for covered in row.iter_mut().take(x + columns_of(cell)).skip(x) {
            *covered = Cell::EMPTY;
        }
        if let Some(place) = row.get_mut(x) {
            place.clone_from(cell);
        }
    }

    /// A row from a column on: what is not covered by a wide cell.
    pub(super) fn rest(&self, from: u16, y: u16) -> Vec<(u16, Cell)> {
        let row = self.row(y);
        let mut out = Vec::new();
        // From the left: what is covered is known by what covers it.
        let mut x = 0;
        while let (Some(cell), Ok(column)) = (row.get(x), u16::try_from(x)) {
            if column >= from {
                out.push((column, cell.clone()));
            }
            x += columns_of(cell);
        }
        out
    }

    /// The cells of a row from one column to before another.
    pub(super) fn between(&self, from: u16, to: u16, y: u16) -> &[Cell] {
        self.row(y).get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }

    /// Where in a row the first cluster stands whose width is uncertain.
    pub(super) fn uncertain(&self, y: u16) -> Option<u16> {
        self.row(y).iter().position(|cell| uncertain(cell.symbol())).and_then(|x| u16::try_from(x).ok())
    }

    fn row(&self, y: u16) -> &[Cell] {
        self.rows.get(usize::from(y)).map_or(&[], Vec::as_slice)
    }
}

/// Columns that a cell takes, at least one.
pub(super) fn columns_of(cell: &Cell) -> usize {
    cell.symbol().width().max(1)
}

/// Several characters in one cell that are more than a letter and its accents: flags, joined emoji, keycaps, syllables.
/// Terminals agree about none of them.
pub(super) fn uncertain(symbol: &str) -> bool {
    symbol.chars().skip(1).any(|c| c.width() != Some(0) || joins(c))
}

/// Characters without a width that change that of others: joiners, the choice of text or emoji, keycaps, tags.
fn joins(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{1160}'..='\u{11ff}' | '\u{e0020}'..='\u{e007f}')
}
