//! Drafts, and the prompts before them.

use tui_textarea::TextArea;

/// A draft. Long pastes stand in it as a short mark, so that neither wrapping nor drawing ever sees a megabyte.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// What is seen and edited.
    pub area: TextArea<'static>,
    /// Long pastes in the order of their marks' numbers; the marks are replaced when the prompt is sent.
    pub pastes: Vec<String>,
    /// Which older prompt is shown, by its place in the history; none when it is the draft itself.
    pub recalled: Option<usize>,
    /// The draft as it was before older prompts were looked at.
    pub own: Option<String>,
}

/// Prompts of earlier days and of today, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The prompts.
    pub prompts: Vec<String>,
}
