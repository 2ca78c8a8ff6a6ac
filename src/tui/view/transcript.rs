//! The transcript's visible rows; when there are none, what to do.

use std::ops::Range;

use ratatui::layout::{Position, Rect};

use super::paint::{Paint, Piece};
use crate::{
    core::{SandboxStatus, text::sanitize_line},
    tui::{
        app::{
            Action,
            action::Context,
            layout::GUTTER,
            model::{Chat, Focus, Remote},
        },
        theme::Part,
    },
};

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect) {
    match paint.model.chat() {
        Some(chat) if !chat.transcript.is_empty() => draw_rows(paint, area, chat),
        chat => draw_nothing(paint, area, chat),
    }
}

fn draw_rows(paint: &mut Paint<'_>, area: Rect, chat: &Chat) {
    let focused = paint.model.focus == Focus::Transcript;
    let searched = chat.transcript.search.is_some();
    let typing = chat.transcript.search.as_ref().is_some_and(|search| search.typing);
    let mut caret = None;
    for (row, y) in chat.transcript.visible().zip(area.top()..area.bottom()) {
        let at = Rect { y, height: 1, ..area };
        paint.line(at, row.line);
        if searched {
            mark(paint, at, &chat.transcript.matches(row.place), &row.line.text());
        }
        if row.selected && focused {
            let style = paint.part(Part::Accent);
            paint.text((area.x - GUTTER, y), 1, paint.marks.bar, style);
        }
        if row.cursor && caret.is_none() {
            caret = Some(Position::new(area.x, y));
        }
    }
    if focused && !typing {
        paint.caret = caret;
    }
}

/// Marks what was searched in a row that is drawn.
fn mark(paint: &mut Paint<'_>, at: Rect, found: &[Range<usize>], text: &str) {
    let style = paint.part(Part::Match);
    for place in found {
        let (Some(before), Some(it)) = (text.get(..place.start), text.get(place.clone())) else { continue };
        let x = at.x.saturating_add(super::paint::columns(before)).min(at.right());
        let width = super::paint::columns(it).min(at.right() - x);
        paint.over(Rect { x, width, ..at }, style);
    }
}

fn draw_nothing(paint: &mut Paint<'_>, area: Rect, chat: Option<&Chat>) {
    let model = paint.model;
    let dim = paint.part(Part::Dim);
    let key = |context, action| paint.key(context, action).unwrap_or_default();
    let area = Rect { width: area.width.saturating_sub(1), ..area };
    let Some(sandbox) = model.sandbox() else {
        if matches!(model.sandboxes.remote, Remote::NotAsked | Remote::Loading { .. }) {
            return;
        }
        let text = format!("No sandbox is selected. {} creates one.", key(Context::Prompt, Action::CreateSandbox));
        paint.prose(area, &text, dim);
        return;
    };
    let error = chat.and_then(|chat| chat.transcript.error.as_ref().or(chat.refused.as_ref()));
    if let Some(error) = error {
        let style = paint.part(Part::Error);
        let used = paint.prose(area, sanitize_line(&error.message).as_str(), style);
        let below = Rect { y: area.y + used, height: area.height.saturating_sub(used), ..area };
        paint.prose(below, sanitize_line(&error.hint).as_str(), dim);
        return;
    }
    if chat.is_none_or(|chat| chat.transcript.is_loading()) {
        paint.row(Rect { height: 1, ..area }, &[Piece::ours("loading", dim)], &[]);
        return;
    }
    let text = match sandbox.status {
        SandboxStatus::Running => {
            "Nothing was said yet. Type a prompt for Claude, or !command for a shell command.".to_owned()
        }
        SandboxStatus::Pending => {
            format!(
                "It is starting; {} shows how far it is. A prompt can be typed already.",
                key(Context::Prompt, Action::ShowProgress)
            )
        }
        SandboxStatus::Terminated | SandboxStatus::Error => {
            let reason = sandbox.reason.as_deref().map(sanitize_line).unwrap_or_default();
            let create = key(Context::Prompt, Action::CreateSandbox);
            let why = if reason.as_str().is_empty() { String::new() } else { format!(": {reason}") };
            format!("It has ended{why}. Nothing was said in it.\n{create} creates another one.")
        }
    };
    paint.prose(area, &text, dim);
}
