//! Messages, at the upper right of the pane that is read; what was said before is in their history.

use ratatui::layout::Rect;

use super::paint::{Paint, columns, wrap};
use crate::{
    core::item::Level,
    tui::{
        app::{
            layout::{self, Areas},
            model::{Toast, toast::MAX_SHOWN},
        },
        theme::Part,
    },
};

/// Columns of a message: two rows of it say what a sentence needs.
const WIDTH: u16 = 52;

/// Rows of a message's text, and of its hint; the history has the rest.
const ROWS: usize = 3;

pub(super) fn draw(paint: &mut Paint<'_>, areas: &Areas) {
    let lists = [areas.sandboxes, areas.versions].map(layout::list_rows);
    let Some(pane) = [areas.transcript, lists[0], lists[1]].into_iter().find(|pane| pane.height > 0) else { return };
    let mut y = pane.y;
    let toasts = &paint.model.toasts.shown;
    for toast in &toasts[toasts.len().saturating_sub(MAX_SHOWN)..] {
        y = draw_toast(paint, Rect { y, height: pane.bottom().saturating_sub(y), ..pane }, toast);
    }
}

/// Draws one and gives the row below it.
fn draw_toast(paint: &mut Paint<'_>, pane: Rect, toast: &Toast) -> u16 {
    let (mark, part) = match toast.level {
        Level::Info => (paint.marks.good, Part::Success),
        Level::Warning => (paint.marks.warning, Part::Warning),
        Level::Error => (paint.marks.failed, Part::Error),
    };
    // Bar, blank, mark, blank before the text, and a blank behind it.
    const AROUND: u16 = 5;
    let room = WIDTH.min(pane.width).saturating_sub(AROUND);
    let rows: Vec<_> = wrap(toast.text.as_str(), room).take(ROWS).map(|row| (row, part)).collect();
    let hint = wrap(toast.hint.as_str(), room).take(ROWS).map(|row| (row, Part::Dim));
    let rows: Vec<_> = rows.into_iter().chain(hint).take(usize::from(pane.height)).collect();
    let wide = rows.iter().map(|(row, _)| columns(row)).max().unwrap_or(0).min(room);
    let height = u16::try_from(rows.len()).unwrap_or(0);
    let area = Rect { x: pane.right() - wide - AROUND, width: wide + AROUND, height, ..pane };
    paint.clear(area);
    let style = paint.part(part);
    for ((row, part), y) in rows.into_iter().zip(area.y..) {
        paint.text((area.x, y), 1, paint.marks.bar, style);
        let look = paint.part(part);
        paint.text((area.x + 4, y), wide, row, look);
    }
    if height > 0 {
        paint.text((area.x + 2, area.y), 1, mark, style);
    }
    area.bottom()
}
