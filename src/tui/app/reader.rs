//! What the dialogs that scroll show, row by row: only the rows on the screen are made.

use super::{
    action::{Action, Context},
    draft,
    model::{Dialog, Focus, Model, Remote, Task, Toast, dialog::RestorePreview, toast::Tone},
    names::{fitting, listed},
};
use crate::{
    api::command::{Changes, PathSize},
    core::{
        Clean, figures,
        text::{reveal_line, sanitize, sanitize_line},
    },
    tui::text::{Line, Role, Span, elide},
};

/// Columns of the keys in help: `pagedown, ctrl-f` and a comma; more keys have more rows.
const KEYS: usize = 17;

/// How many rows a dialog's text has in so many columns; what its reader's `top` is bound by.
pub fn len(model: &Model, dialog: &Dialog, columns: u16) -> usize {
    let wanted = Wanted::of(dialog);
    match dialog {
        Dialog::Restore(preview) => match &preview.changes {
            Remote::Ready { data, .. } if wanted.all() => data.deleted.len() + data.changed.len() + data.added.len(),
            Remote::Ready { data, .. } => changes(data, &wanted).count(),
            _ => 0,
        },
        Dialog::Progress { request, .. } => model.tasks.all.get(request).map_or(0, |task| {
            log(task, &wanted).map(|line| height(line, columns)).sum::<usize>() + why(task, columns).len()
        }),
        Dialog::Help(_) => help(model, &wanted, columns).len(),
        Dialog::Toasts(_) => messages(model, &wanted, columns).len(),
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Palette(_) => 0,
    }
}

/// Screens with fewer rows have none to spare in a dialog.
pub const ROOMY: u16 = 14;

/// Why a restore that was chosen is asked for once more, in rows of so many columns.
pub fn again(model: &Model, preview: &RestorePreview, columns: u16) -> Vec<Line> {
    if !preview.again {
        return Vec::new();
    }
    let text = match model.size.rows {
        ..ROOMY => "The workspace changed since.",
        _ => "The workspace changed since you looked: this is what would change now.",
    };
    let mut lines = Vec::new();
    folded(Vec::new(), &sanitize(text), Role::Warning, columns, &mut lines);
    lines
}

/// Which other sandboxes a restore changes too, in rows of so many columns: their names have two rows at most, and one
/// where a second would leave none for what changes.
pub fn shared(model: &Model, preview: &RestorePreview, columns: u16) -> Vec<Line> {
    let names = match &preview.changes {
        Remote::Ready { data, .. } if !data.is_empty() => data.shared_with.as_slice(),
        _ => &[],
    };
    if names.is_empty() {
        return Vec::new();
    }
    let most = if model.size.rows < ROOMY { 1 } else { 2 };
    let text = fitting(names.len(), columns, most, |shown| {
        let names = listed(names.iter().map(String::as_str), shown, model.place.ascii);
        let why = if most > 1 { ": the workspace is the same" } else { "" };
        format!("It changes in {names} too{why}.")
    });
    let mut lines = Vec::new();
    folded(Vec::new(), &sanitize(&text), Role::Warning, columns, &mut lines);
    lines.truncate(most);
    lines
}

/// The rows from one on, as many as are seen.
pub fn rows(model: &Model, dialog: &Dialog, columns: u16, from: usize, height: usize) -> Vec<Line> {
    let wanted = Wanted::of(dialog);
    match dialog {
        Dialog::Restore(preview) => match &preview.changes {
            Remote::Ready { data, .. } => {
                let seen = changes(data, &wanted).skip(from).take(height);
                seen.map(|one| change(one, columns, model.place.ascii)).collect()
            }
            _ => Vec::new(),
        },
        Dialog::Progress { request, .. } => {
            let Some(task) = model.tasks.all.get(request) else { return Vec::new() };
            log_rows(task, &wanted, columns, from, height)
        }
        Dialog::Help(_) => help(model, &wanted, columns).into_iter().skip(from).take(height).collect(),
        Dialog::Toasts(_) => messages(model, &wanted, columns).into_iter().skip(from).take(height).collect(),
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Palette(_) => Vec::new(),
    }
}

/// What a filter lets through.
struct Wanted(String);

impl Wanted {
    fn of(dialog: &Dialog) -> Self {
        Self(dialog.reader().map(|reader| reader.filter.to_lowercase()).unwrap_or_default())
    }

    fn all(&self) -> bool {
        self.0.is_empty()
    }

    fn fits(&self, text: &str) -> bool {
        self.all() || text.to_lowercase().contains(&self.0)
    }
}

fn log<'a>(task: &'a Task, wanted: &'a Wanted) -> impl Iterator<Item = &'a Clean> {
    task.log.iter().filter(|line| wanted.fits(line.as_str()))
}

/// Rows of one line of a log.
fn height(line: &Clean, columns: u16) -> usize {
    // Most lines fit, and no character has more columns than bytes: only the others are laid out to be counted.
    if line.as_str().len() <= usize::from(columns) { 1 } else { draft::wrap(line.as_str(), columns).len() }
}

/// The rows of a log and of why it failed. Lines above the first row are counted and not made.
fn log_rows(task: &Task, wanted: &Wanted, columns: u16, from: usize, rows: usize) -> Vec<Line> {
    let (mut above, mut lines) = (0, Vec::new());
    for line in log(task, wanted) {
        let high = height(line, columns);
        if lines.is_empty() && above + high <= from {
            above += high;
            continue;
        }
        if line.as_str().is_empty() {
            lines.push(Line::default());
        }
        folded(Vec::new(), line, Role::Output, columns, &mut lines);
        if above + lines.len() >= from + rows {
            break;
        }
    }
    lines.extend(why(task, columns));
    lines.into_iter().skip(from - above).take(rows).collect()
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
fn changes<'a>(all: &'a Changes, wanted: &'a Wanted) -> impl Iterator<Item = (char, &'a PathSize)> {
    let deleted = all.deleted.iter().map(|path| ('-', path));
    let changed = all.changed.iter().map(|path| ('~', path));
    let all = deleted.chain(changed).chain(all.added.iter().map(|path| ('+', path)));
    all.filter(|(_, path)| wanted.fits(&path.path))
}

fn change((mark, path): (char, &PathSize), columns: u16, ascii: bool) -> Line {
    let role = match mark {
        '-' => Role::Removed,
        '+' => Role::Added,
        _ => Role::Warning,
    };
    let size = sanitize_line(&figures::size(path.size));
    // The mark and a blank before it, a blank and the size behind it.
    let room = columns.saturating_sub(3 + draft::columns(size.as_str()));
    let name = reveal_line(&path.path);
    let sign = if ascii { "~" } else { "…" };
    let name = match elide(name.as_str(), room.into(), 1, |_| false) {
        Some(hidden) => {
            let (head, tail) = (&name.as_str()[..hidden.start], &name.as_str()[hidden.end..]);
            sanitize_line(&format!("{head}{sign}{tail}"))
        }
        None => name,
    };
    Line {
        spans: vec![Span::new(&sanitize_line(&format!("{mark} ")), role), Span::new(&name, Role::Text)],
        right: vec![Span::new(&size, Role::Dim)],
    }
}

/// All keys: of the pane below first, then what holds everywhere, then the others.
fn help(model: &Model, wanted: &Wanted, columns: u16) -> Vec<Line> {
    let here = pane(model.focus);
    let order = [here, Context::Global].into_iter();
    let others = Context::ALL.iter().copied().filter(|context| ![here, Context::Global].contains(context));
    let mut lines = Vec::new();
    for context in order.chain(others) {
        let bound = bound(model, context);
        let fits = |(action, keys): &(Action, Vec<String>)| {
            let line = format!("{} {} {} {}", title(context), keys.join(" "), action.name(), action.help());
            wanted.fits(&line)
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
            bind(&keys, action, columns, &mut lines);
        }
    }
    lines
}

/// Keys in their column and what they do in its own; the longer of the two says how many rows there are.
fn bind(keys: &[String], action: Action, columns: u16, lines: &mut Vec<Line>) {
    let mut column: Vec<String> = Vec::new();
    for (n, key) in keys.iter().enumerate() {
        let key = if n + 1 < keys.len() { format!("{key},") } else { key.clone() };
        match column.last_mut() {
            Some(row) if row.len() + 1 + key.len() <= KEYS => *row = format!("{row} {key}"),
            _ => column.push(key),
        }
    }
    let help = action.help();
    let rows = draft::wrap(help, columns.saturating_sub(u16::try_from(KEYS + 1).unwrap_or(0)));
    for row in 0..column.len().max(rows.len()) {
        let keys = column.get(row).map_or("", String::as_str);
        let text = rows.get(row).map_or("", |row| help[row.clone()].trim_end());
        lines.push(line_of(vec![
            Span::new(&sanitize_line(&format!("{keys:<KEYS$} ")), Role::Strong),
            Span::new(&sanitize_line(text), Role::Text),
        ]));
    }
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
fn messages(model: &Model, wanted: &Wanted, columns: u16) -> Vec<Line> {
    let fits = |toast: &&Toast| wanted.fits(toast.text.as_str()) || wanted.fits(toast.hint.as_str());
    model.toasts.history.iter().rev().filter(fits).flat_map(|toast| message(model, toast, columns)).collect()
}

fn message(model: &Model, toast: &Toast, columns: u16) -> Vec<Line> {
    let (mark, role) = match toast.tone {
        Tone::Done => (Role::Success, Role::Text),
        Tone::Note => (Role::Dim, Role::Text),
        Tone::Warning => (Role::Warning, Role::Warning),
        Tone::Error => (Role::Error, Role::Error),
    };
    let at = format!("{} ", model.place.zone.to_datetime(toast.at).strftime("%H:%M"));
    let sign = format!("{} ", toast.tone.mark(model.place.ascii));
    let before = vec![Span::new(&sanitize_line(&at), Role::Dim), Span::new(&sanitize_line(&sign), mark)];
    let mut lines = Vec::new();
    folded(before, &toast.text, role, columns, &mut lines);
    folded(vec![Span::ours("        ", Role::Dim)], &toast.hint, Role::Dim, columns, &mut lines);
    lines
}

fn line_of(spans: Vec<Span>) -> Line {
    Line { spans, right: Vec::new() }
}
