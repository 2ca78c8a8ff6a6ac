//! What lies over the panes: each dialog in one frame; the form and the question are drawn here.

use ratatui::{
    layout::{Position, Rect},
    style::Style,
};
use tui_textarea::TextArea;

use super::{
    paint::{Paint, Piece},
    palette, reader,
};
use crate::{
    core::text::sanitize_line,
    tui::{
        app::{
            draft, layout,
            model::{
                Dialog,
                dialog::{CreateForm, Field, Question},
            },
        },
        theme::Part,
    },
};

/// Columns of the fields' names.
const LABEL: u16 = 11;

pub(super) fn draw(paint: &mut Paint<'_>) {
    let model = paint.model;
    for dialog in &model.dialogs {
        // Only the last has the keys, and the terminal's cursor with them.
        paint.caret = None;
        let area = layout::dialog(model, dialog);
        let inside = layout::inside(area);
        match dialog {
            Dialog::Create(form) => {
                paint.frame(area, "New sandbox");
                draw_form(paint, inside, form);
            }
            Dialog::Question(question) => {
                paint.frame(area, sanitize_line(&question.title).as_str());
                draw_question(paint, inside, question);
            }
            Dialog::Palette(found) => {
                paint.frame(area, "Commands");
                palette::draw(paint, inside, found);
            }
            Dialog::Restore(_) | Dialog::Help(_) | Dialog::Toasts(_) | Dialog::Progress { .. } => {
                reader::draw(paint, area, dialog);
            }
        }
    }
}

fn draw_form(paint: &mut Paint<'_>, area: Rect, form: &CreateForm) {
    for (field, row) in layout::fields(area, form) {
        let (label, text, placeholder) = match field {
            Field::Name => ("Name", &form.name, "made up when empty"),
            Field::Image => ("Image", &form.image, "the default image when empty"),
            Field::Commands => ("Commands", &form.commands, "Dockerfile commands, one a line: RUN apt-get …"),
            Field::Secrets => ("Secrets", &form.secrets, "names of secrets, with blanks between"),
        };
        draw_field(paint, row, label, text, placeholder, form.field == field);
        let problems = form.problems.iter().filter(|(of, _)| *of == field);
        for ((_, problem), y) in problems.zip(row.bottom()..area.bottom()) {
            let style = paint.part(Part::Error);
            let width = area.width.saturating_sub(LABEL);
            paint.text((area.x + LABEL, y), width, sanitize_line(problem).as_str(), style);
        }
    }
}

fn draw_field(
    paint: &mut Paint<'_>,
    area: Rect,
    label: &'static str,
    text: &TextArea<'static>,
    placeholder: &'static str,
    focused: bool,
) {
    if area.height == 0 {
        return;
    }
    let style = paint.part(if focused { Part::Accent } else { Part::Dim });
    if focused {
        paint.text((area.x, area.y), 1, paint.marks.cursor, style);
    }
    paint.text((area.x + 2, area.y), LABEL - 2, label, style);
    let place = Rect { x: area.x + LABEL, width: area.width.saturating_sub(LABEL + 1), ..area };
    if text.is_empty() {
        let style = paint.part(Part::Placeholder);
        let placeholder =
            if paint.model.place.ascii { placeholder.replace('…', "...") } else { placeholder.to_owned() };
        paint.text((place.x, place.y), place.width, &placeholder, style);
    }
    let shown = draft::rows(text, place.width, place.height);
    for (row, y) in shown.rows.iter().zip(place.top()..place.bottom()) {
        paint.text((place.x, y), place.width + 1, row.trim_end(), Style::new());
    }
    if focused {
        paint.caret = Some(Position::new(place.x + shown.caret.0, place.y + shown.caret.1));
    }
}

fn draw_question(paint: &mut Paint<'_>, area: Rect, question: &Question) {
    let choices = layout::choices(area, question);
    let detail = Rect { height: area.height - choices.height, ..area };
    paint.prose(detail, crate::core::text::sanitize(&question.detail).as_str(), Style::new());
    for ((n, choice), y) in question.choices.iter().enumerate().zip(choices.top()..choices.bottom()) {
        let row = Rect { y, height: 1, ..area };
        let left = [
            Piece::ours("  ", Style::new()),
            Piece::ours(choice.key.to_string(), paint.part(Part::HintKey)),
            Piece::ours(format!("  {}", choice.label), Style::new()),
        ];
        paint.row(row, &left, &[]);
        if n == question.cursor {
            paint.text((row.x, y), 1, paint.marks.cursor, Style::new());
            let style = paint.part(Part::Choice);
            paint.over(row, style);
            paint.caret = Some(Position::new(row.x + 2, y));
        }
    }
}
