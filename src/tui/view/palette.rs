//! Every action by name, with its key where the keys were before.

use ratatui::layout::{Position, Rect};

use super::paint::{Paint, Piece, columns};
use crate::{
    core::text::sanitize_line,
    tui::{
        app::{layout, model::dialog::Palette, reader},
        theme::Part,
    },
};

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect, palette: &Palette) {
    let text = sanitize_line(&palette.text);
    let dim = paint.part(Part::Dim);
    let mark = paint.part(Part::Accent);
    let left = [Piece::ours(format!("{} ", paint.marks.prompt), mark), Piece::of(&text, ratatui::style::Style::new())];
    let used = paint.row(Rect { height: 1, ..area }, &left, &[]);
    if text.as_str().is_empty() {
        let style = paint.part(Part::Placeholder);
        paint.text((area.x + 2, area.y), area.width.saturating_sub(2), "a word of what to do", style);
    }
    paint.caret = Some(Position::new((area.x + used).min(area.right()), area.y));

    let (rows, first) = layout::palette_rows(area, palette);
    let context = reader::pane(paint.model.focus);
    let visible = palette.found.iter().enumerate().skip(first).take(usize::from(rows.height));
    for ((n, (action, fits)), y) in visible.zip(rows.y..) {
        let row = Rect { y, height: 1, ..rows };
        let key = paint.key(context, *action).unwrap_or_default();
        let room = row.width.saturating_sub(columns(&key) + 4);
        paint.row(row, &[], &[Piece::ours(key, paint.part(Part::HintKey)), Piece::ours(" ", dim)]);
        let style = ratatui::style::Style::new();
        let help = paint.model.help(*action);
        paint.marked((row.x + 2, y), room, &help, style, |at| fits.contains(&at));
        if n == palette.cursor {
            paint.text((row.x, y), 1, paint.marks.cursor, style);
            let style = paint.part(Part::Choice);
            paint.over(row, style);
        }
    }
    if palette.found.is_empty() && rows.height > 0 {
        paint.text((rows.x + 2, rows.y), rows.width.saturating_sub(2), "nothing fits", dim);
    }
}
