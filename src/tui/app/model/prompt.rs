//! Drafts, and the prompts before them.

use tui_textarea::{CursorMove, TextArea};

/// A paste with more bytes than this, or more lines than [`LONG_LINES`], stands in the draft as a mark: about what a
/// person still reads through before they send it.
pub const LONG_BYTES: usize = 1_000;

/// See [`LONG_BYTES`].
pub const LONG_LINES: usize = 10;

/// What is edited as it is when it comes from the history or an editor: a draft is wrapped for each frame.
const MAX_SHOWN: usize = 16 << 10;

/// Prompts in memory. The file has its own bound.
const MAX_HISTORY: usize = 1_000;

/// A draft. Long pastes stand in it as a short mark, so that neither wrapping nor drawing ever sees a megabyte.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// What is seen and edited.
    pub area: TextArea<'static>,
    /// Long pastes in the order of their marks' numbers; the marks are replaced when the prompt is sent.
    pub pastes: Vec<String>,
    /// Their marks.
    marks: Vec<String>,
    /// Which older prompt is shown, by its place in the history; none when it is the draft itself.
    pub recalled: Option<usize>,
    /// The draft as it was before older prompts were looked at.
    pub own: Option<String>,
}

impl Prompt {
    /// Nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    /// What is seen, with marks.
    pub fn seen(&self) -> String {
        self.area.lines().join("\n")
    }

    /// What is sent: every mark is the paste it stands for.
    pub fn expanded(&self) -> String {
        let seen = self.seen();
        let (mut out, mut rest) = (String::with_capacity(seen.len()), seen.as_str());
        while let Some(at) = rest.find(MARK) {
            let (before, found) = rest.split_at(at);
            out.push_str(before);
            match self.mark_at(found) {
                Some((mark, paste)) => {
                    out.push_str(paste);
                    rest = &found[mark.len()..];
                }
                None => {
                    out.push_str(MARK);
                    rest = &found[MARK.len()..];
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// How long what is sent would be.
    pub fn bytes(&self) -> usize {
        let seen: usize = self.area.lines().iter().map(|line| line.len() + 1).sum();
        seen + self.pastes.iter().map(String::len).sum::<usize>()
    }

    /// Puts a paste at the cursor: as it is, or as a mark.
    pub fn paste(&mut self, text: &str) {
        self.recalled = None;
        if text.len() > LONG_BYTES || text.lines().count() > LONG_LINES {
            self.keep(text);
        } else {
            self.area.insert_str(text);
        }
    }

    /// Shows another text, with the cursor at its end.
    pub fn show(&mut self, text: &str) {
        self.pastes.clear();
        self.marks.clear();
        self.area = TextArea::default();
        if text.len() > MAX_SHOWN {
            self.keep(text);
        } else {
            self.area = TextArea::new(text.split('\n').map(str::to_owned).collect());
            self.area.move_cursor(CursorMove::Bottom);
            self.area.move_cursor(CursorMove::End);
        }
    }

    /// Puts a mark at the cursor for a text that is kept beside the draft.
    fn keep(&mut self, text: &str) {
        let mark = mark(self.pastes.len() + 1, text);
        self.area.insert_str(&mark);
        self.marks.push(mark);
        self.pastes.push(text.to_owned());
    }

    /// The mark that a text begins with, and its paste.
    fn mark_at(&self, text: &str) -> Option<(&str, &str)> {
        let found = self.marks.iter().position(|mark| text.starts_with(mark.as_str()))?;
        Some((self.marks.get(found)?, self.pastes.get(found)?))
    }

    /// Takes the draft back from an editor, which had the pastes themselves: those that are still there are marks
    /// again.
    pub fn take_edited(&mut self, text: &str) {
        let (pastes, marks) = (std::mem::take(&mut self.pastes), std::mem::take(&mut self.marks));
        let mut seen = text.to_owned();
        for (paste, mark) in pastes.iter().zip(&marks) {
            seen = seen.replacen(paste.as_str(), mark, 1);
        }
        if seen.len() > MAX_SHOWN {
            self.show(text);
        } else {
            self.show(&seen);
            (self.pastes, self.marks) = (pastes, marks);
        }
        (self.recalled, self.own) = (None, None);
    }

    /// Takes the draft away.
    pub fn take(&mut self) -> String {
        std::mem::take(self).expanded()
    }

    /// The mark that ends or begins at the cursor, or that the cursor is in: its columns.
    pub fn mark_around(&self) -> Option<(usize, usize)> {
        let cursor = self.area.cursor();
        let line = self.area.lines().get(cursor.0)?;
        line.match_indices(MARK).find_map(|(at, _)| {
            let (mark, _) = self.mark_at(&line[at..])?;
            let from = line[..at].chars().count();
            let to = from + mark.chars().count();
            (from <= cursor.1 && cursor.1 <= to).then_some((from, to))
        })
    }

    /// Shows the prompt before the one that is shown. Whether there is one.
    pub fn older(&mut self, history: &History) -> bool {
        let place = self.recalled.unwrap_or(history.prompts.len());
        let Some((older, prompt)) = place.checked_sub(1).and_then(|older| Some((older, history.prompts.get(older)?)))
        else {
            return false;
        };
        if self.recalled.is_none() {
            self.own = Some(self.expanded());
        }
        self.show(prompt);
        self.recalled = Some(older);
        true
    }

    /// Shows the prompt after the one that is shown; behind the last one stands the draft itself.
    pub fn newer(&mut self, history: &History) -> bool {
        let Some(place) = self.recalled else { return false };
        match history.prompts.get(place + 1) {
            Some(prompt) => {
                self.show(prompt);
                self.recalled = Some(place + 1);
            }
            None => {
                let own = self.own.take().unwrap_or_default();
                self.show(&own);
                self.recalled = None;
            }
        }
        true
    }
}

/// What every mark begins with.
const MARK: &str = "[pasted ";

/// What stands for a paste.
fn mark(number: usize, text: &str) -> String {
    let lines = text.lines().count();
    let size = crate::core::figures::size(text.len() as u64);
    let lines = if lines == 1 { "1 line".to_owned() } else { format!("{} lines", thousands(lines)) };
    format!("{MARK}{size}, {lines} #{number}]")
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Prompts of earlier days and of today, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The prompts.
    pub prompts: Vec<String>,
}

impl History {
    /// Adds a prompt, but not the same twice in a row. Whether it was added.
    pub fn add(&mut self, prompt: &str) -> bool {
        if prompt.trim().is_empty() || self.prompts.last().is_some_and(|last| last == prompt) {
            return false;
        }
        self.prompts.push(prompt.to_owned());
        let over = self.prompts.len().saturating_sub(MAX_HISTORY);
        self.prompts.drain(..over);
        true
    }
}
