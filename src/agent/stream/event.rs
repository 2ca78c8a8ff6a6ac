//! The events of the CLI's `stream-json` output (2.1.330, measured): the fields we use, by the CLI's names. Fields
//! that we don't use are left out; the stored line has them all.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{agent::cost::ModelUsage, core::Untrusted};

/// One line: its event and what stands beside every event.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The line's own id.
    pub uuid: Option<String>,
    /// The session it belongs to.
    pub session_id: Option<String>,
    /// The call of the sub-agent that it comes from.
    pub parent: Option<String>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A turn begins (also when a finished background task wakes the model).
    Init(Box<Init>),
    /// The CLI's own state.
    Status(Status),
    /// One finished block of an answer.
    Assistant(Box<Assistant>),
    /// Tool results, or a message in the user's place.
    User(Box<User>),
    /// A piece of an answer as the API streams it; never stored.
    Stream(Stream),
    /// A turn's end; not the run's.
    Result(Box<ResultLine>),
    /// The API is asked again.
    ApiRetry(ApiRetry),
    /// Another model takes over.
    ModelFallback(ModelFallback),
    /// A subscription's limits.
    RateLimit(RateLimit),
    /// A tool was refused.
    PermissionDenied(PermissionDenied),
    /// Thinking goes on.
    ThinkingTokens(ThinkingTokens),
    /// A background task or long command was started.
    TaskStarted(Task),
    /// It works.
    TaskProgress(Task),
    /// Its state changed.
    TaskUpdated(Task),
    /// It ended.
    TaskNotification(Task),
    /// All background tasks there are now.
    BackgroundTasks(BackgroundTasks),
    /// A tool still runs.
    ToolProgress(ToolProgress),
    /// What came before was summarised.
    CompactBoundary(CompactBoundary),
    /// A hook of the workspace's settings.
    Hook(Hook),
    /// A sentence of the CLI.
    Informational(Informational),
    /// Running, idle, or waiting for an answer.
    SessionState(SessionState),
    /// What became of a message of ours.
    CommandLifecycle(CommandLifecycle),
    /// The session id changes (`/clear`).
    ConversationReset(ConversationReset),
    /// The permission protocol's messages, which only a persistent process has.
    Control(Value),
    /// Nothing.
    KeepAlive,
    /// An event that this version doesn't know.
    Unknown {
        /// `type` or `type/subtype`.
        name: Untrusted,
        /// The line.
        raw: Untrusted,
    },
    /// A line that is no event.
    Stray(Untrusted),
}

/// `system/init`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Init {
    /// The session, to resume by.
    pub session_id: String,
    /// The model.
    #[serde(default)]
    pub model: Untrusted,
    /// Working directory.
    #[serde(default)]
    pub cwd: Untrusted,
    /// `default`, `bypassPermissions`, …
    #[serde(default, rename = "permissionMode")]
    pub permission_mode: Untrusted,
    /// The CLI's version.
    #[serde(default)]
    pub claude_code_version: Untrusted,
    /// MCP servers and whether they are connected.
    #[serde(default)]
    pub mcp_servers: Vec<McpServer>,
}

/// One MCP server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct McpServer {
    /// Its name.
    pub name: Untrusted,
    /// `connected`, `failed`, …
    #[serde(default)]
    pub status: Untrusted,
}

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

/// `user`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct User {
    /// Tool results or text.
    pub message: UserMessage,
    /// The tool's result in its own form.
    #[serde(default)]
    pub tool_use_result: Value,
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

/// A user message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct UserMessage {
    /// Text, or blocks.
    pub content: Content,
}

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
    /// Sent.
    pub input_tokens: u64,
    /// Answered.
    pub output_tokens: u64,
}

/// `result`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ResultLine {
    /// `success` also for an API error: look at `is_error`.
    pub subtype: String,
    /// It went wrong.
    pub is_error: bool,
    /// The answer once more, or the error's text.
    #[serde(default)]
    pub result: Option<String>,
    /// The errors, when there is no answer.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Why it ended.
    #[serde(default)]
    pub terminal_reason: Option<String>,
    /// The API's HTTP status.
    #[serde(default)]
    pub api_error_status: Option<u16>,
    /// Milliseconds from prompt to end.
    #[serde(default)]
    pub duration_ms: u64,
    /// Rounds with the model.
    #[serde(default)]
    pub num_turns: u64,
    /// Counts the results of a process.
    #[serde(default)]
    pub result_index: Option<u64>,
    /// The session.
    #[serde(default)]
    pub session_id: String,
    /// Cumulative over the process and over resumes.
    #[serde(default, rename = "modelUsage")]
    pub model_usage: BTreeMap<String, ModelUsage>,
    /// What came since the last result: what counts.
    #[serde(default)]
    pub model_usage_since_last_result: Option<BTreeMap<String, ModelUsage>>,
    /// Tools that were refused.
    #[serde(default)]
    pub permission_denials: Vec<Denial>,
}

/// One refused call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Denial {
    /// The tool.
    pub tool_name: Untrusted,
    /// The call.
    #[serde(default)]
    pub tool_use_id: String,
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

/// `system/permission_denied`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PermissionDenied {
    /// The tool.
    pub tool_name: Untrusted,
    /// The call.
    #[serde(default)]
    pub tool_use_id: Option<String>,
    /// Why.
    #[serde(default)]
    pub message: Untrusted,
}

/// `system/thinking_tokens`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ThinkingTokens {
    /// So far.
    #[serde(default)]
    pub estimated_tokens: u64,
}

/// `system/task_*`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Task {
    /// Its id.
    pub task_id: String,
    /// The call that started it.
    #[serde(default)]
    pub tool_use_id: Option<String>,
    /// What it does.
    #[serde(default)]
    pub description: Untrusted,
    /// It runs while the conversation goes on.
    #[serde(default)]
    pub is_backgrounded: bool,
    /// `completed`, `failed`, `stopped`.
    #[serde(default)]
    pub status: Option<String>,
    /// What came of it.
    #[serde(default)]
    pub summary: Untrusted,
}

/// `system/background_tasks_changed`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BackgroundTasks {
    /// The full set.
    #[serde(default)]
    pub tasks: Vec<Task>,
}

/// `tool_progress`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ToolProgress {
    /// The tool.
    pub tool_name: Untrusted,
    /// The call; the line's own id is of the heartbeat.
    #[serde(default)]
    pub parent_tool_use_id: Option<String>,
    /// How long it has run.
    #[serde(default)]
    pub elapsed_time_seconds: f64,
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

/// `system/hook_started`, `hook_response`, `hook_progress`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Hook {
    /// Which.
    #[serde(default)]
    pub hook_name: Untrusted,
    /// Set at its end.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Set at its end.
    #[serde(default)]
    pub outcome: Option<String>,
    /// What it said.
    #[serde(default)]
    pub output: Untrusted,
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

/// `system/session_state_changed`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SessionState {
    /// `running`, `idle`, `requires_action`.
    pub state: String,
}

/// `command_lifecycle`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CommandLifecycle {
    /// Our message.
    pub command_uuid: String,
    /// `queued`, `started`, `completed`, `cancelled`.
    pub state: String,
}

/// `conversation_reset`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ConversationReset {
    /// The session from now on.
    pub new_conversation_id: String,
}
