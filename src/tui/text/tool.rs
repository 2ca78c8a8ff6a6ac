//! Cards of tools: what was called with what, what came of it.

use super::{
    Fold, Line, MadeFor, Role, SHELL, Span, binary,
    line::{both, cut, width},
    parts, wrap,
};
use crate::core::{
    Untrusted, figures,
    item::{DiffLine, Tool, ToolState},
    text::{reveal_line, sanitize_line},
};

/// Bytes of a line that are shown: some screens of it.
const MAX_LINE: usize = 4 << 10;

/// Lines of an unfolded text, half of them from its beginning and half from its end.
const MAX_LINES: usize = 200;

/// Lines of a diff that are shown without being asked for: half a screen.
const BRIEF_DIFF: usize = 12;

/// Lines that say why a call failed, without being asked for; the last ones say it.
const BRIEF_OUTPUT: usize = 6;

/// Milliseconds below which how long it took says nothing: most calls only read a file.
const NOTABLE: u64 = 100;

/// Milliseconds from which on a person has waited for a command of their own.
const SLOW: u64 = 1000;

/// After so many lines of a command's output its head is out of sight, and how it went is said below it too.
const FAR: usize = 10;

/// Rows of output that is no text: the head of what a file's kind is told by.
const HEX_ROWS: usize = 16;

/// Lays a card out.
pub(super) fn lay(tool: &Tool, made_for: MadeFor) -> Vec<Line> {
    if tool.name.raw() == SHELL {
        return shell(tool, made_for);
    }
    let body = match made_for.fold {
        Fold::Folded => Vec::new(),
        Fold::Brief if !tool.diff.is_empty() => diff(&tool.diff, BRIEF_DIFF, made_for),
        Fold::Brief if tool.state == ToolState::Failed => output(tool, 0, BRIEF_OUTPUT, made_for),
        Fold::Brief => Vec::new(),
        Fold::Unfolded => {
            let mut body = input(tool, made_for);
            if tool.diff.is_empty() {
                body.extend(output(tool, MAX_LINES / 2, MAX_LINES / 2, made_for));
            } else {
                body.extend(diff(&tool.diff, MAX_LINES, made_for));
            }
            body
        }
    };
    let fold = if body.is_empty() { Fold::Folded } else { Fold::Unfolded };
    let mut lines = vec![title(tool, fold, made_for)];
    lines.extend(body);
    lines
}

/// Names are padded to this, so that subjects of the usual tools stand below each other.
const NAME: usize = 6;

fn title(tool: &Tool, fold: Fold, made_for: MadeFor) -> Line {
    let name = sanitize_line(cut_bytes(tool.name.raw()).0);
    let subject = tool.subject();
    let subject = sanitize_line(cut_bytes(subject.raw()).0);
    let columns = usize::from(made_for.width);
    // The name is no longer than a third: the subject says more.
    let name = cut(name.as_str(), (columns / 3).max(NAME), made_for.ascii);
    let pad = " ".repeat(NAME.saturating_sub(width(&name)) + 1);
    let left = vec![
        Span::part(format!("{} ", parts::mark(fold, made_for.ascii)), Role::Dim),
        Span::part(name, Role::Tool),
        Span::part(format!("{pad}{}", subject.as_str().trim()), Role::Text),
    ];
    both(left, state(tool, made_for), columns, made_for.ascii)
}

/// What came of it, and how long it took.
fn state(tool: &Tool, made_for: MadeFor) -> Vec<Span> {
    let mut parts = Vec::new();
    let count = |mark| tool.diff.iter().filter(|line| line.mark == mark).count();
    match tool.state {
        ToolState::Running => {
            let ran = made_for.seconds.max(tool.elapsed_ms.unwrap_or(0) / 1000);
            let text = if ran < 60 { format!("{ran} s") } else { parts::seconds(ran.saturating_mul(1000)) };
            parts.push(Span::part(text, Role::Dim));
            return parts;
        }
        ToolState::Done if !tool.diff.is_empty() => {
            parts.push(Span::part(format!("+{}", count('+')), Role::Added));
            let minus = if made_for.ascii { "-" } else { "−" };
            parts.push(Span::part(format!("{minus}{}", count('-')), Role::Removed));
        }
        // Of what only reads it is no news that it went well.
        ToolState::Done if tool.input.get("command").is_some() => parts.push(Span::part("ok", Role::Success)),
        ToolState::Done => {}
        ToolState::Failed => {
            let how = tool.exit_code.map_or_else(|| "failed".to_owned(), |code| format!("exit {code}"));
            parts.push(Span::part(how, Role::Error));
        }
        ToolState::Interrupted => parts.push(Span::part("interrupted", Role::Warning)),
        ToolState::Refused => parts.push(Span::part("refused", Role::Warning)),
    }
    parts.extend(spent(tool, NOTABLE));
    let mut spaced = Vec::new();
    for part in parts {
        if !spaced.is_empty() {
            spaced.push(Span::part(" ", Role::Dim));
        }
        spaced.push(part);
    }
    spaced
}

/// How long it took, from so many milliseconds on.
fn spent(tool: &Tool, from: u64) -> Vec<Span> {
    let took = tool.elapsed_ms.filter(|ms| *ms >= from);
    took.map(|ms| Span::part(parts::seconds(ms), Role::Dim)).into_iter().collect()
}

/// A command of the user's own, as on a terminal.
fn shell(tool: &Tool, made_for: MadeFor) -> Vec<Line> {
    let columns = usize::from(made_for.width);
    let command = tool.subject();
    let command = command.clean();
    let rows = wrap::verbatim(&[Span::part(format!("! {}", command.as_str().trim_end()), Role::Prompt)], columns);
    let mut lines: Vec<Line> = rows.into_iter().map(row).collect();
    let first = lines.remove(0);
    let well = tool.state == ToolState::Done;
    // That a quick one went well is seen by what it printed.
    let told = if well { spent(tool, SLOW) } else { state(tool, made_for) };
    let beside = both(first.spans.clone(), told.clone(), columns, made_for.ascii);
    // A command that leaves no room beside it is worth more; what came of it stands below.
    let fits = beside.text() == first.text() && (told.is_empty() || !beside.right.is_empty());
    lines.insert(0, if fits { beside } else { first });
    if made_for.fold != Fold::Folded {
        lines.extend(text(&tool.output, MAX_LINES / 2, MAX_LINES / 2, 0, Role::Text, made_for));
    } else if !tool.output.raw().trim_end().is_empty() {
        let hidden = tool.output.raw().trim_end().split('\n').count();
        let hidden = figures::count(u64::try_from(hidden).unwrap_or(u64::MAX), "line", "lines");
        push(&mut lines, &format!("{} {hidden}", parts::dots(made_for.ascii)), 0, Role::Dim, made_for);
    }
    let far = lines.len() > FAR && tool.state != ToolState::Running && !well;
    if !fits || far {
        lines.push(both(told, Vec::new(), columns, made_for.ascii));
    }
    lines
}

fn row(spans: Vec<Span>) -> Line {
    Line { spans, right: Vec::new() }
}

/// The inside of a card stands in by this.
const INDENT: usize = 4;

/// What it was called with, beside what the title shows.
fn input(tool: &Tool, made_for: MadeFor) -> Vec<Line> {
    let Some(input) = tool.input.as_object() else { return Vec::new() };
    let subject = tool.subject();
    let fits = width(subject.clean_line().as_str()) + 20 < usize::from(made_for.width);
    let mut lines = Vec::new();
    for (name, value) in input {
        let as_text = value.as_str().map_or_else(|| Untrusted::new(value.to_string()), Untrusted::new);
        if as_text == subject && fits && !as_text.raw().contains('\n') {
            continue;
        }
        // A diff says it better.
        if !tool.diff.is_empty() && ["old_string", "new_string", "content"].contains(&name.as_str()) {
            continue;
        }
        let labelled =
            if name == "command" { format!("$ {}", as_text.raw()) } else { format!("{name}: {}", as_text.raw()) };
        lines.extend(text(&labelled.into(), MAX_LINES / 4, MAX_LINES / 4, INDENT, Role::Code, made_for));
    }
    lines
}

fn output(tool: &Tool, first: usize, last: usize, made_for: MadeFor) -> Vec<Line> {
    let role = if tool.state == ToolState::Failed { Role::Error } else { Role::Dim };
    text(&tool.output, first, last, INDENT, role, made_for)
}

/// The first and last lines of a text.
fn text(text: &Untrusted, first: usize, last: usize, indent: usize, role: Role, made_for: MadeFor) -> Vec<Line> {
    let raw = text.raw().trim_end();
    let mut out = Vec::new();
    if raw.is_empty() {
        return out;
    }
    if binary::is_binary(raw) {
        push(&mut out, &binary::told(raw, made_for.ascii), indent, Role::Dim, made_for);
        let rows = HEX_ROWS.min(first + last);
        for row in binary::hex(raw, rows, usize::from(made_for.width).saturating_sub(indent), made_for.ascii) {
            push(&mut out, &row, indent, role, made_for);
        }
        return out;
    }
    let all: Vec<&str> = raw.split('\n').collect();
    // A line that says that one line is hidden says less than that line.
    let hidden = if all.len() > first + last + 1 { all.len() - first - last } else { 0 };
    for (i, line) in all.iter().enumerate() {
        if hidden > 0 && i == first {
            push(
                &mut out,
                &format!("{} {hidden} lines more", parts::dots(made_for.ascii)),
                indent,
                Role::Dim,
                made_for,
            );
        }
        if hidden > 0 && (first..first + hidden).contains(&i) {
            continue;
        }
        let (line, more) = cut_bytes(line);
        push(&mut out, reveal_line(line).as_str(), indent, role, made_for);
        if more > 0 {
            push(&mut out, &format!("{} {more} bytes more", parts::dots(made_for.ascii)), indent, Role::Dim, made_for);
        }
    }
    out
}

fn push(out: &mut Vec<Line>, line: &str, indent: usize, role: Role, made_for: MadeFor) {
    let columns = usize::from(made_for.width);
    let indent = if columns > 3 * indent { indent } else { 0 };
    for mut spans in wrap::verbatim(&[Span::part(line, role)], columns - indent) {
        if indent > 0 && !spans.is_empty() {
            spans.insert(0, Span::part(" ".repeat(indent), Role::Text));
        }
        out.push(row(spans));
    }
}

fn diff(diff: &[DiffLine], most: usize, made_for: MadeFor) -> Vec<Line> {
    let columns = usize::from(made_for.width);
    let digits = diff.iter().map(|line| line.line.to_string().len()).max().unwrap_or(1);
    let indent = if columns > 3 * (INDENT + digits) { INDENT } else { 0 };
    let gutter = if columns > 2 * (indent + digits + 3) { indent + digits + 3 } else { 0 };
    // As above: no line that hides one line.
    let shown = if diff.len() > most + 1 { most } else { diff.len() };
    let mut out = Vec::new();
    for line in &diff[..shown] {
        let role = match line.mark {
            '+' => Role::Added,
            '-' => Role::Removed,
            _ => Role::Dim,
        };
        let mark = if matches!(line.mark, '+' | '-') { line.mark } else { ' ' };
        let (text, more) = cut_bytes(line.text.raw());
        let text = reveal_line(text);
        let left = columns.saturating_sub(gutter.max(2));
        for (i, spans) in wrap::verbatim(&[Span::part(text.as_str(), role)], left.max(1)).into_iter().enumerate() {
            let number = if i == 0 { line.line.to_string() } else { String::new() };
            let mark = if i == 0 { mark } else { ' ' };
            let mut all = Vec::new();
            if gutter > 0 {
                let number = format!("{}{number:>digits$} ", " ".repeat(indent));
                all.push(Span::part(number, Role::Dim));
            }
            if columns > 2 {
                all.push(Span::part(format!("{mark} "), role));
            }
            all.extend(spans);
            out.push(row(all));
        }
        if more > 0 {
            push(&mut out, &format!("{} {more} bytes more", parts::dots(made_for.ascii)), INDENT, Role::Dim, made_for);
        }
    }
    if shown < diff.len() {
        let text = format!("{} {} lines more", parts::dots(made_for.ascii), diff.len() - shown);
        push(&mut out, &text, INDENT, Role::Dim, made_for);
    }
    out
}

/// As much of a line as is shown, and how many bytes aren't.
fn cut_bytes(line: &str) -> (&str, usize) {
    if line.len() <= MAX_LINE {
        return (line, 0);
    }
    let mut end = MAX_LINE;
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    (&line[..end], line.len() - end)
}
