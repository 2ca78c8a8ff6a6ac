//! The first and last part of what is too long to be shown whole.

use super::{Line, MadeFor, Role, line, parts};

/// How much of a text is shown, half of it from the beginning and half from the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    lines: usize,
    bytes: usize,
}

/// Of a prompt, without being asked for: about a screen. Whoever pasted more knows what it is.
pub(super) const BRIEF: Most = Most { lines: 40, bytes: 6 << 10 };

/// Of any text: more than a model writes in one answer (64 k tokens are some 250 kB), and little enough to be laid out
/// for one frame.
pub(super) const ALL: Most = Most { lines: 6000, bytes: 256 << 10 };

/// A text that is cut in three.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ends<'a> {
    pub(super) first: &'a str,
    /// What isn't shown.
    pub(super) middle: &'a str,
    pub(super) last: &'a str,
}

/// Cuts a text that is too long.
pub(super) fn ends(text: &str, most: Most) -> Option<Ends<'_>> {
    // A line that says that one line is hidden says less than that line.
    if text.len() <= most.bytes && text.bytes().filter(|byte| *byte == b'\n').count() <= most.lines {
        return None;
    }
    let (lines, bytes) = (most.lines / 2, most.bytes / 2);
    let mut first = text.match_indices('\n').nth(lines - 1).map_or(text.len(), |(at, _)| at).min(bytes);
    let mut last = text.rmatch_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1).max(text.len() - bytes);
    while !text.is_char_boundary(first) {
        first -= 1;
    }
    while !text.is_char_boundary(last) {
        last += 1;
    }
    Some(Ends { first: &text[..first], middle: &text[first..last], last: &text[last..] })
}

impl Ends<'_> {
    /// Stands for what isn't shown: how many lines, or bytes of a long one.
    pub(super) fn row(&self, made_for: MadeFor) -> Line {
        let dots = parts::dots(made_for.ascii);
        let text = match self.middle.bytes().filter(|byte| *byte == b'\n').count() {
            0..=2 => format!("{dots} {} more", parts::size(self.middle.len())),
            ends => format!("{dots} {} lines more", ends - 1),
        };
        Line::of(line::cut(&text, usize::from(made_for.width), made_for.ascii), Role::Dim)
    }
}
