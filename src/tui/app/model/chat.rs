//! One sandbox's conversation as the screen has it.

use super::{Prompt, Transcript};
use crate::{api::ConversationInfo, core::RequestId};

/// A conversation, and the draft of its next prompt.
#[derive(Debug, Clone, Default)]
pub struct Chat {
    /// What the server knows of it; nothing before the first prompt.
    pub info: Option<ConversationInfo>,
    /// Its items.
    pub transcript: Transcript,
    /// The next prompt.
    pub prompt: Prompt,
    /// The turn that is being done.
    pub turn: Option<RequestId>,
    /// Shell commands under way, the newest last. They go on beside a turn.
    pub shells: Vec<RequestId>,
}

impl Chat {
    /// All that is under way: what a person may want to stop.
    pub fn under_way(&self) -> impl Iterator<Item = &RequestId> {
        self.turn.iter().chain(&self.shells)
    }
}
