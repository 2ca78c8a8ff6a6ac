//! What a client asks to be done. A command carries an id of the client's own and is a row before anything happens:
//! sent twice it is done once, and its result can be asked for later.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ApiError;
use crate::core::{AccountId, ConversationId, Profile, RequestId, SandboxConfig, SyncStats, Version};

/// Body of `POST /v1/commands`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// Chosen by the client.
    pub request_id: RequestId,
    /// Whose things it is about.
    pub account: AccountId,
    /// Where they are.
    pub profile: Profile,
    /// What to do.
    #[serde(flatten)]
    pub command: Command,
}

/// Everything that changes something.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one of them exists for each command, and never in a collection")]
pub enum Command {
    /// Starts a sandbox. Result: [`Created`].
    SandboxCreate {
        /// The user's name for it; one is made when absent.
        #[serde(default)]
        name: Option<String>,
        /// What it is made from. An empty image name stands for the profile's default.
        config: SandboxConfig,
        /// Seconds until it ends by itself; the configured time when absent.
        #[serde(default)]
        timeout_secs: Option<u32>,
    },
    /// Ends a sandbox. Result: [`Terminated`].
    SandboxTerminate {
        /// Id, name, or a prefix that fits one.
        sandbox: String,
        /// Save its workspace first; when that fails, it isn't ended.
        save: bool,
    },
    /// Saves a workspace. Result: [`Saved`].
    VersionSave {
        /// Id, name, or a prefix that fits one.
        sandbox: String,
        /// Kept beside the version.
        #[serde(default)]
        note: String,
    },
    /// Makes a workspace exactly what a version was. Result: [`Changes`].
    VersionRestore {
        /// Id, name, or a prefix that fits one.
        sandbox: String,
        /// Seconds or `latest`.
        version: String,
        /// Only tell what would change.
        dry_run: bool,
        /// Do it only if this is still what would change: [`Changes::digest`] of what the user has seen. Otherwise a
        /// conflict, and nothing is changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<String>,
    },
    /// One prompt to Claude; done when its turn is. Result: [`Turn`].
    Chat {
        /// Id, name, or a prefix that fits one.
        sandbox: String,
        /// The sandbox's latest conversation when absent, or its first.
        #[serde(default)]
        conversation: Option<ConversationId>,
        /// What the user asks.
        prompt: String,
    },
    /// One shell command (`sh -c`) in a sandbox, with its output as an item of the sandbox's latest conversation, or
    /// of its first. Result: [`ShellEnded`].
    Shell {
        /// Id, name, or a prefix that fits one.
        sandbox: String,
        /// What `sh` is given.
        command: String,
    },
}

impl Command {
    /// The kind's name, as it stands in the row.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SandboxCreate { .. } => "sandbox_create",
            Self::SandboxTerminate { .. } => "sandbox_terminate",
            Self::VersionSave { .. } => "version_save",
            Self::VersionRestore { .. } => "version_restore",
            Self::Chat { .. } => "chat",
            Self::Shell { .. } => "shell",
        }
    }
}

/// Prompts and variables are the user's own: only the kind is shown.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Command {
    /// The sandbox it is about, as the one who asked named it; for a new one its name, if it has one.
    pub fn sandbox(&self) -> Option<&str> {
        match self {
            Self::SandboxCreate { name, .. } => name.as_deref(),
            Self::SandboxTerminate { sandbox, .. }
            | Self::VersionSave { sandbox, .. }
            | Self::VersionRestore { sandbox, .. }
            | Self::Chat { sandbox, .. }
            | Self::Shell { sandbox, .. } => Some(sandbox),
        }
    }
}

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Its row is there.
    Accepted,
    /// It is being done.
    Running,
    /// It was done.
    Done,
    /// It ended without being done; the error says why.
    Failed,
}

impl CommandState {
    /// The state as the row has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// Answer of `POST /v1/commands` and `GET /v1/commands/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// The client's id.
    pub request_id: RequestId,
    /// The kind's name.
    pub kind: String,
    /// How far it is.
    pub state: CommandState,
    /// What came out, when done; each kind's own document.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Why not, when failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

/// One element of `GET /v1/commands`: a command that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSummary {
    /// The client's id.
    pub request_id: RequestId,
    /// The kind's name.
    pub kind: String,
    /// How far it is.
    pub state: CommandState,
    /// The sandbox it is about, as [`Command::sandbox`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// Result of [`Command::Shell`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellEnded {
    /// Exit code; 128 + n for signal n.
    pub exit_code: i32,
}

/// Result of [`Command::SandboxTerminate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// The sandbox as it is now.
    #[serde(flatten)]
    pub sandbox: crate::core::SandboxInfo,
    /// The version saved before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Saved>,
}

/// Result of [`Command::SandboxCreate`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// What was made.
    #[serde(flatten)]
    pub sandbox: crate::core::SandboxInfo,
    /// What its user should know of it, such as who shares its workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// Result of [`Command::VersionSave`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// What was made.
    #[serde(flatten)]
    pub version: Version,
    /// What it took.
    pub stats: SyncStats,
}

/// A file and its size in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathSize {
    /// Path below the workspace, as the sandbox wrote it.
    pub path: String,
    /// Bytes: of the new state, or of the old one when it is deleted.
    pub size: u64,
}

/// What a restore changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// Only in the version.
    pub added: Vec<PathSize>,
    /// In both and different.
    pub changed: Vec<PathSize>,
    /// Only in the workspace.
    pub deleted: Vec<PathSize>,
    /// Stands for all of this, and for what would be lost by it. Absent from a sandbox that an older sandbank made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What could not be looked at or set, one sentence each; empty when all went well.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Names of other sandboxes with the same workspace: it has changed there too.
    #[serde(default)]
    pub shared_with: Vec<String>,
}

impl Changes {
    /// The workspace is that version already.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.deleted.is_empty()
    }
}

/// Result of [`Command::Chat`]: the end of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Which conversation it belongs to.
    pub conversation: ConversationId,
    /// The answer's last text.
    pub result: String,
    /// The CLI called its own result an error.
    pub is_error: bool,
    /// Cost of this turn in millionths of a dollar.
    pub cost_micros: u64,
    /// From prompt to end, in milliseconds.
    pub duration_ms: u64,
    /// Version saved after the turn, when one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<crate::core::VersionId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_flat_document_with_its_kind() {
        let request = CommandRequest {
            request_id: RequestId::new(),
            account: AccountId::new("default").unwrap(),
            profile: Profile::Local,
            command: Command::SandboxTerminate { sandbox: "heron".into(), save: true },
        };
        let json = serde_json::to_value(&request).unwrap();
        assert_eq!(json["kind"], request.command.kind());
        assert_eq!(json["profile"], "local");
        assert_eq!(serde_json::from_value::<CommandRequest>(json).unwrap(), request);
    }

    #[test]
    fn debug_output_holds_no_prompt() {
        let chat = Command::Chat { sandbox: "a".into(), conversation: None, prompt: "my secret plan".into() };
        assert_eq!(format!("{chat:?}"), "chat");
    }
}
