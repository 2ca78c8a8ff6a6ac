//! Rows: how wide they are, how both edges share one, where a text stands in one.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::{Line, Role, Span};

/// Columns of a text: the sum of its graphemes', which is how terminals place them.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// Columns of several spans.
pub(super) fn spans_width(spans: &[Span]) -> usize {
    spans.iter().map(|span| width(&span.text)).sum()
}

/// As much of a text as fits, with a mark where it was cut.
pub(super) fn cut(text: &str, columns: usize, ascii: bool) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mark = if ascii { "~" } else { "…" };
    let mut out = String::new();
    let mut left = columns.saturating_sub(1);
    for grapheme in text.graphemes(true) {
        let wide = UnicodeWidthStr::width(grapheme);
        if wide > left {
            break;
        }
        left -= wide;
        out.push_str(grapheme);
    }
    if columns > 0 {
        out.push_str(mark);
    }
    out
}

/// Spans cut to a width.
pub(super) fn cut_spans(spans: Vec<Span>, columns: usize, ascii: bool) -> Vec<Span> {
    if spans_width(&spans) <= columns {
        return spans;
    }
    let mut left = columns;
    let mut out = Vec::new();
    for span in spans {
        let wide = width(&span.text);
        // The last column is the mark's, unless nothing is cut.
        if wide >= left {
            let text = if wide == left { format!("{} ", span.text) } else { span.text };
            out.push(Span::part(cut(&text, left, ascii), span.role));
            break;
        }
        left -= wide;
        out.push(span);
    }
    out
}

/// Narrower than this the left is worth more than what stands at the right.
const MIN_LEFT: usize = 12;

/// A row of one line with something at its right edge, if there is room for it.
pub(super) fn both(left: Vec<Span>, right: Vec<Span>, columns: usize, ascii: bool) -> Line {
    let wide = spans_width(&right);
    if wide == 0 || wide + 1 + MIN_LEFT.min(spans_width(&left)) > columns {
        return Line { spans: cut_spans(left, columns, ascii), right: Vec::new() };
    }
    Line { spans: cut_spans(left, columns - wide - 1, ascii), right }
}

impl Line {
    /// Of one text.
    pub(super) fn of(text: impl Into<String>, role: Role) -> Self {
        Self { spans: vec![Span::part(text, role)], right: Vec::new() }
    }

    /// What stands at the left.
    pub fn text(&self) -> String {
        self.spans.iter().map(Span::text).collect()
    }

    /// Where the line holds a text, in bytes of [`Self::text`]; upper and lower case are the same.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        find(&self.text(), text)
    }
}

/// Where a line of text holds another; upper and lower case are the same.
pub fn find(line: &str, text: &str) -> Vec<Range<usize>> {
    let wanted: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    // Each lower-case letter with the range of the letter that it is of.
    let letters: Vec<(char, usize, usize)> = line
        .char_indices()
        .flat_map(|(at, c)| c.to_lowercase().map(move |lower| (lower, at, at + c.len_utf8())))
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    while !wanted.is_empty() && at + wanted.len() <= letters.len() {
        let here = &letters[at..at + wanted.len()];
        if here.iter().map(|letter| letter.0).eq(wanted.iter().copied()) {
            found.push(here[0].1..here[here.len() - 1].2);
            at += wanted.len();
        } else {
            at += 1;
        }
    }
    found
}
