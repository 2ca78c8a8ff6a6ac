//! The first row: where this is, what runs, what it costs; below the width of two columns the tabs.

use ratatui::layout::Rect;

use super::{
    paint::{Paint, Piece},
    words,
};
use crate::{
    api::ApiError,
    core::text::sanitize_line,
    tui::{
        app::{
            layout,
            model::{Focus, Link},
        },
        theme::Part,
    },
};

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect) {
    let area = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let left = if paint.model.size.columns >= layout::WIDE { place(paint) } else { tabs(paint) };
    let right = match &paint.model.link {
        Link::Connected => figures(paint),
        Link::Starting => vec![Piece::ours("connecting", paint.part(Part::Pending))],
        Link::Lost { error, since } => {
            let age = words::age(*since, paint.model.now);
            let room = usize::from(area.width / 2);
            vec![Piece::ours(lost(error, &age, room), paint.part(Part::Error))]
        }
    };
    paint.row(area, &left, &right);
}

/// What can be said of a lost server in half the row.
fn lost(error: &ApiError, age: &str, room: usize) -> String {
    let message = sanitize_line(&error.message);
    let whole = format!("no server ({age}): {message}");
    if whole.chars().count() <= room { whole } else { format!("no server ({age}), trying again") }
}

fn place(paint: &Paint<'_>) -> Vec<Piece<'static>> {
    let place = &paint.model.place;
    let dot = paint.marks.dot;
    vec![
        Piece::ours("sandbank   ", paint.part(Part::Title)),
        Piece::ours(format!("{} {dot} ", place.profile), paint.part(Part::Dim)),
        Piece::of(&sanitize_line(place.account.as_str()), paint.part(Part::Dim)),
    ]
}

fn tabs(paint: &Paint<'_>) -> Vec<Piece<'static>> {
    let current = match paint.model.focus {
        Focus::Prompt => Focus::Transcript,
        other => other,
    };
    let mut pieces = Vec::new();
    for tab in layout::tabs(paint.model) {
        let style = paint.part(if tab.pane == current { Part::Accent } else { Part::Dim });
        pieces.push(Piece::ours(tab.label, style));
        if tab.running > 0 {
            let text = format!(" {}{}", paint.marks.runs, tab.running);
            pieces.push(Piece::ours(text, paint.part(Part::Running)));
        }
        pieces.push(Piece::ours(" ".repeat(usize::from(layout::TAB_GAP)), style));
    }
    pieces
}

/// What is being done unseen, what runs, and what the day has cost; tabs say the second themselves.
fn figures(paint: &Paint<'_>) -> Vec<Piece<'static>> {
    let wide = paint.model.size.columns >= layout::WIDE;
    let running = if wide { paint.model.running() } else { 0 };
    let today = if wide { " today" } else { "" };
    let figures = [
        unseen(paint).map(|doing| Piece::ours(doing, paint.part(Part::Pending))),
        (running > 0).then(|| Piece::ours(format!("{running} running"), paint.part(Part::Running))),
        (paint.model.spent_today)
            .map(|spent| Piece::ours(format!("{}{today}", words::cents(spent)), paint.part(Part::Dim))),
    ];
    let mut pieces = Vec::new();
    for figure in figures.into_iter().flatten() {
        if !pieces.is_empty() {
            pieces.push(Piece::ours(format!(" {} ", paint.marks.dot), paint.part(Part::Dim)));
        }
        pieces.push(figure);
    }
    pieces
}

/// Commands of this screen that no dialog and no transcript shows: the newest, and how many more.
fn unseen(paint: &Paint<'_>) -> Option<String> {
    if !paint.model.dialogs.is_empty() {
        return None;
    }
    let (tasks, jobs) = (paint.model.tasks.all.iter(), &paint.model.jobs);
    let doing: Vec<_> = tasks.filter(|(_, task)| task.ours && task.end.is_none() && !task.converses()).collect();
    let (_, newest) = doing.iter().max_by_key(|(request, task)| (jobs.running.contains_key(request), task.number))?;
    let word = match newest.kind.as_str() {
        "sandbox_create" => "creating",
        "sandbox_terminate" => "terminating",
        "version_save" => "saving",
        "version_restore" => "restoring",
        _ => "working",
    };
    // What is one of several is counted with them; beside them there may be more.
    let more = doing.len() - jobs.running.len().max(1);
    let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(match newest.progress {
        _ if jobs.all() > 1 => format!("{word} {} of {}{and_more}", jobs.ended + 1, jobs.all()),
        _ if more > 0 => format!("{word}{and_more}"),
        Some((done, Some(total))) if total > 0 => format!("{word} {} %", done.min(total).saturating_mul(100) / total),
        _ => word.to_owned(),
    })
}
