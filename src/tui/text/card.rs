//! What each kind of item looks like.

use super::{
    Fold, Laid, Line, MadeFor, Role, Span, growing,
    highlight::{Colours, Highlights},
    line::both,
    long::{self, Most},
    parts::{head, mark, seconds, spent},
    tool, wrap,
};
use crate::core::{Item, ItemBody, item::Level, text::sanitize};

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

/// What a sub-agent does stands in by two columns, where there is room.
fn indent(item: &Item, made_for: MadeFor) -> u16 {
    if item.parent.is_some() && made_for.width >= 20 { 2 } else { 0 }
}

fn simple(body: &ItemBody, made_for: MadeFor) -> Vec<Line> {
    let columns = usize::from(made_for.width);
    match body {
        ItemBody::Prompt { text } => {
            let most = if made_for.fold == Fold::Unfolded { long::ALL } else { long::BRIEF };
            prose(text.raw().trim_end(), Role::Prompt, most, made_for)
        }
        ItemBody::Text { .. } => Vec::new(),
        ItemBody::Thinking { text, duration_ms } => {
            let unfolded = made_for.fold == Fold::Unfolded && !text.raw().trim().is_empty();
            let fold = if unfolded { Fold::Unfolded } else { Fold::Folded };
            let left = vec![Span::part(format!("{} thought", mark(fold, made_for.ascii)), Role::Dim)];
            let right = duration_ms.map(|ms| Span::part(seconds(ms), Role::Dim));
            let mut lines = vec![both(left, right.into_iter().collect(), columns, made_for.ascii)];
            if unfolded {
                lines.extend(prose(text.raw().trim(), Role::Dim, long::ALL, made_for));
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
            prose(text.raw().trim_end(), role, long::ALL, made_for)
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

/// Untrusted text, or its ends.
fn prose(text: &str, role: Role, most: Most, made_for: MadeFor) -> Vec<Line> {
    let mut lines = Vec::new();
    let add = |lines: &mut Vec<Line>, text: &str| {
        let clean = sanitize(text);
        let rows = wrap::prose(&[Span::part(clean.as_str().trim_end(), role)], usize::from(made_for.width));
        lines.extend(rows.into_iter().map(|spans| Line { spans, right: Vec::new() }));
    };
    match long::ends(text, most) {
        None => add(&mut lines, text),
        Some(ends) => {
            add(&mut lines, ends.first);
            lines.push(ends.row(made_for));
            add(&mut lines, ends.last);
        }
    }
    lines
}
