//! Messages, at the upper right of the transcript, or at the lower right of a list where only that is seen; what was
//! said before is in their history.

use ratatui::layout::Rect;

use super::paint::{Paint, columns, wrap};
use crate::{
    core::Clean,
    tui::{
        app::{
            Action,
            layout::{self, Areas},
            model::{
                Toast,
                toast::{MAX_SHOWN, Tone},
            },
        },
        theme::Part,
    },
};

/// Columns of a message: two rows of it say what a sentence needs.
const WIDTH: u16 = 52;

/// Rows of a message's text, and of its hint: the longest advice of ours fits. The history has all.
const ROWS: usize = 6;

/// Bar, blank, mark, blank before the text, and a blank behind it.
const AROUND: u16 = 5;

pub(super) fn draw(paint: &mut Paint<'_>, areas: &Areas) {
    let lists = [areas.sandboxes, areas.versions].map(layout::list_rows);
    let Some(pane) = [areas.transcript, lists[0], lists[1]].into_iter().find(|pane| pane.height > 0) else { return };
    let room = WIDTH.min(pane.width).saturating_sub(AROUND);
    let toasts = &paint.model.toasts.shown;
    let rest = paint.key(paint.model.context(), Action::Toasts).map(|key| format!("{key} shows the rest"));
    let rest = rest.as_deref().unwrap_or("more is in the messages");
    let shown: Vec<_> =
        toasts[toasts.len().saturating_sub(MAX_SHOWN)..].iter().map(|toast| (toast, rows(toast, room, rest))).collect();
    // One column for all of them: the eye goes down it.
    let wide = shown.iter().flat_map(|(_, rows)| rows).map(|(row, _)| columns(row)).max().unwrap_or(0).min(room);
    let x = pane.right() - wide - AROUND;
    // Over a list at its end: what they speak of is mostly its first row.
    let all: usize = shown.iter().map(|(_, rows)| rows.len()).sum();
    let over_list = areas.transcript.height == 0;
    let all = u16::try_from(all).unwrap_or(pane.height).min(pane.height);
    let mut y = if over_list { pane.bottom() - all } else { pane.y };
    for (toast, rows) in &shown {
        let height = u16::try_from(rows.len()).unwrap_or(0).min(pane.bottom().saturating_sub(y));
        draw_toast(paint, Rect::new(x, y, wide + AROUND, height), toast, rows);
        y += height;
    }
}

/// A message in rows, and what it advises; the last of them says where the rest is, if there is one.
fn rows<'a>(toast: &'a Toast, room: u16, rest: &'a str) -> Vec<(&'a str, Part)> {
    let parts = [(&toast.text, tone(toast)), (&toast.hint, Part::Dim)];
    let rows = |text: &'a Clean| wrap(text.as_str(), room);
    let mut shown = Vec::new();
    for (text, part) in parts {
        shown.extend(rows(text).take(ROWS).map(|row| (row, part)));
    }
    if parts.iter().any(|(text, _)| rows(text).nth(ROWS).is_some()) {
        shown.push((rest, Part::Hint));
    }
    shown
}

fn tone(toast: &Toast) -> Part {
    match toast.tone {
        Tone::Done => Part::Success,
        Tone::Note => Part::Dim,
        Tone::Warning => Part::Warning,
        Tone::Error => Part::Error,
    }
}

fn draw_toast(paint: &mut Paint<'_>, area: Rect, toast: &Toast, rows: &[(&str, Part)]) {
    let style = paint.part(tone(toast));
    paint.clear(area);
    for ((n, (row, part)), y) in rows.iter().enumerate().zip(area.top()..area.bottom()) {
        paint.text((area.x, y), 1, paint.marks.bar, style);
        if n == 0 {
            paint.text((area.x + 2, y), 1, toast.tone.mark(paint.model.place.ascii), style);
        }
        let look = paint.part(*part);
        paint.text((area.x + 4, y), area.width.saturating_sub(AROUND), row, look);
    }
}
