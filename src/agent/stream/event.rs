//! The events of the CLI's `stream-json` output (2.1.330, measured): the fields we use, by the CLI's names. Fields
//! that we don't use are left out; the stored line has them all. What each kind of event says is in a file for its family.

use serde_json::Value;

use super::{
    message::{Assistant, User},
    partial::Stream,
    state::{
        ApiRetry, CommandLifecycle, CompactBoundary, ConversationReset, Informational, ModelFallback, RateLimit,
        SessionState, Status, ThinkingTokens,
    },
    task::{BackgroundTasks, Hook, PermissionDenied, Task, ToolProgress},
    turn::{Init, ResultLine},
};
use crate::core::Untrusted;

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
