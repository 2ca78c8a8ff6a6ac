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
}
