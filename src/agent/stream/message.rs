//! Messages: finished blocks of an answer, tool results, and what stands in the user's place.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::core::Untrusted;

/// `assistant`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Assistant {
    /// The message with its one block.
    pub message: Message,
    /// The answer was cut off by an interrupt.
    #[serde(default)]
    pub aborted: bool,
    /// The text is the CLI's account of an API error, not Claude's.
    #[serde(default)]
    pub is_api_error_message: bool,
    /// How long the thinking took.
    #[serde(default)]
    pub thinking_duration_ms: Option<u64>,
    /// RFC 3339.
    #[serde(default)]
    pub timestamp: Option<String>,
}

/// `user`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct User {
    /// Tool results or text.
    pub message: UserMessage,
    /// The tool's result in its own form.
    #[serde(default)]
    pub tool_use_result: Value,
    /// What is said about results beside them.
    #[serde(default)]
    pub tool_result_meta: Vec<ResultMeta>,
    /// Written by the CLI in the user's place: a summary, a request to go on.
    #[serde(default, rename = "isSynthetic")]
    pub is_synthetic: bool,
    /// An echo of what we sent.
    #[serde(default, rename = "isReplay")]
    pub is_replay: bool,
    /// RFC 3339.
    #[serde(default)]
    pub timestamp: Option<String>,
}

/// What is said about a tool's result beside it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ResultMeta {
    /// The call.
    #[serde(default)]
    pub id: String,
    /// Why there is no result of the tool's own, such as `user-rejected`.
    #[serde(default)]
    pub non_execution_kind: Option<String>,
}

impl User {
    /// Somebody said no to a call, before it ran or while it did.
    pub fn rejected(&self, call: &str) -> bool {
        let no = |meta: &ResultMeta| meta.id == call && meta.non_execution_kind.as_deref() == Some("user-rejected");
        self.tool_result_meta.iter().any(no)
    }
}

/// A user message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct UserMessage {
    /// Text, or blocks.
    pub content: Content,
}

/// A message of the API.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Message {
    /// Several lines share it: one for each block.
    #[serde(default)]
    pub id: String,
    /// Who answered; `<synthetic>` is the CLI itself.
    #[serde(default)]
    pub model: Untrusted,
    /// Text, or blocks.
    pub content: Content,
    /// What it took; the same on each line of a message.
    #[serde(default, deserialize_with = "TokenUsage::or_none")]
    pub usage: TokenUsage,
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
    fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
    }
}

/// A message's content: the API allows both forms.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(Untrusted),
    /// Blocks.
    Blocks(Vec<Block>),
}

impl Content {
    /// All its text together.
    pub fn text(&self) -> Untrusted {
        match self {
            Self::Text(text) => text.clone(),
            Self::Blocks(blocks) => {
                let texts: Vec<_> = blocks
                    .iter()
                    .filter_map(|b| match b {
                        Block::Text { text } => Some(text.raw()),
                        _ => None,
                    })
                    .collect();
                Untrusted::new(texts.join("\n"))
            }
        }
    }
}

/// One block.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Prose.
    Text {
        /// Markdown.
        text: Untrusted,
    },
    /// Thinking.
    Thinking {
        /// Its text; empty when the API keeps it to itself.
        #[serde(default)]
        thinking: Untrusted,
    },
    /// A call of a tool.
    ToolUse {
        /// Its id.
        id: String,
        /// The tool.
        name: Untrusted,
        /// Its input.
        #[serde(default)]
        input: Value,
    },
    /// What a tool gave back.
    ToolResult {
        /// The call.
        tool_use_id: String,
        /// Text or blocks.
        #[serde(default = "nothing")]
        content: Content,
        /// It failed.
        #[serde(default)]
        is_error: bool,
    },
    /// A block that this version doesn't know.
    #[serde(other)]
    Other,
}

fn nothing() -> Content {
    Content::Text(Untrusted::default())
}
