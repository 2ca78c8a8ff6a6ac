//! What each kind of item looks like.

use super::{
    Fold, Laid, Line, MadeFor, Role, SHELL, Span,
    growing::{self, Colours},
    highlight::Highlights,
    line::both,
    tool, wrap,
};
use crate::core::{Item, ItemBody, MicroDollars, item::Level};

/// Lays an item out.
pub(super) fn lay(item: &Item, made_for: MadeFor, highlights: &Highlights) -> Laid {
    let mut colours = Colours { highlights, wanted: Vec::new() };
    let mut lines = Vec::new();
    head(Some(item), made_for, &mut lines);
    let inner = MadeFor { width: made_for.width - indent(item, made_for), speaker: false, gap: false, ..made_for };
    let from = lines.len();
    match &item.body {
        ItemBody::Text { text, aborted } => {
            let mut body = Vec::new();
            growing::whole(text.raw(), inner, &mut body, &mut colours);
            lines.append(&mut body);
            if *aborted {
                lines.push(Line::of(cut("interrupted", inner), Role::Warning));
            }
        }
        body => lines.extend(simple(body, inner)),
    }
    if lines.len() == from {
        lines.push(Line::default());
    }
    if inner.width < made_for.width {
        let bar = if made_for.ascii { "| " } else { "│ " };
        lines[from..].iter_mut().for_each(|line| line.spans.insert(0, Span::part(bar, Role::Dim)));
    }
    Laid { lines, made_for, wanted: colours.wanted }
}

/// What stands above an item: an empty row, and who speaks.
pub(super) fn head(item: Option<&Item>, made_for: MadeFor, lines: &mut Vec<Line>) {
    if made_for.gap {
        lines.push(Line::default());
    }
    if !made_for.speaker {
        return;
    }
    let name = match item.map(|item| &item.body) {
        Some(ItemBody::Prompt { .. }) => "you",
        Some(ItemBody::Tool(tool)) if tool.name.raw() == SHELL => "you",
        _ => "claude",
    };
    let time = made_for.clock.map(|clock| Span::part(format!("{:02}:{:02}", clock.hour, clock.minute), Role::Dim));
    let name = vec![Span::part(name, Role::Speaker)];
    lines.push(both(name, time.into_iter().collect(), usize::from(made_for.width), made_for.ascii));
}

/// What a sub-agent does stands in by two columns, where there is room.
fn indent(item: &Item, made_for: MadeFor) -> u16 {
    if item.parent.is_some() && made_for.width >= 20 { 2 } else { 0 }
}

fn simple(body: &ItemBody, made_for: MadeFor) -> Vec<Line> {
    let columns = usize::from(made_for.width);
    match body {
        ItemBody::Prompt { text } => prose(text.clean().as_str().trim_end(), Role::Prompt, columns),
        ItemBody::Text { .. } => Vec::new(),
        ItemBody::Thinking { text, duration_ms } => {
            let unfolded = made_for.fold == Fold::Unfolded && !text.raw().trim().is_empty();
            let fold = if unfolded { Fold::Unfolded } else { Fold::Folded };
            let left = vec![Span::part(format!("{} thought", mark(fold, made_for.ascii)), Role::Dim)];
            let right = duration_ms.map(|ms| Span::part(seconds(ms), Role::Dim));
            let mut lines = vec![both(left, right.into_iter().collect(), columns, made_for.ascii)];
            if unfolded {
                lines.extend(prose(text.clean().as_str().trim(), Role::Dim, columns));
            }
            lines
        }
        ItemBody::Tool(tool) => tool::lay(tool, made_for),
        ItemBody::Notice { level, text } => {
            let role = match level {
                Level::Info => Role::Dim,
                Level::Warning => Role::Warning,
                Level::Error => Role::Error,
            };
            prose(text.clean().as_str().trim_end(), role, columns)
        }
        ItemBody::Result { usage, duration_ms, is_error, denied, .. } => {
            let mut left = Vec::new();
            if *is_error {
                left.push(Span::part("failed", Role::Error));
            }
            if !denied.is_empty() {
                let names: Vec<String> = denied.iter().map(|name| name.clean_line().to_string()).collect();
                let gap = if left.is_empty() { "" } else { "  " };
                left.push(Span::part(format!("{gap}refused: {}", names.join(", ")), Role::Warning));
            }
            let right = vec![Span::part(spent(*duration_ms, usage.cost, made_for.ascii), Role::Dim)];
            vec![both(left, right, columns, made_for.ascii)]
        }
    }
}

fn cut(text: &str, made_for: MadeFor) -> String {
    super::line::cut(text, usize::from(made_for.width), made_for.ascii)
}

fn prose(text: &str, role: Role, columns: usize) -> Vec<Line> {
    let rows = wrap::prose(&[Span::part(text, role)], columns);
    rows.into_iter().map(|spans| Line { spans, right: Vec::new() }).collect()
}

/// `▸` when something is hidden, `▾` when it is shown.
pub(super) fn mark(fold: Fold, ascii: bool) -> &'static str {
    match (fold, ascii) {
        (Fold::Folded, false) => "▸",
        (_, false) => "▾",
        (Fold::Folded, true) => ">",
        (_, true) => "v",
    }
}

/// `14.1 s`, `3 m 05 s`, `2 h 10 m`.
pub(super) fn seconds(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s}.{} s", ms % 1000 / 100),
        60..3600 => format!("{} m {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} m", s / 3600, s % 3600 / 60),
    }
}

/// `812 bytes`, `1.2 kB`, `3.4 MB`.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// What a turn took.
pub(super) fn spent(duration_ms: u64, cost: MicroDollars, ascii: bool) -> String {
    format!("{} {} {cost}", seconds(duration_ms), if ascii { "-" } else { "·" })
}
