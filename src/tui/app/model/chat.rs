//! One sandbox's conversation as the screen has it.

use super::{Prompt, Transcript};
use crate::{
    api::{ApiError, ConversationInfo},
    core::{ItemBody, RequestId, item::Level},
};

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
    /// Why nothing came of what was said first; shown while nothing else is there.
    pub refused: Option<ApiError>,
}

impl Chat {
    /// All that is under way: what a person may want to stop.
    pub fn under_way(&self) -> impl Iterator<Item = &RequestId> {
        self.turn.iter().chain(&self.shells)
    }

    /// Nothing came of what was said. Whether the chat tells that by itself.
    pub(in crate::tui::app) fn tell(&mut self, error: &ApiError) -> bool {
        let empty = self.transcript.is_empty();
        self.refused = empty.then(|| error.clone());
        let last = self.transcript.last_item().map(|item| &item.body);
        empty || matches!(last, Some(ItemBody::Notice { level: Level::Error, .. }))
    }
}
