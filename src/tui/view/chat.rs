//! The chat: whose it is, the transcript, and the row below it that says what is going on.

use ratatui::layout::{Position, Rect};

use super::{
    paint::{Paint, Piece, columns},
    transcript, words,
};
use crate::{
    core::{SandboxStatus, figures, text::sanitize_line},
    tui::{
        app::{
            Action,
            action::Context,
            layout::{Areas, NAMED_TABS, WIDE},
            model::{
                Chat, Focus, Sent,
                transcript::{Search, Spot},
            },
            slash,
        },
        theme::Part,
    },
};

pub(super) fn draw(paint: &mut Paint<'_>, areas: &Areas) {
    draw_title(paint, areas.chat_title);
    transcript::draw(paint, areas.transcript);
    if paint.model.size.columns >= WIDE {
        paint.across(areas.status);
    }
    draw_status(paint, areas.status);
}

/// Sandbox and title; at the right the model and what it has read and written.
fn draw_title(paint: &mut Paint<'_>, area: Rect) {
    let model = paint.model;
    let area = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let dim = paint.part(Part::Dim);
    let focused = matches!(model.focus, Focus::Transcript | Focus::Prompt);
    let style = paint.part(if focused { Part::Accent } else { Part::Title });
    let Some(sandbox) = model.sandbox() else {
        paint.row(area, &[Piece::ours("Chat", style)], &[]);
        return;
    };
    let dot = format!(" {} ", paint.marks.dot);
    let mut left = vec![Piece::of(&sanitize_line(&sandbox.name), style)];
    let state = match sandbox.status {
        SandboxStatus::Running => None,
        SandboxStatus::Pending => Some(("starting", Part::Pending)),
        SandboxStatus::Terminated => Some(("ended", Part::Ended)),
        SandboxStatus::Error => Some(("failed", Part::Error)),
    };
    if let Some((word, part)) = state {
        left.extend([Piece::ours(dot.clone(), dim), Piece::ours(word, paint.part(part))]);
    }
    let mut right = Vec::new();
    if let Some(info) = model.chat().and_then(|chat| chat.info.as_ref()) {
        // One that only shell commands made has neither a title nor tokens.
        if !info.title.raw().is_empty() {
            left.extend([Piece::ours(dot.clone(), dim), Piece::of(&info.title.clean_line(), dim)]);
        }
        let named = info.model.as_ref().filter(|_| model.size.columns >= NAMED_TABS);
        if let Some(name) = named {
            right.extend([Piece::of(&name.clean_line(), dim), Piece::ours(dot, dim)]);
        }
        if let Some(tokens) = info.context_tokens.filter(|n| *n > 0) {
            right.push(Piece::ours(words::tokens(tokens), dim));
        }
    }
    paint.row(area, &left, &right);
}

/// The search when there is one, else what is under way; at the right what came unseen.
fn draw_status(paint: &mut Paint<'_>, area: Rect) {
    let Some(chat) = paint.model.chat() else { return };
    let area = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let mut right = Vec::new();
    let new = chat.transcript.new_below();
    if new > 0 {
        let text = format!(" {new} new {} ", paint.marks.down);
        right.push(Piece::ours(text, paint.part(Part::Accent)));
    }
    let selected = chat.transcript.range().map_or(0, |range| range.count());
    let words = slash_words(paint);
    let left = match &chat.transcript.search {
        _ if !words.is_empty() => words,
        _ if selected > 0 => {
            let selected = figures::count(u64::try_from(selected).unwrap_or(u64::MAX), "item", "items");
            for (action, what) in [(Action::CopyItem, "copy "), (Action::SelectRange, "end ")] {
                right.extend(hint(paint, paint.key(Context::Transcript, action), what));
            }
            vec![Piece::ours(format!(" {selected} selected "), paint.part(Part::Accent))]
        }
        Some(search) => {
            right.push(Piece::ours(format!(" {} ", found(paint, search)), paint.part(Part::Dim)));
            search_line(paint, area, search)
        }
        None => match &chat.transcript.error {
            // Without any item the transcript says it at length.
            Some(error) if !chat.transcript.is_empty() => {
                let style = paint.part(Part::Error);
                vec![Piece::of(&sanitize_line(&format!(" {} ", error.message)), style)]
            }
            _ if paint.model.loads_transcript() => {
                right.extend(hint(paint, paint.key(Context::Prompt, Action::Back), "stop "));
                vec![Piece::ours(" loading the transcript for the pager ", paint.part(Part::Pending))]
            }
            _ => under_way(paint, chat, &mut right),
        },
    };
    paint.row(area, &left, &right);
}

/// What a key does here, if there is one for it.
fn hint(paint: &Paint<'_>, key: Option<String>, word: &'static str) -> Vec<Piece<'static>> {
    let Some(key) = key else { return Vec::new() };
    vec![Piece::ours(format!(" {key} "), paint.part(Part::HintKey)), Piece::ours(word, paint.part(Part::Hint))]
}

/// Our own words that the draft may become.
fn slash_words(paint: &Paint<'_>) -> Vec<Piece<'static>> {
    let prompt = paint.model.prompt();
    let first =
        prompt.area.lines().first().filter(|_| paint.model.focus == Focus::Prompt && prompt.area.lines().len() == 1);
    let (word, behind) = (paint.part(Part::HintKey), paint.part(Part::Hint));
    let fitting = slash::fitting(first.map_or("", String::as_str));
    let pieces = fitting.flat_map(|(name, argument)| {
        let argument = if argument.is_empty() { String::new() } else { format!(" {argument}") };
        [Piece::ours(format!(" /{name}"), word), Piece::ours(format!("{argument} "), behind)]
    });
    pieces.collect()
}

fn search_line(paint: &mut Paint<'_>, area: Rect, search: &Search) -> Vec<Piece<'static>> {
    let text = sanitize_line(&search.text);
    if search.typing {
        let caret = area.x + 2 + columns(text.as_str());
        paint.caret = Some(Position::new(caret.min(area.right() - 1), area.y));
    }
    vec![
        Piece::ours(" /", paint.part(Part::Dim)),
        Piece::of(&text, paint.part(Part::Match)),
        Piece::ours(" ", paint.part(Part::Dim)),
    ]
}

/// How far the search is. It counts items: how many places each has only its layout says.
fn found(paint: &Paint<'_>, search: &Search) -> String {
    match search.at {
        _ if search.asked.is_some() => "searching".to_owned(),
        Some(at) => {
            let item = format!("item {} of {}", at + 1, search.found.len());
            match (search.spot, paint.key(Context::Transcript, Action::PageTranscript)) {
                (Some(Spot::LeftOut), Some(key)) => {
                    format!("in what is left out: {key} shows it {} {item}", paint.marks.dot)
                }
                (Some(Spot::LeftOut), None) => format!("in what is left out {} {item}", paint.marks.dot),
                _ => item,
            }
        }
        None if search.typing || search.text.is_empty() => String::new(),
        None => "not found".to_owned(),
    }
}

/// What is under way, and how to stop it.
fn under_way(paint: &Paint<'_>, chat: &Chat, right: &mut Vec<Piece<'static>>) -> Vec<Piece<'static>> {
    // What an interrupt would stop; what was told to stop is shown until it has.
    let shown = paint.model.stoppable().or_else(|| chat.under_way().last().copied());
    let Some((request, task)) = shown.and_then(|request| paint.model.tasks.all.get_key_value(&request)) else {
        return Vec::new();
    };
    let stopping = !paint.model.can_stop(*request);
    let (dim, running) = (paint.part(Part::Dim), paint.part(Part::Running));
    let elapsed = words::elapsed(task.since, paint.model.now);
    if let Some(sent) = paint.model.unanswered(task) {
        let (text, part) = match sent {
            Sent::Now if stopping => ("stopping", Part::Warning),
            Sent::Now => ("sending", Part::Pending),
            Sent::Long if stopping => ("stopping, but the server does not answer", Part::Warning),
            Sent::Long => ("the server does not answer", Part::Warning),
        };
        // No more of it than a row shows: it may be megabytes.
        let room = usize::from(paint.model.size.columns);
        let typed: String = task.typed.iter().flat_map(|typed| typed.chars().take(room)).collect();
        return vec![
            Piece::ours(format!(" {} {text} {} {elapsed} ", paint.marks.runs, paint.marks.dot), paint.part(part)),
            Piece::of(&sanitize_line(&typed), dim),
        ];
    }
    let mut left = vec![Piece::ours(format!(" {} ", paint.marks.runs), running)];
    left.push(match task.step.as_str() {
        _ if stopping => Piece::ours("stopping", paint.part(Part::Warning)),
        "" => Piece::ours("working", running),
        _ => Piece::of(&task.step, running),
    });
    left.push(Piece::ours(format!(" {} {elapsed} ", paint.marks.dot), dim));
    let twice = paint.key(Context::Prompt, Action::Back).filter(|_| !stopping).map(|key| format!("{key} {key}"));
    right.extend(hint(paint, twice, "interrupt "));
    left
}
