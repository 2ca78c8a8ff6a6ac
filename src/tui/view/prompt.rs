//! The prompt: its mark, the rows of the draft around the caret.

use ratatui::layout::{Position, Rect};

use super::paint::Paint;
use crate::{
    core::text::sanitize_line,
    tui::{
        app::{Action, action::Context, draft, layout, model::Focus},
        theme::Part,
    },
};

/// What an empty prompt says.
fn placeholder(paint: &Paint<'_>) -> String {
    match paint.model.sandbox() {
        Some(sandbox) if sandbox.status.is_over() => {
            let create = paint.key(Context::Prompt, Action::CreateSandbox).unwrap_or_default();
            format!("{} has ended; {create} creates another one", sanitize_line(&sandbox.name))
        }
        _ => "type a prompt, !command, /command".to_owned(),
    }
}

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect) {
    let focused = paint.model.focus == Focus::Prompt;
    let mark = paint.part(if focused { Part::Accent } else { Part::Dim });
    paint.text((area.x + 1, area.y), 1, paint.marks.prompt, mark);
    let text = layout::prompt_text(area);
    let draft = &paint.model.prompt().area;
    let empty = draft.is_empty();
    let shown = draft::rows(draft, text.width, text.height);
    for (row, y) in shown.rows.iter().zip(text.top()..text.bottom()) {
        // One column more than the draft is wrapped for: a blank or the caret may hang there.
        paint.text((text.x, y), text.width + 1, row.trim_end(), ratatui::style::Style::new());
    }
    if empty {
        let style = paint.part(Part::Placeholder);
        paint.text((text.x, text.y), text.width, &placeholder(paint), style);
    }
    let searching =
        paint.model.chat().and_then(|chat| chat.transcript.search.as_ref()).is_some_and(|search| search.typing);
    if focused && !searching {
        paint.caret = Some(Position::new(text.x + shown.caret.0, text.y + shown.caret.1));
    }
}
