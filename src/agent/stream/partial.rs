//! An answer as the API streams it, piece by piece.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::message::Block;

/// `stream_event`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Stream {
    /// The API's event.
    pub event: Raw,
    /// The message it belongs to.
    #[serde(default)]
    pub api_message_id: Option<String>,
}

/// One event of the API's own stream.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Raw {
    /// A message begins.
    MessageStart,
    /// A block begins.
    ContentBlockStart {
        /// Which of the message's blocks.
        index: u32,
        /// Empty yet.
        content_block: Block,
    },
    /// A block grows.
    ContentBlockDelta {
        /// Which of the message's blocks.
        index: u32,
        /// By what.
        delta: Delta,
    },
    /// A block is whole.
    ContentBlockStop {
        /// Which of the message's blocks.
        index: u32,
    },
    /// Usage so far.
    MessageDelta {
        /// Tokens.
        #[serde(default)]
        usage: TokenUsage,
    },
    /// The message is whole.
    MessageStop,
    /// An event that this version doesn't know.
    #[serde(other)]
    Other,
}

/// By what a block grows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Delta {
    /// Prose.
    TextDelta {
        /// More of it.
        text: String,
    },
    /// Thinking.
    ThinkingDelta {
        /// More of it.
        thinking: String,
    },
    /// A tool's input, as JSON text.
    InputJsonDelta {
        /// More of it.
        partial_json: String,
    },
    /// Signatures and what else shows nothing.
    #[serde(other)]
    Other,
}

/// Tokens of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct TokenUsage {
    /// Sent, and in no cache.
    pub input_tokens: u64,
    /// Sent, and kept in the cache from now on.
    pub cache_creation_input_tokens: Option<u64>,
    /// Sent, and read from the cache.
    pub cache_read_input_tokens: Option<u64>,
    /// Answered.
    pub output_tokens: u64,
}

impl TokenUsage {
    /// All that the model had before it or wrote: what the context holds after the message.
    pub fn context(self) -> u64 {
        let cached = [self.cache_creation_input_tokens, self.cache_read_input_tokens].into_iter().flatten();
        cached.chain([self.input_tokens, self.output_tokens]).fold(0, u64::saturating_add)
    }

    /// For what stands beside something that matters more: figures that can't be read are none.
    pub(super) fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
    }
}
