//! Columns for people, aligned by what a terminal shows.

use unicode_width::UnicodeWidthStr;

use super::out;
use crate::core::text::sanitize_line;

/// Rows of cells below their headings. What cells hold comes from outside: they are cleaned when they are added.
pub(super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these headings.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|cell| sanitize_line(cell).as_str().to_owned()).collect());
    }

    /// The lines, headings first.
    fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = self.headings.iter().map(|h| h.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for (cell, width) in cells.zip(&widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
            }
            text.truncate(text.trim_end().len());
            text
        };
        let headings = line(&mut self.headings.iter().copied());
        std::iter::once(headings).chain(self.rows.iter().map(|row| line(&mut row.iter().map(String::as_str)))).collect()
    }

    /// Prints it.
    pub fn print(&self) -> std::io::Result<()> {
        let lines = self.lines();
        out::line(out::dim(&lines[0]))?;
        lines[1..].iter().try_for_each(out::line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_keep_columns_straight_and_nothing_controls_the_terminal() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(&["日本", "runs"]);
        table.row(&["a\u{1b}[31m\nb", "ended"]);
        assert_eq!(table.lines(), ["NAME  STATE", "日本  runs", "a b   ended"]);
    }
}
