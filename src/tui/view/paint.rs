//! From words to cells. All text of the screen goes through here: it is cut to its place, with a sign where it was, and
//! wide characters never reach over an edge.

use std::borrow::Cow;

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::marks::{Marks, marks};
use crate::{
    core::Clean,
    tui::{
        app::{Action, Model, action::Context, draft},
        text::{Line, Role, Span, elide},
        theme::{Part, Theme},
    },
};

/// A frame that is being drawn.
pub(super) struct Paint<'a> {
    pub model: &'a Model,
    pub theme: &'a Theme,
    pub marks: &'static Marks,
    pub buf: &'a mut Buffer,
    /// Where the terminal's cursor goes; the last one who sets it has the keys.
    pub caret: Option<Position>,
}

/// Words in one style.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    text: Cow<'a, str>,
    style: Style,
}

impl<'a> Piece<'a> {
    /// What came from outside.
    pub fn of(text: &Clean, style: Style) -> Piece<'static> {
        Piece { text: Cow::Owned(text.as_str().replace('\n', " ")), style }
    }

    /// Our own words, and figures in them.
    pub fn ours(text: impl Into<Cow<'a, str>>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    /// How wide it is.
    pub fn columns(&self) -> u16 {
        columns(&self.text)
    }
}

impl<'a> Paint<'a> {
    pub fn new(model: &'a Model, theme: &'a Theme, buf: &'a mut Buffer) -> Self {
        Self { model, theme, marks: marks(model.place.ascii), buf, caret: None }
    }

    pub fn part(&self, part: Part) -> Style {
        self.theme.part(part)
    }

    pub fn role(&self, role: Role) -> Style {
        self.theme.role(role)
    }

    /// The first key of an action where the keys are now, as hints write it.
    pub fn key(&self, context: Context, action: Action) -> Option<String> {
        self.model.keymap.keys(context, action).into_iter().next()
    }

    /// One text in the columns from `at` on; gives the columns that it took.
    pub fn text(&mut self, (x, y): (u16, u16), width: u16, text: &str, style: Style) -> u16 {
        let width = width.min(self.buf.area.right().saturating_sub(x));
        if width == 0 || y >= self.buf.area.bottom() {
            return 0;
        }
        let (kept, cut) = fit(text, width, self.marks.cut);
        let mut column = x;
        for part in kept.graphemes(true).chain(cut.then_some(self.marks.cut)) {
            column = self.buf.set_stringn(column, y, part, usize::from(x + width - column), style).0;
        }
        column - x
    }

    /// Text that is told by its end as much as by its beginning, with the clusters marked whose place, in characters,
    /// `fits`; the middle goes when it is too long.
    pub fn marked(
        &mut self,
        (x, y): (u16, u16),
        width: u16,
        text: &str,
        style: Style,
        fits: impl Fn(usize) -> bool,
    ) -> u16 {
        let width = width.min(self.buf.area.right().saturating_sub(x));
        if width == 0 || y >= self.buf.area.bottom() {
            return 0;
        }
        let sign = self.marks.cut;
        let hidden = elide(text, usize::from(width), usize::from(columns(sign)), &fits);
        let hidden = hidden.unwrap_or(text.len()..text.len());
        let found = style.patch(self.part(Part::Match));
        let (mut column, mut character) = (x, 0);
        for (at, cluster) in text.grapheme_indices(true) {
            if at == hidden.start {
                column = self.buf.set_stringn(column, y, sign, usize::from(x + width - column), style).0;
            }
            if !hidden.contains(&at) {
                let style = if fits(character) { found } else { style };
                column = self.buf.set_stringn(column, y, cluster, usize::from(x + width - column), style).0;
            }
            character += cluster.chars().count();
        }
        column - x
    }

    /// Pieces from the left; gives the columns that they took.
    pub fn pieces(&mut self, (x, y): (u16, u16), width: u16, pieces: &[Piece<'_>]) -> u16 {
        let mut used = 0;
        for piece in pieces {
            used += self.text((x + used, y), width - used, &piece.text, piece.style);
        }
        used
    }

    /// Pieces at the left edge and at the right; when both don't fit, the left is cut.
    pub fn row(&mut self, area: Rect, left: &[Piece<'_>], right: &[Piece<'_>]) -> u16 {
        let wide = right.iter().map(|piece| columns(&piece.text)).sum::<u16>().min(area.width);
        self.pieces((area.right() - wide, area.y), wide, right);
        let gap = if wide == 0 { 0 } else { 1 };
        self.pieces((area.x, area.y), area.width.saturating_sub(wide + gap), left)
    }

    /// A laid-out line.
    pub fn line(&mut self, area: Rect, line: &Line) {
        let pieces = |spans: &[Span]| -> Vec<Piece<'_>> {
            spans
                .iter()
                .map(|span| Piece { text: Cow::Owned(span.text().to_owned()), style: self.role(span.role()) })
                .collect()
        };
        let (left, right) = (pieces(&line.spans), pieces(&line.right));
        self.row(area, &left, &right);
    }

    /// Prose in as many rows as it needs and has; gives the rows that it took.
    pub fn prose(&mut self, area: Rect, text: &str, style: Style) -> u16 {
        let mut y = area.y;
        for row in wrap(text, area.width) {
            if y >= area.bottom() {
                break;
            }
            self.text((area.x, y), area.width, row, style);
            y += 1;
        }
        y - area.y
    }

    /// A look over what is drawn already.
    pub fn over(&mut self, area: Rect, style: Style) {
        self.buf.set_style(area.intersection(self.buf.area), style);
    }

    /// A line across.
    pub fn across(&mut self, area: Rect) {
        let style = self.part(Part::Border);
        for x in area.left()..area.right() {
            self.buf.set_stringn(x, area.y, self.marks.lines.across, 1, style);
        }
    }

    /// A sign of a line.
    pub fn sign(&mut self, (x, y): (u16, u16), sign: &'static str) {
        let style = self.part(Part::Border);
        self.buf.set_stringn(x, y, sign, 1, style);
    }

    /// Makes room for what lies over the panes. A wide character that reaches into the room goes as a whole, else the
    /// terminal would draw its second half over the edge.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buf.area);
        for y in area.top()..area.bottom() {
            if area.x > 0 && self.buf[(area.x - 1, y)].symbol().width() > 1 {
                let cell = &mut self.buf[(area.x - 1, y)];
                let style = cell.style();
                cell.reset();
                cell.set_style(style);
            }
            for x in area.left()..area.right() {
                self.buf[(x, y)].reset();
            }
        }
    }

    /// A frame with its title, around cleared room.
    pub fn frame(&mut self, area: Rect, title: &str) {
        self.clear(area);
        if area.width < 2 || area.height < 2 {
            return;
        }
        let lines = self.marks.lines;
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        self.across(Rect { height: 1, ..area });
        self.across(Rect { y: bottom, height: 1, ..area });
        for y in area.y + 1..bottom {
            self.sign((area.x, y), lines.down);
            self.sign((right, y), lines.down);
        }
        let corners = [(area.x, area.y), (right, area.y), (area.x, bottom), (right, bottom)];
        for (at, sign) in corners.into_iter().zip(lines.corners) {
            self.sign(at, sign);
        }
        let style = self.part(Part::Dialog);
        self.text((area.x + 2, area.y), area.width.saturating_sub(4), &format!(" {title} "), style);
    }
}

/// Columns of a text.
pub(super) fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// What of a text fits a width, and whether it was cut: then there is room for the sign behind it.
fn fit<'a>(text: &'a str, width: u16, sign: &str) -> (&'a str, bool) {
    // No character has more columns than bytes: short texts are not measured.
    if text.len() <= usize::from(width) || columns(text) <= width {
        return (text, false);
    }
    let room = usize::from(width.saturating_sub(columns(sign)));
    let mut used = 0;
    let end = text.grapheme_indices(true).find(|(_, cluster)| {
        used += cluster.width();
        used > room
    });
    (&text[..end.map_or(text.len(), |(at, _)| at)], true)
}

/// Breaks prose behind blanks, and words that are wider than a row anywhere.
pub(super) fn wrap(text: &str, width: u16) -> impl Iterator<Item = &str> {
    text.lines().flat_map(move |line| draft::wrap(line, width).into_iter().map(|row| line[row].trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("short", 10, "short", false)]
    #[case("exactly 10", 10, "exactly 10", false)]
    #[case("more than 10", 10, "more than", true)]
    #[case("日本語テスト", 10, "日本語テ", true)]
    #[case("日本語テスト", 12, "日本語テスト", false)]
    #[case("👨‍👩‍👧 family", 6, "👨‍👩‍👧 fa", true)]
    fn what_does_not_fit_is_cut_between_clusters(
        #[case] text: &str,
        #[case] width: u16,
        #[case] kept: &str,
        #[case] cut: bool,
    ) {
        assert_eq!(fit(text, width, "…"), (kept, cut));
    }

    #[test]
    fn prose_breaks_at_blanks() {
        assert_eq!(wrap("the server is gone", 10).collect::<Vec<_>>(), ["the server", "is gone"]);
        assert_eq!(wrap("abcdefghijkl mno\np", 10).collect::<Vec<_>>(), ["abcdefghij", "kl mno", "p"]);
    }
}
