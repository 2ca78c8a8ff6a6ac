//! What a client can ask without changing anything, and the documents that come back.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ApiError;
use crate::core::{AccountId, ConversationId, Item, Profile, SandboxConfig, SandboxInfo, Untrusted, Usage};

/// Whose things, and where: part of every query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Whose.
    pub account: AccountId,
    /// Where.
    #[serde(default)]
    pub profile: Profile,
    /// Also what has ended.
    #[serde(default)]
    pub all: bool,
}

/// Query of `GET /v1/sandboxes/{name}/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsQuery {
    /// Whose.
    pub account: AccountId,
    /// Where.
    #[serde(default)]
    pub profile: Profile,
    /// Go on until the sandbox's first command ends.
    #[serde(default)]
    pub follow: bool,
}

/// Query of `GET /v1/sandboxes/{name}/transcript`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptQuery {
    /// Whose.
    pub account: AccountId,
    /// Where.
    #[serde(default)]
    pub profile: Profile,
    /// The sandbox's latest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
}

/// Which part of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Its end.
    Last,
    /// What comes before this position.
    Before(u64),
    /// What comes after this position.
    After(u64),
    /// What surrounds this position.
    Around(u64),
}

/// Query of `GET /v1/sandboxes/{name}/conversation`: a part of the sandbox's latest conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageQuery {
    /// Whose.
    pub account: AccountId,
    /// Where.
    #[serde(default)]
    pub profile: Profile,
    /// Only what comes before this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Only what comes after this position. With `before` unset and this unset: the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// What surrounds this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<u64>,
    /// Items at most; the server gives no more than 500.
    pub limit: u32,
}

impl PageQuery {
    /// Asks for a part.
    pub fn new(account: AccountId, profile: Profile, window: Window, limit: u32) -> Self {
        let mut query = Self { account, profile, before: None, after: None, around: None, limit };
        match window {
            Window::Last => {}
            Window::Before(position) => query.before = Some(position),
            Window::After(position) => query.after = Some(position),
            Window::Around(position) => query.around = Some(position),
        }
        query
    }

    /// Which part is asked for.
    ///
    /// # Errors
    /// More than one.
    pub fn window(&self) -> Result<Window, ApiError> {
        match (self.before, self.after, self.around) {
            (None, None, None) => Ok(Window::Last),
            (Some(position), None, None) => Ok(Window::Before(position)),
            (None, Some(position), None) => Ok(Window::After(position)),
            (None, None, Some(position)) => Ok(Window::Around(position)),
            _ => Err(ApiError::usage("only one of before, after and around can be asked for")),
        }
    }
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationPage {
    /// Which; nothing when the sandbox has none yet.
    pub conversation: Option<ConversationInfo>,
    /// Its items, in their order.
    pub items: Vec<PlacedItem>,
    /// There are older ones.
    pub more_before: bool,
    /// There are newer ones.
    pub more_after: bool,
}

/// What is known of a conversation beside its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationInfo {
    /// Which.
    pub conversation: ConversationId,
    /// The first line of its first prompt.
    pub title: Untrusted,
    /// The model that answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Untrusted>,
    /// Tokens in its context after the last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// What it has cost so far.
    pub usage: Usage,
}

/// Query of `GET /v1/sandboxes/{name}/search`: where a text stands in the sandbox's latest conversation. The answer is
/// a list of positions, oldest first, at most 1,000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// Whose.
    pub account: AccountId,
    /// Where.
    #[serde(default)]
    pub profile: Profile,
    /// What; upper and lower case are the same.
    pub text: String,
}

/// Query of `GET /v1/usage`: what an account has spent since. The answer is a [`Usage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageQuery {
    /// Whose.
    pub account: AccountId,
    /// From when on.
    pub since: Timestamp,
}

/// Query of `GET /v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsQuery {
    /// Whose.
    pub account: AccountId,
    /// The last stored event that the follower has; what happens from now on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// `GET /v1/sandboxes/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxDetail {
    /// What lists show.
    #[serde(flatten)]
    pub info: SandboxInfo,
    /// What it was made from, without values of variables; absent for a sandbox that another program made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<SandboxConfig>,
}

/// One item of a conversation, in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacedItem {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Place in the conversation.
    pub position: u64,
    /// When it was first stored.
    pub at: Timestamp,
    /// What it shows.
    #[serde(flatten)]
    pub item: Item,
}

/// `GET /v1/engine/access`: what `engine env` prints. Holds keys: only for the owner of the socket.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineAccess {
    /// Variables in the order they are printed.
    pub variables: Vec<(String, String)>,
}

impl fmt::Debug for EngineAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables.iter().map(|(name, _)| name)).finish()
    }
}

/// `doctor`: what is in order and what isn't.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Doctor {
    /// All checks are.
    pub ok: bool,
    /// In the order they were made.
    pub checks: Vec<DoctorCheck>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorCheck {
    /// What was looked at.
    pub name: String,
    /// Whether it is in order.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do, when it isn't.
    pub remedy: String,
}

impl Doctor {
    /// Adds a check and keeps [`Doctor::ok`] true to them.
    pub fn add(&mut self, check: DoctorCheck) {
        self.ok = (self.ok || self.checks.is_empty()) && check.ok;
        self.checks.push(check);
    }
}
