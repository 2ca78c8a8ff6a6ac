//! What a client can ask without changing anything, and the documents that come back.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::{AccountId, ConversationId, Profile, SandboxConfig, SandboxInfo, Untrusted};

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

/// One thing that a transcript shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Natural key: the same from the stream and from the session file.
    pub key: String,
    /// Which conversation.
    pub conversation: ConversationId,
    /// Place in the conversation.
    pub position: u64,
    /// When it came.
    pub at: Timestamp,
    /// What it shows.
    #[serde(flatten)]
    pub body: ItemBody,
}

/// What an item shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ItemBody {
    /// What the user asked.
    Prompt {
        /// Their words.
        text: Untrusted,
    },
    /// A block of the answer.
    Text {
        /// Claude's words.
        text: Untrusted,
    },
    /// A block of thinking.
    Thinking {
        /// Claude's words.
        text: Untrusted,
    },
    /// A tool that was used.
    Tool {
        /// Its name.
        name: Untrusted,
        /// What it was given, as JSON.
        input: serde_json::Value,
        /// What it gave back; absent while it runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Untrusted>,
        /// It failed or was refused.
        #[serde(default)]
        is_error: bool,
    },
    /// Something to know: a new session, an end, a refusal.
    Notice {
        /// In words.
        text: Untrusted,
        /// It is bad news.
        #[serde(default)]
        is_error: bool,
    },
    /// The end of a turn.
    Result {
        /// Cost of the turn in millionths of a dollar.
        cost_micros: u64,
        /// From prompt to end, in milliseconds.
        duration_ms: u64,
        /// The CLI called it an error.
        is_error: bool,
        /// Its last words.
        text: Untrusted,
    },
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
