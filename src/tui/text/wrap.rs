//! Breaks text into rows of a width: at blanks, between wide letters, and inside words that are longer than a row.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::{Role, Span, line::width};

/// What stands for a letter that is wider than the whole row.
const TOO_WIDE: &str = "?";

/// Prose: blanks at a break are swallowed. A `\n` begins a new row. At least one row.
pub(super) fn prose(spans: &[Span], columns: usize) -> Vec<Vec<Span>> {
    let mut rows = Rows::new(columns);
    for span in spans {
        for grapheme in span.text.graphemes(true) {
            if grapheme == "\n" {
                rows.word_ends();
                rows.next();
            } else if grapheme == " " {
                rows.word_ends();
                rows.blanks.push(span.role);
            } else if UnicodeWidthStr::width(grapheme) > 1 {
                // Chinese, Japanese and emoji break anywhere.
                rows.word_ends();
                rows.letter(grapheme, span.role);
                rows.word_ends();
            } else {
                rows.letter(grapheme, span.role);
            }
        }
    }
    rows.word_ends();
    rows.finish()
}

/// Code and output: every blank counts, rows are full. At least one row.
pub(super) fn verbatim(spans: &[Span], columns: usize) -> Vec<Vec<Span>> {
    let mut rows = Rows::new(columns);
    for span in spans {
        // Most lines fit.
        if rows.used + width(&span.text) <= rows.columns && !span.text.contains('\n') {
            rows.put(&span.text, span.role);
            continue;
        }
        for grapheme in span.text.graphemes(true) {
            if grapheme == "\n" {
                rows.next();
            } else {
                rows.put_fitting(grapheme, span.role);
            }
        }
    }
    rows.finish()
}

struct Rows {
    columns: usize,
    done: Vec<Vec<Span>>,
    row: Vec<Span>,
    used: usize,
    /// Blanks behind the row, which count only if a word follows in it.
    blanks: Vec<Role>,
    word: Vec<(String, Role)>,
    word_width: usize,
}

impl Rows {
    fn new(columns: usize) -> Self {
        let columns = columns.max(1);
        Self {
            columns,
            done: Vec::new(),
            row: Vec::new(),
            used: 0,
            blanks: Vec::new(),
            word: Vec::new(),
            word_width: 0,
        }
    }

    fn next(&mut self) {
        self.done.push(std::mem::take(&mut self.row));
        self.used = 0;
        self.blanks.clear();
    }

    fn letter(&mut self, grapheme: &str, role: Role) {
        self.word_width += UnicodeWidthStr::width(grapheme);
        match self.word.last_mut() {
            Some((text, last)) if *last == role => text.push_str(grapheme),
            _ => self.word.push((grapheme.to_owned(), role)),
        }
        // A word that fills a row already is broken where the row ends: nothing more is waited for.
        if self.word_width > self.columns {
            self.word_ends();
        }
    }

    fn word_ends(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let wide = std::mem::take(&mut self.word_width);
        if self.used + self.blanks.len() + wide > self.columns && self.used > 0 && wide <= self.columns {
            self.next();
        }
        if self.used + self.blanks.len() < self.columns {
            for role in std::mem::take(&mut self.blanks) {
                self.put(" ", role);
            }
        } else if !self.blanks.is_empty() {
            self.next();
        }
        for (text, role) in word {
            if self.used + wide <= self.columns {
                self.put(&text, role);
            } else {
                text.graphemes(true).for_each(|grapheme| self.put_fitting(grapheme, role));
            }
        }
    }

    fn put_fitting(&mut self, grapheme: &str, role: Role) {
        let wide = UnicodeWidthStr::width(grapheme);
        let (grapheme, wide) = if wide > self.columns { (TOO_WIDE, 1) } else { (grapheme, wide) };
        if self.used + wide > self.columns {
            self.next();
        }
        self.put(grapheme, role);
    }

    fn put(&mut self, text: &str, role: Role) {
        self.used += width(text);
        match self.row.last_mut() {
            Some(last) if last.role == role => last.text.push_str(text),
            _ if text.is_empty() => {}
            _ => self.row.push(Span::part(text, role)),
        }
    }

    fn finish(mut self) -> Vec<Vec<Span>> {
        self.done.push(self.row);
        self.done
    }
}
