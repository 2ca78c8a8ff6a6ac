//! Short messages at the screen's edge, and those that are gone from it.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use crate::core::Clean;

/// How long a message stands: long enough to read two lines. Errors stay until a key dismisses them.
pub const SHOWN: Duration = Duration::from_secs(4);

/// Messages that stand at once; an older one goes to the history.
pub const MAX_SHOWN: usize = 3;

/// Messages in the history.
pub const MAX_HISTORY: usize = 200;

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// What was asked for is done.
    Done,
    /// Good to know.
    Note,
    /// Something is not as wanted.
    Warning,
    /// Something failed.
    Error,
}

impl Tone {
    /// The mark before a message, wherever it stands: there are screens without colours, and eyes.
    pub fn mark(self, ascii: bool) -> &'static str {
        match (self, ascii) {
            (Self::Done, false) => "✓",
            (Self::Done, true) => "+",
            (Self::Note, false) => "·",
            (Self::Note, true) => "-",
            (Self::Warning, _) => "!",
            (Self::Error, false) => "✗",
            (Self::Error, true) => "x",
        }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// How it is meant.
    pub tone: Tone,
    /// What happened.
    pub text: Clean,
    /// What to do next; may be empty.
    pub hint: Clean,
    /// Since when.
    pub at: Timestamp,
}

/// All messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toasts {
    /// On the screen, oldest first.
    pub shown: Vec<Toast>,
    /// All, newest last.
    pub history: VecDeque<Toast>,
}
