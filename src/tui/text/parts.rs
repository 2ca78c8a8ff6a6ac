//! What items of several kinds have: who speaks, marks, durations and sizes in words.

use super::{Fold, Line, MadeFor, Role, SHELL, Span, line::both};
use crate::core::{Item, ItemBody, MicroDollars};

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

/// `▸` when something is hidden, `▾` when it is shown.
pub(super) fn mark(fold: Fold, ascii: bool) -> &'static str {
    match (fold, ascii) {
        (Fold::Folded, false) => "▸",
        (_, false) => "▾",
        (Fold::Folded, true) => ">",
        (_, true) => "v",
    }
}

/// `…`: there is more.
pub(super) fn dots(ascii: bool) -> &'static str {
    if ascii { "..." } else { "…" }
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
