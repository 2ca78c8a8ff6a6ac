//! What the CLI says of itself, the session and the API.

use serde::Deserialize;

use crate::core::Untrusted;

/// `system/status`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Status {
    /// `requesting`, `compacting`, or nothing.
    #[serde(default)]
    pub status: Option<Untrusted>,
    /// The mode, when it changed.
    #[serde(default, rename = "permissionMode")]
    pub permission_mode: Option<Untrusted>,
}

/// `system/session_state_changed`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SessionState {
    /// `running`, `idle`, `requires_action`.
    pub state: String,
}

/// `conversation_reset`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ConversationReset {
    /// The session from now on.
    pub new_conversation_id: String,
}

/// `command_lifecycle`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CommandLifecycle {
    /// Our message.
    pub command_uuid: String,
    /// `queued`, `started`, `completed`, `cancelled`.
    pub state: String,
}

/// `system/compact_boundary`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CompactBoundary {
    /// What was done.
    pub compact_metadata: CompactMetadata,
}

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CompactMetadata {
    /// `manual` or `auto`.
    #[serde(default)]
    pub trigger: Untrusted,
    /// Before.
    #[serde(default)]
    pub pre_tokens: u64,
    /// After.
    #[serde(default)]
    pub post_tokens: u64,
}

/// `system/informational`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Informational {
    /// The sentence.
    #[serde(default)]
    pub content: Untrusted,
    /// `info`, `notice`, `suggestion`, `warning`.
    #[serde(default)]
    pub level: String,
}

/// `system/thinking_tokens`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ThinkingTokens {
    /// So far.
    #[serde(default)]
    pub estimated_tokens: u64,
}

/// `system/api_retry`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ApiRetry {
    /// From 1.
    pub attempt: u32,
    /// How often at most.
    pub max_retries: u32,
    /// Until the next attempt.
    #[serde(default)]
    pub retry_delay_ms: f64,
    /// HTTP status; absent without an answer.
    #[serde(default)]
    pub error_status: Option<u16>,
    /// In one word.
    #[serde(default)]
    pub error: Untrusted,
}

/// `system/model_fallback`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ModelFallback {
    /// Text to show.
    #[serde(default)]
    pub content: Untrusted,
    /// The model that answers from now on.
    #[serde(default)]
    pub fallback_model: Untrusted,
}

/// `rate_limit_event`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RateLimit {
    /// The state.
    pub rate_limit_info: RateLimitInfo,
}

/// A subscription's limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RateLimitInfo {
    /// `allowed`, `allowed_warning`, `rejected`.
    pub status: String,
    /// Unix seconds.
    #[serde(default, rename = "resetsAt")]
    pub resets_at: Option<i64>,
    /// `five_hour`, …
    #[serde(default, rename = "rateLimitType")]
    pub kind: Option<Untrusted>,
}
