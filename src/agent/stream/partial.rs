//! An answer as the API streams it, piece by piece.

use serde::Deserialize;

use super::message::{Block, TokenUsage};

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
