//! Dialogs that scroll: help, earlier messages, what a restore changes, what a command does.

use ratatui::{
    layout::{Position, Rect},
    style::Style,
};

use super::{
    paint::{Paint, Piece},
    words,
};
use crate::{
    api::ErrorCode,
    core::text::sanitize_line,
    tui::{
        app::{
            Action,
            action::Context,
            layout,
            model::{
                Dialog, Remote, Task,
                dialog::{Reader, RestorePreview},
            },
            reader,
        },
        theme::Part,
    },
};

/// Columns of a bar of progress: one for two percent and a half.
const BAR: u16 = 40;

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect, dialog: &Dialog) {
    let inside = layout::inside(area);
    let model = paint.model;
    let shown = match dialog {
        Dialog::Restore(preview) => {
            paint.frame(area, &restore_title(paint, preview));
            draw_preview(paint, inside, preview);
            &preview.reader
        }
        Dialog::Progress { request, reader } => {
            let task = model.tasks.all.get(request);
            paint.frame(area, task.map_or("Done", |task| doing(&task.kind)));
            draw_progress(paint, inside, task, model.can_stop(*request));
            reader
        }
        Dialog::Help(reader) => {
            paint.frame(area, "Keys");
            draw_help_filter(paint, inside, reader);
            reader
        }
        Dialog::Toasts(reader) => {
            paint.frame(area, "Messages");
            if model.toasts.history.is_empty() {
                let style = paint.part(Part::Dim);
                paint.text((inside.x, inside.y), inside.width, "No message yet.", style);
            }
            reader
        }
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Palette(_) => return,
    };
    draw_rows(paint, area, dialog, shown);
}

/// The visible rows; on the frame how much there is above and below.
fn draw_rows(paint: &mut Paint<'_>, frame: Rect, dialog: &Dialog, shown: &Reader) {
    let rows = layout::reader_rows(paint.model, dialog);
    let (len, height) = (reader::len(paint.model, dialog, rows.width), usize::from(rows.height));
    let last = len.saturating_sub(height);
    let top = if shown.follow { last } else { shown.top.min(last) };
    for (line, y) in reader::rows(paint.model, dialog, rows.width, top, height).iter().zip(rows.y..) {
        paint.line(Rect { y, height: 1, ..rows }, line);
    }
    let area = Rect { x: frame.x + 2, y: frame.bottom() - 1, width: frame.width - 4, height: 1 };
    let filters = !matches!(dialog, Dialog::Help(_)) && (shown.typing || !shown.filter.is_empty());
    let used = if filters { draw_filter(paint, area, shown) } else { 0 };
    let text = match len {
        0 if filters => " nothing fits ".to_owned(),
        _ if len > height => format!(" {}–{} of {len} ", top + 1, (top + height).min(len)),
        _ => return,
    };
    let text = if paint.model.place.ascii { text.replace('–', "-") } else { text };
    let style = paint.part(Part::Dim);
    let rest = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
    paint.row(rest, &[], &[Piece::ours(text, style)]);
}

/// A filter's line in the frame below what it filters; gives its columns.
fn draw_filter(paint: &mut Paint<'_>, area: Rect, reader: &Reader) -> u16 {
    let pieces = [
        Piece::ours(" /", paint.part(Part::Dim)),
        Piece::of(&sanitize_line(&reader.filter), paint.part(Part::Match)),
        Piece::ours(" ", paint.part(Part::Dim)),
    ];
    // The figures behind it need their room more than a filter that is longer than its line.
    let used = paint.pieces((area.x, area.y), area.width.saturating_sub(24), &pieces);
    if reader.typing {
        paint.caret = Some(Position::new(area.x + used.saturating_sub(1), area.y));
    }
    used
}

fn restore_title(paint: &Paint<'_>, preview: &RestorePreview) -> String {
    let model = paint.model;
    let sandbox = model.sandbox_by_id(&preview.sandbox);
    let sandbox = sanitize_line(sandbox.map_or(preview.sandbox.as_str(), |sandbox| sandbox.name.as_str()));
    let when = model.version_by_id(preview.version).map_or_else(
        || preview.version.to_string(),
        |version| {
            let when = words::exactly(version.created_at, model.now, &model.place.zone);
            format!("{when} {}", sanitize_line(&version.note))
        },
    );
    format!("Restore {} into {sandbox}", when.trim_end())
}

fn draw_preview(paint: &mut Paint<'_>, area: Rect, preview: &RestorePreview) {
    let dim = paint.part(Part::Dim);
    let again = reader::again(paint.model, preview, area.width);
    for (line, y) in again.iter().zip(area.top()..area.bottom()) {
        paint.line(Rect { y, height: 1, ..area }, line);
    }
    let above = u16::try_from(again.len()).unwrap_or(0).min(area.height);
    let area = Rect { y: area.y + above, height: area.height - above, ..area };
    let first = Rect { height: 1.min(area.height), ..area };
    let offered = match &preview.changes {
        Remote::NotAsked | Remote::Loading { .. } => {
            paint.row(first, &[Piece::ours("comparing the workspace with the version", dim)], &[]);
            false
        }
        Remote::Failed { error, .. } => {
            let style = paint.part(Part::Error);
            let used = paint.prose(area, sanitize_line(&error.message).as_str(), style);
            let below = Rect { y: area.y + used, height: area.height.saturating_sub(used + 2), ..area };
            paint.prose(below, sanitize_line(&error.hint).as_str(), dim);
            false
        }
        Remote::Ready { data, .. } if data.is_empty() => {
            paint.row(first, &[Piece::ours("The workspace is that version already.", Style::new())], &[]);
            false
        }
        Remote::Ready { data, .. } => {
            let counts = [
                (data.deleted.len(), "deleted", Part::Error),
                (data.changed.len(), "changed", Part::Warning),
                (data.added.len(), "added", Part::Success),
            ];
            let mut pieces = Vec::new();
            for (n, word, part) in counts.into_iter().filter(|(n, ..)| *n > 0) {
                pieces.push(Piece::ours(format!("{n} {word}   "), paint.part(part)));
            }
            paint.row(first, &pieces, &[]);
            for (line, y) in reader::shared(paint.model, preview, area.width).iter().zip(area.y + 1..) {
                paint.line(Rect { y, ..first }, line);
            }
            true
        }
    };
    // The safe choice first, and under the cursor.
    let words = ["cancel", "restore"].into_iter().zip([!preview.confirmed, preview.confirmed]);
    for ((word, chosen), at) in words.zip(layout::offers(area)).take(if offered { 2 } else { 1 }) {
        let style = if chosen { paint.part(Part::Choice) } else { Style::new() };
        let mark = if chosen { paint.marks.cursor } else { " " };
        if chosen {
            paint.caret = Some(Position::new(at.x + 2, at.y));
        }
        paint.text((at.x, at.y), at.width, &format!("{mark} {word} "), style);
    }
}

/// The line of help's filter: it says how to filter until it does.
fn draw_help_filter(paint: &mut Paint<'_>, area: Rect, reader: &Reader) {
    let row = Rect { height: 1, ..area };
    let placeholder = paint.part(Part::Placeholder);
    if reader.filter.is_empty() && !reader.typing {
        let key = paint.key(Context::Reader, Action::Filter).unwrap_or_default();
        paint.row(row, &[Piece::ours(format!("{key} filters"), placeholder)], &[]);
        return;
    }
    let left =
        [Piece::ours("/", paint.part(Part::Dim)), Piece::of(&sanitize_line(&reader.filter), paint.part(Part::Match))];
    let used = paint.row(row, &left, &[]);
    if reader.filter.is_empty() {
        paint.text((area.x + 1, area.y), area.width - 1, "a word or a key", placeholder);
    }
    if reader.typing {
        paint.caret = Some(Position::new(area.x + used, area.y));
    }
}

/// What it does, for how long, how much of it is done.
fn draw_progress(paint: &mut Paint<'_>, area: Rect, task: Option<&Task>, can_stop: bool) {
    let dim = paint.part(Part::Dim);
    let first = Rect { height: 1, ..area };
    let Some(task) = task else {
        paint.row(first, &[Piece::ours("Nothing is being done.", dim)], &[]);
        return;
    };
    let elapsed = [Piece::ours(words::elapsed(task.since, paint.model.now), dim)];
    match &task.end {
        None => {
            let stop = paint.key(Context::Reader, Action::Interrupt).unwrap_or_default();
            paint.row(first, &[Piece::of(&task.step, paint.part(Part::Running))], &elapsed);
            let second = Rect { y: area.y + 1, ..first };
            let (done, text) = share(task.progress);
            let used = if let Some(done) = done { bar(paint, second, done) } else { 0 };
            let stop = match can_stop {
                true => vec![Piece::ours(format!("{stop} "), paint.part(Part::HintKey)), Piece::ours("stops it", dim)],
                false => vec![Piece::ours("stopping", paint.part(Part::Warning))],
            };
            let second = Rect { x: second.x + used, width: second.width - used, ..second };
            paint.row(second, &[Piece::ours(text, dim)], &stop);
        }
        Some(Ok(())) => {
            paint.row(first, &[Piece::ours("done", paint.part(Part::Success))], &[]);
        }
        // Why stands whole at the end of the log.
        Some(Err(error)) if error.code == ErrorCode::Interrupted => {
            paint.row(first, &[Piece::ours("stopped", paint.part(Part::Warning))], &[]);
        }
        Some(Err(_)) => {
            paint.row(first, &[Piece::ours("failed", paint.part(Part::Error))], &[]);
        }
    }
}

/// Done columns of the bar, when it is known of how much; and in words.
fn share(progress: Option<(u64, Option<u64>)>) -> (Option<u16>, String) {
    match progress {
        Some((done, Some(total))) if total > 0 => {
            let of = |parts: u64| u128::from(done.min(total)) * u128::from(parts) / u128::from(total);
            let columns = u16::try_from(of(u64::from(BAR))).unwrap_or(BAR);
            (Some(columns), format!(" {} %", of(100)))
        }
        Some((done, _)) if done > 0 => (None, done.to_string()),
        _ => (None, String::new()),
    }
}

fn bar(paint: &mut Paint<'_>, area: Rect, done: u16) -> u16 {
    let width = BAR.min(area.width.saturating_sub(20));
    let (full, rest) = (paint.part(Part::Running), paint.part(Part::Dim));
    for n in 0..width {
        let (sign, style) = if n < done * width / BAR { (paint.marks.done, full) } else { (paint.marks.missing, rest) };
        paint.text((area.x + n, area.y), 1, sign, style);
    }
    width
}

/// A command's kind as its title.
fn doing(kind: &str) -> &'static str {
    match kind {
        "sandbox_create" => "Creating a sandbox",
        "sandbox_terminate" => "Terminating a sandbox",
        "version_save" => "Saving a version",
        "version_restore" => "Restoring a version",
        "chat" => "Claude works",
        "shell" => "A shell command runs",
        _ => "Working",
    }
}
