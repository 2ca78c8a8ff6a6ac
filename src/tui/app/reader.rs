//! What the dialogs that scroll show, row by row: only the rows on the screen are made.

use super::{
    action::{Action, Context},
    draft,
    model::{Dialog, Focus, Model, Remote, Task, Toast},
};
use crate::{
    api::command::{Changes, PathSize},
    core::{
        Clean, figures,
        item::Level,
        text::{sanitize, sanitize_line},
    },
    tui::text::{Line, Role, Span},
};

/// Columns of the keys in help: `pagedown, ctrl-f` and a blank more.
const KEYS: usize = 17;

/// How many rows a dialog's text has in so many columns; what its reader's `top` is bound by.
pub fn len(model: &Model, dialog: &Dialog, columns: u16) -> usize {
    match dialog {
        Dialog::Restore(preview) => match &preview.changes {
            Remote::Ready { data, .. } => data.deleted.len() + data.changed.len() + data.added.len(),
            _ => 0,
        },
        Dialog::Progress { request, .. } => {
            model.tasks.all.get(request).map_or(0, |task| task.log.len() + why(task, columns).len())
        }
        Dialog::Help(reader) => help(model, &reader.filter, columns).len(),
        Dialog::Toasts(_) => messages(model, columns).len(),
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Palette(_) => 0,
    }
}

/// The rows from one on, as many as are seen.
pub fn rows(model: &Model, dialog: &Dialog, columns: u16, from: usize, height: usize) -> Vec<Line> {
    match dialog {
        Dialog::Restore(preview) => match &preview.changes {
            Remote::Ready { data, .. } => changes(data).skip(from).take(height).map(change).collect(),
            _ => Vec::new(),
        },
        Dialog::Progress { request, .. } => {
            let Some(task) = model.tasks.all.get(request) else { return Vec::new() };
            let log = task.log.iter().map(|line| line_of(vec![Span::new(line, Role::Output)]));
            log.chain(why(task, columns)).skip(from).take(height).collect()
        }
        Dialog::Help(reader) => help(model, &reader.filter, columns).into_iter().skip(from).take(height).collect(),
        Dialog::Toasts(_) => messages(model, columns).into_iter().skip(from).take(height).collect(),
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Palette(_) => Vec::new(),
    }
}

/// Why a command failed and what to do then, below its log.
fn why(task: &Task, columns: u16) -> Vec<Line> {
    let Some(Err(error)) = &task.end else { return Vec::new() };
    let mut lines = if task.log.is_empty() { Vec::new() } else { vec![Line::default()] };
    for (text, role) in [(&error.message, Role::Error), (&error.hint, Role::Text)] {
        if !text.is_empty() {
            folded(Vec::new(), &sanitize(text), role, columns, &mut lines);
        }
    }
    lines
}

/// A text behind some columns of its own, in as many rows as it needs: what one has to know is never cut.
fn folded(before: Vec<Span>, text: &Clean, role: Role, columns: u16, lines: &mut Vec<Line>) {
    let taken = before.iter().map(|span| draft::columns(span.text())).sum::<u16>();
    let room = columns.saturating_sub(taken);
    let margin = sanitize_line(&" ".repeat(taken.into()));
    let mut before = Some(before);
    for line in text.as_str().lines() {
        for row in draft::wrap(line, room) {
            let mut spans = before.take().unwrap_or_else(|| vec![Span::new(&margin, Role::Dim)]);
            spans.push(Span::new(&sanitize_line(line[row].trim_end()), role));
            lines.push(line_of(spans));
        }
    }
}

/// What is lost comes first.
fn changes(all: &Changes) -> impl Iterator<Item = (char, &PathSize)> {
    let deleted = all.deleted.iter().map(|path| ('-', path));
    let changed = all.changed.iter().map(|path| ('~', path));
    deleted.chain(changed).chain(all.added.iter().map(|path| ('+', path)))
}

fn change((mark, path): (char, &PathSize)) -> Line {
    let role = match mark {
        '-' => Role::Removed,
        '+' => Role::Added,
        _ => Role::Warning,
    };
    Line {
        spans: vec![
            Span::new(&sanitize_line(&format!("{mark} ")), role),
            Span::new(&sanitize_line(&path.path), Role::Text),
        ],
        right: vec![Span::new(&sanitize_line(&figures::size(path.size)), Role::Dim)],
    }
}

/// All keys: of the pane below first, then what holds everywhere, then the others.
fn help(model: &Model, filter: &str, columns: u16) -> Vec<Line> {
    let here = pane(model.focus);
    let order = [here, Context::Global].into_iter();
    let others = Context::ALL.iter().copied().filter(|context| ![here, Context::Global].contains(context));
    let filter = filter.to_lowercase();
    let mut lines = Vec::new();
    for context in order.chain(others) {
        let bound = bound(model, context);
        let fits = |(action, keys): &(Action, Vec<String>)| {
            let line = format!("{} {} {} {}", title(context), keys.join(" "), action.name(), action.help());
            line.to_lowercase().contains(&filter)
        };
        let rows: Vec<_> = bound.filter(fits).collect();
        if rows.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(line_of(vec![Span::ours(title(context), Role::Speaker)]));
        for (action, keys) in rows {
            let keys = sanitize_line(&format!("{:<KEYS$} ", keys.join(", ")));
            folded(
                vec![Span::new(&keys, Role::Strong)],
                &sanitize_line(action.help()),
                Role::Text,
                columns,
                &mut lines,
            );
        }
    }
    lines
}

/// A context's own keys, without those that hold everywhere.
fn bound(model: &Model, context: Context) -> impl Iterator<Item = (Action, Vec<String>)> {
    Action::ALL.iter().filter_map(move |action| {
        let mut keys = model.keymap.keys(context, *action);
        if context != Context::Global {
            keys.truncate(keys.len() - model.keymap.keys(Context::Global, *action).len());
        }
        (!keys.is_empty()).then_some((*action, keys))
    })
}

/// The context of a pane.
pub fn pane(focus: Focus) -> Context {
    match focus {
        Focus::Sandboxes => Context::Sandboxes,
        Focus::Versions => Context::Versions,
        Focus::Transcript => Context::Transcript,
        Focus::Prompt => Context::Prompt,
    }
}

fn title(context: Context) -> &'static str {
    match context {
        Context::Global => "Everywhere",
        Context::Sandboxes => "Sandboxes",
        Context::Versions => "Versions",
        Context::Transcript => "Transcript",
        Context::Prompt => "Prompt",
        Context::Form => "Forms",
        Context::Question => "Questions",
        Context::Reader => "Help, logs, messages",
        Context::Finder => "Commands, filters, search",
    }
}

/// Messages, the newest first, each with what it advises.
fn messages(model: &Model, columns: u16) -> Vec<Line> {
    model.toasts.history.iter().rev().flat_map(|toast| message(model, toast, columns)).collect()
}

fn message(model: &Model, toast: &Toast, columns: u16) -> Vec<Line> {
    let role = match toast.level {
        Level::Info => Role::Text,
        Level::Warning => Role::Warning,
        Level::Error => Role::Error,
    };
    let at = model.place.zone.to_datetime(toast.at).strftime("%H:%M  ").to_string();
    let mut lines = Vec::new();
    folded(vec![Span::new(&sanitize_line(&at), Role::Dim)], &toast.text, role, columns, &mut lines);
    folded(vec![Span::ours("       ", Role::Dim)], &toast.hint, Role::Dim, columns, &mut lines);
    lines
}

fn line_of(spans: Vec<Span>) -> Line {
    Line { spans, right: Vec::new() }
}
