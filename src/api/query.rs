//! What a client can ask without changing anything, and the documents that come back.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::{AccountId, ConversationId, Item, Profile, SandboxConfig, SandboxInfo};

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
