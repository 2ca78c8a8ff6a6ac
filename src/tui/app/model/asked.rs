//! Orders that will be answered.

use crate::core::{RequestId, SandboxId, VersionId};

/// What an order was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui::app) enum Asked {
    /// The list of sandboxes.
    Sandboxes,
    /// The list of versions.
    Versions,
    /// Commands that have not ended.
    Commands,
    /// What was spent today.
    Spent,
    /// A part of this sandbox's conversation.
    Items(SandboxId),
    /// What the server knows of this sandbox's conversation: its model and what it has cost.
    Info(SandboxId),
    /// A search in this sandbox's conversation.
    Search(SandboxId),
    /// Whether this command has begun.
    Submit(RequestId),
    /// How this command ended.
    Result(RequestId),
    /// Whether this command is told to stop.
    Interrupt(RequestId),
    /// What this restore would change.
    Preview(SandboxId, VersionId),
    /// The draft of this sandbox, or of none, back from the editor.
    Edit(Option<SandboxId>),
    /// This sandbox's whole conversation, for the pager.
    Transcript(SandboxId),
    /// The pager's end.
    Page,
    /// What became of a copy.
    Copy,
    /// Code in colours for this sandbox's conversation.
    Highlight(SandboxId),
    /// Prompts of earlier days.
    History,
    /// Drafts of earlier screens.
    Drafts,
}
