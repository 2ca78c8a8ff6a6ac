//! What the dialogs that scroll show, row by row: only the rows on the screen are made.

use super::{
    action::{Action, Context},
    model::{Dialog, Focus, Model, Remote, Toast},
};
use crate::{
    api::command::{Changes, PathSize},
    core::{Clean, figures, item::Level, text::sanitize_line},
    tui::text::{Line, Role, Span},
};

/// Columns of the keys in help: `pagedown, ctrl-f` and a blank more.
const KEYS: usize = 17;

/// How many rows a dialog's text has; what its reader's `top` is bound by.
pub fn len(model: &Model, dialog: &Dialog) -> usize {
    match dialog {
        Dialog::Restore(preview) => match &preview.changes {
            Remote::Ready { data, .. } => data.deleted.len() + data.changed.len() + data.added.len(),
            _ => 0,
        },
        Dialog::Progress { request, .. } => model.tasks.all.get(request).map_or(0, |task| task.log.len()),
        Dialog::Help(reader) => help(model, &reader.filter).len(),
        Dialog::Toasts(_) => messages(model).len(),
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Palette(_) => 0,
    }
}

/// The rows from one on, as many as are seen.
pub fn rows(model: &Model, dialog: &Dialog, from: usize, height: usize) -> Vec<Line> {
    match dialog {
        Dialog::Restore(preview) => match &preview.changes {
            Remote::Ready { data, .. } => changes(data).skip(from).take(height).map(change).collect(),
            _ => Vec::new(),
        },
        Dialog::Progress { request, .. } => {
            let log = model.tasks.all.get(request).into_iter().flat_map(|task| &task.log);
            log.skip(from).take(height).map(|line| line_of(vec![Span::new(line, Role::Output)])).collect()
        }
        Dialog::Help(reader) => help(model, &reader.filter).into_iter().skip(from).take(height).collect(),
        Dialog::Toasts(_) => messages(model).into_iter().skip(from).take(height).collect(),
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Palette(_) => Vec::new(),
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
fn help(model: &Model, filter: &str) -> Vec<Line> {
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
            lines.push(line_of(vec![Span::new(&keys, Role::Strong), Span::ours(action.help(), Role::Text)]));
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
fn messages(model: &Model) -> Vec<Line> {
    model.toasts.history.iter().rev().flat_map(|toast| message(model, toast)).collect()
}

fn message(model: &Model, toast: &Toast) -> Vec<Line> {
    let role = match toast.level {
        Level::Info => Role::Text,
        Level::Warning => Role::Warning,
        Level::Error => Role::Error,
    };
    let at = model.place.zone.to_datetime(toast.at).strftime("%H:%M  ").to_string();
    let mut lines =
        vec![line_of(vec![Span::new(&sanitize_line(&at), Role::Dim), Span::new(&one_line(&toast.text), role)])];
    if !toast.hint.as_str().is_empty() {
        lines.push(line_of(vec![Span::ours("       ", Role::Dim), Span::new(&one_line(&toast.hint), Role::Dim)]));
    }
    lines
}

fn one_line(text: &Clean) -> Clean {
    sanitize_line(text.as_str())
}

fn line_of(spans: Vec<Span>) -> Line {
    Line { spans, right: Vec::new() }
}
