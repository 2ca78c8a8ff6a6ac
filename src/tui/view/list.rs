//! What both lists share: the title with the filter in it, the visible rows, what stands there when there are none.

use ratatui::layout::{Position, Rect};

use super::paint::{Paint, Piece, columns};
use crate::{
    core::{figures, text::sanitize_line},
    tui::{
        app::{
            Action,
            action::Context,
            layout,
            model::{
                Listing, Remote,
                list::{Filter, Row},
            },
        },
        theme::Part,
    },
};

/// Columns before a row's text: the row's own mark, the cursor's, a blank.
const MARK: u16 = layout::MARKS + 1;

/// A list and its words.
pub(super) struct List<'a, T: Row> {
    pub listing: &'a Listing<T>,
    /// Where its keys are bound.
    pub context: Context,
    pub title: &'static str,
    pub focused: bool,
    /// Of the selected one, what its row has no room for.
    pub about: String,
    /// What is said when there are none, and what to do then.
    pub empty: (&'static str, String),
}

impl<T: Row> List<'_, T> {
    /// Draws it; `row` draws a row's text, from behind the mark on.
    pub fn draw(&self, paint: &mut Paint<'_>, area: Rect, mut row: impl FnMut(&mut Paint<'_>, Rect, &T, &[usize])) {
        self.draw_title(paint, Rect { height: 1, ..area });
        let rows = layout::list_rows(area);
        if self.listing.shown.is_empty() {
            self.draw_nothing(paint, Rect { x: rows.x + MARK, width: rows.width - MARK - 1, ..rows });
            return;
        }
        let height = usize::from(rows.height);
        let visible = self.listing.shown.iter().skip(self.first(height)).take(height);
        for ((place, fits), y) in visible.zip(rows.y..) {
            let Some(item) = self.listing.all().get(*place) else { continue };
            let line = Rect { y, height: 1, ..rows };
            row(paint, Rect { x: line.x + MARK, width: line.width - MARK - 1, ..line }, item, fits);
            let id = item.id();
            if self.listing.marks.contains(&id) {
                let look = paint.part(Part::Marked);
                paint.text((line.x, y), 1, paint.marks.marked, look);
                paint.over(line, look);
            }
            if self.listing.cursor.as_ref() == Some(&id) {
                let look = paint.part(if self.focused { Part::Selected } else { Part::SelectedElsewhere });
                paint.text((line.x + 1, y), 1, paint.marks.cursor, look);
                paint.over(line, look);
                if self.focused && !self.typing() {
                    paint.caret = Some(Position::new(line.x + MARK, y));
                }
            }
        }
    }

    /// What stands in so many rows.
    pub fn visible(&self, height: usize) -> impl Iterator<Item = &T> {
        let places = self.listing.shown.iter().skip(self.first(height)).take(height);
        places.filter_map(|(place, _)| self.listing.all().get(*place))
    }

    /// The first visible row. `top` is kept by the reducer; after a resize the cursor may be outside for a moment.
    fn first(&self, height: usize) -> usize {
        let listing = self.listing;
        let top = listing.top.min(listing.shown.len().saturating_sub(height));
        let mut visible =
            listing.shown.iter().skip(top).take(height).filter_map(|(place, _)| listing.all().get(*place));
        if listing.cursor.as_ref().is_none_or(|cursor| visible.any(|item| item.id() == *cursor)) {
            return top;
        }
        match listing.place() {
            Some(place) if place < top => place,
            Some(place) => (place + 1).saturating_sub(height),
            None => top,
        }
    }

    fn typing(&self) -> bool {
        self.listing.filter.as_ref().is_some_and(|filter| filter.typing)
    }

    fn draw_title(&self, paint: &mut Paint<'_>, area: Rect) {
        let area = Rect { x: area.x + 1, width: area.width - 2, ..area };
        let (shown, kept) = (self.listing.shown.len(), self.listing.kept);
        let style = paint.part(if self.focused { Part::Accent } else { Part::Title });
        let dim = paint.part(Part::Dim);
        let refused = matches!(self.listing.remote, Remote::Failed { last: Some(_), .. });
        let (marked, hidden) = (self.listing.marked_count(), self.listing.marked_hidden());
        let count = match &self.listing.remote {
            Remote::NotAsked | Remote::Loading { .. } | Remote::Failed { last: None, .. } => String::new(),
            _ if self.listing.filter.is_some() => format!("{shown} of {kept}"),
            _ if marked > 0 => shown.to_string(),
            _ if !self.about.is_empty() => format!("{shown} {} {}", paint.marks.dot, self.about),
            _ => shown.to_string(),
        };
        let mut left = vec![Piece::ours(self.title, style)];
        // What fits a filter best stands first in any order.
        if let (Some(sort), None) = (self.listing.sort, &self.listing.filter) {
            left.push(Piece::ours(format!(" by {}", sort.by), dim));
        }
        if let Some(Filter { text, .. }) = &self.listing.filter {
            left.push(Piece::ours("  /", dim));
            left.push(Piece::of(&sanitize_line(text), paint.part(Part::Match)));
        }
        let mut right = Vec::new();
        if refused {
            right.push(Piece::ours("old ", paint.part(Part::Warning)));
        }
        if marked > 0 {
            right.push(Piece::ours(format!("{marked} marked"), paint.part(Part::Marked)));
        }
        let wide = |pieces: &[Piece<'_>]| pieces.iter().map(Piece::columns).sum::<u16>();
        let fits = |right: &[Piece<'_>], text: &str| wide(&left) + 1 + wide(right) + columns(text) <= area.width;
        // Nothing is done to those until they are seen again. The filter that hides them needs its room more.
        let apart = match marked {
            0 => figures::count(hidden as u64, "hidden mark", "hidden marks"),
            _ => format!(", {hidden} hidden"),
        };
        if hidden > 0 && fits(&right, &apart) {
            right.push(Piece::ours(apart, dim));
        }
        let marks = right.len() > usize::from(refused);
        let count = if marks { format!(" {} {count}", paint.marks.dot) } else { count };
        // How many are marked needs its room more than how many there are.
        if !marks || fits(&right, &count) {
            right.push(Piece::ours(count, dim));
        }
        let used = paint.row(area, &left, &right);
        if self.focused && self.typing() {
            paint.caret = Some(Position::new(area.x + used.min(area.width.saturating_sub(1)), area.y));
        }
    }

    fn draw_nothing(&self, paint: &mut Paint<'_>, area: Rect) {
        let dim = paint.part(Part::Dim);
        let key = |action| paint.key(self.context, action).unwrap_or_default();
        let (what, style, then) = match &self.listing.remote {
            Remote::NotAsked | Remote::Loading { .. } => ("loading".to_owned(), dim, String::new()),
            Remote::Failed { error, .. } => {
                let hint = sanitize_line(&error.hint).as_str().to_owned();
                let hint = if hint.is_empty() { format!("{} asks again", key(Action::Refresh)) } else { hint };
                (sanitize_line(&error.message).as_str().to_owned(), paint.part(Part::Error), hint)
            }
            Remote::Ready { .. } => match &self.listing.filter {
                Some(filter) if !filter.text.is_empty() => {
                    ("nothing fits".to_owned(), dim, format!("{} shows all", key(Action::Back)))
                }
                _ => (self.empty.0.to_owned(), dim, self.empty.1.clone()),
            },
        };
        let used = paint.prose(area, &what, style);
        let below = Rect { y: area.y + used, height: area.height.saturating_sub(used), ..area };
        paint.prose(below, &then, dim);
        if self.focused && !self.typing() {
            paint.caret = Some(Position::new(area.x, area.y));
        }
    }
}

/// Text in a column of its own, beginning and end when it is too long, with the letters marked that fit; `skipped`
/// characters of the searched text come before it.
pub(super) fn column(paint: &mut Paint<'_>, at: Rect, text: &str, part: Option<Part>, fits: (&[usize], usize)) -> u16 {
    let style = part.map(|part| paint.part(part)).unwrap_or_default();
    let (fits, skipped) = fits;
    paint.marked((at.x, at.y), at.width, text, style, |at| fits.contains(&(at + skipped)))
}

/// The columns of a row from the right: each text with its width; gives what is left of the row.
pub(super) fn from_right(paint: &mut Paint<'_>, row: Rect, texts: &[(String, u16, Part)]) -> Rect {
    let mut left = row;
    for (text, width, part) in texts {
        let wide = columns(text).min(*width);
        let x = left.right() - wide;
        let style = paint.part(*part);
        paint.text((x, row.y), wide, text, style);
        left.width = left.width.saturating_sub(width + 1);
    }
    left
}
