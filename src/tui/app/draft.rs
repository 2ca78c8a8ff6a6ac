//! A draft in rows of a given width. The text area's own drawing keeps state between frames and paints a caret of its
//! own; here the same draft always gives the same rows, and the caret is the terminal's.

use std::{borrow::Cow, ops::Range};

use tui_textarea::TextArea;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::core::text::sanitize_line;

/// What of a draft is seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// Clean text, from above.
    pub rows: Vec<String>,
    /// Column and row of the caret in them.
    pub caret: (u16, u16),
}

/// How many rows a draft has, counted no further than `most`.
pub fn height(area: &TextArea<'_>, width: u16, most: u16) -> u16 {
    let rows = area.lines().iter().flat_map(|line| wrap(line, width)).take(usize::from(most)).count();
    u16::try_from(rows).unwrap_or(most).max(1)
}

/// The rows around the caret, as many as fit. Lines far from it are not looked at.
pub fn rows(area: &TextArea<'_>, width: u16, height: u16) -> Rows {
    let cursor = area.cursor();
    let (lines, height) = (area.lines(), usize::from(height));
    let Some(line) = lines.get(cursor.0) else { return Rows::default() };
    let caret = line.char_indices().nth(cursor.1).map_or(line.len(), |(at, _)| at);
    let own = wrap(line, width);
    let at = own.iter().rposition(|row| row.start <= caret).unwrap_or(0);
    let column = own.get(at).map_or(0, |row| columns(&line[row.start..caret.max(row.start)]));

    // From the caret upwards, then what still fits below it.
    let mut above: Vec<String> =
        own[..=at.min(own.len() - 1)].iter().rev().map(|row| clean(&line[row.clone()])).collect();
    let earlier = lines[..cursor.0].iter().rev().flat_map(|line| rows_of(line, width).into_iter().rev());
    let missing = height.saturating_sub(above.len());
    above.extend(earlier.take(missing));
    above.truncate(height.max(1));
    above.reverse();
    let row = above.len() - 1;
    let below = own[at + 1..].iter().map(|row| clean(&line[row.clone()]));
    let later = lines[cursor.0 + 1..].iter().flat_map(|line| rows_of(line, width));
    let missing = height.saturating_sub(above.len());
    above.extend(below.chain(later).take(missing));
    Rows { rows: above, caret: (column.min(width), u16::try_from(row).unwrap_or(u16::MAX)) }
}

fn rows_of(line: &str, width: u16) -> Vec<String> {
    wrap(line, width).into_iter().map(|row| clean(&line[row])).collect()
}

/// Where a line breaks: behind blanks, which may hang over the edge; inside words only when one is wider than a row.
/// Never empty.
pub fn wrap(line: &str, width: u16) -> Vec<Range<usize>> {
    let width = usize::from(width.max(2));
    let (mut rows, mut start, mut column, mut word) = (Vec::new(), 0, 0, 0);
    for (at, cluster) in line.grapheme_indices(true) {
        let wide = shown(cluster).width();
        if column + wide > width && cluster != " " && at > start {
            let end = if word > start { word } else { at };
            rows.push(start..end);
            column = usize::from(columns(&line[end..at]));
            start = end;
        }
        column += wide;
        if cluster == " " {
            word = at + 1;
        }
    }
    rows.push(start..line.len());
    rows
}

/// Columns that a text takes.
pub fn columns(text: &str) -> u16 {
    u16::try_from(text.graphemes(true).map(|cluster| shown(cluster).width()).sum::<usize>()).unwrap_or(u16::MAX)
}

fn clean(text: &str) -> String {
    text.graphemes(true).map(shown).collect()
}

/// One cluster as it is shown: drafts hold what was pasted, as it was pasted.
fn shown(cluster: &str) -> Cow<'_, str> {
    match cluster.as_bytes() {
        [b' '..=b'~'] => Cow::Borrowed(cluster),
        _ => Cow::Owned(sanitize_line(cluster).as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tui_textarea::CursorMove;

    use super::*;

    fn draft(text: &str, caret: (u16, u16)) -> TextArea<'static> {
        let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
        area.move_cursor(CursorMove::Jump(caret.0, caret.1));
        area
    }

    #[rstest::rstest]
    #[case::empty("", (0, 0), &[""], (0, 0))]
    #[case::short("one", (0, 3), &["one"], (3, 0))]
    #[case::words("make the test pass", (0, 18), &["make the ", "test pass"], (9, 1))]
    #[case::at_the_break("make the test pass", (0, 9), &["make the ", "test pass"], (0, 1))]
    #[case::a_long_word("abcdefghijklmno", (0, 15), &["abcdefghij", "klmno"], (5, 1))]
    #[case::wide("日本語のテスト", (0, 6), &["日本語のテ", "スト"], (2, 1))]
    #[case::control("a\u{1b}[2Jb\u{202e}c", (0, 0), &["a[2Jbc"], (0, 0))]
    #[case::lines("one\ntwo\nthree", (1, 1), &["one", "two", "three"], (1, 1))]
    fn the_caret_stands_where_it_types(
        #[case] text: &str,
        #[case] caret: (u16, u16),
        #[case] shown: &[&str],
        #[case] at: (u16, u16),
    ) {
        let found = rows(&draft(text, caret), 10, 8);
        assert_eq!((found.rows, found.caret), (shown.iter().map(|row| (*row).to_owned()).collect(), at));
    }

    #[test]
    fn of_a_long_draft_the_rows_around_the_caret_are_shown() {
        let text = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        let area = draft(&text, (50, 0));
        assert_eq!(rows(&area, 10, 3), Rows { rows: vec!["48".into(), "49".into(), "50".into()], caret: (0, 2) });
        assert_eq!(rows(&draft(&text, (0, 0)), 10, 2).rows, ["0", "1"]);
        assert_eq!(height(&area, 10, 8), 8);
    }
}
