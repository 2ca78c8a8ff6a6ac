//! The event stream of an account: `GET /v1/events?account=…&after=SEQ`, server-sent events.
//!
//! Stored events have a `seq` and are sent in its order, each once, from the asked cursor on. Live ones have none:
//! they say what happens between two commits and are lost on a broken connection, after which a [`Live::Keyframe`]
//! gives the whole open state again.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CommandState, PlacedItem};
use crate::core::{AccountId, ConversationId, Profile, RequestId, SandboxInfo, Untrusted, Version};

/// One stored event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the account's order; grows by one.
    pub seq: u64,
    /// Whose it is.
    pub account: AccountId,
    /// Where it happened.
    pub profile: Profile,
    /// When it was stored.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What can happen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    /// Claude's CLI printed a complete line.
    Line {
        /// Which conversation.
        conversation: ConversationId,
        /// The command whose turn it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
        /// The line as it came, without its end.
        raw: Untrusted,
    },
    /// A sandbox is new or changed.
    Sandbox {
        /// As it is now.
        sandbox: SandboxInfo,
    },
    /// A version was saved.
    Version {
        /// What was made.
        version: Version,
    },
    /// A command went on.
    Command {
        /// Which.
        request_id: RequestId,
        /// Its kind's name.
        command: String,
        /// How far it is now.
        state: CommandState,
        /// The sandbox it is about, as [`super::Command::sandbox`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sandbox: Option<String>,
    },
}

impl EventBody {
    /// The kind's name, as the row has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Line { .. } => "line",
            Self::Sandbox { .. } => "sandbox",
            Self::Version { .. } => "version",
            Self::Command { .. } => "command",
        }
    }
}

/// Lines are the user's own: only the kind is shown.
impl fmt::Debug for EventBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// [`OpenBlock::block`] of a shell command's output, whose item is there already.
pub const OUTPUT: &str = "output";

/// A block of an answer that is still being written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBlock {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The key that its item will have (message id and ordinal of the block).
    pub item: String,
    /// `text`, `thinking`, `tool` (its input), or [`OUTPUT`].
    pub block: String,
    /// What is there of it.
    pub text: Untrusted,
}

impl fmt::Debug for OpenBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.block, self.item, self.text.raw().len())
    }
}

/// What is sent between commits and never stored.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Live {
    /// The state that the deltas after it start from; sent once at the start of following.
    Keyframe {
        /// Everything stored up to here has been sent.
        seq: u64,
        /// Blocks being written.
        open: Vec<OpenBlock>,
    },
    /// More of an open block, or the first of a new one.
    Delta {
        /// Which conversation.
        conversation: ConversationId,
        /// The block's key.
        item: String,
        /// `text`, `thinking`, `tool` (its input), or `output` (of a shell command, whose item is there already).
        block: String,
        /// Bytes of the block before this text: a follower that has another number missed something. From 0 on the block
        /// begins; one that was there begins again with this text.
        from: u64,
        /// What came.
        text: Untrusted,
    },
    /// Everything up to this event is on disk.
    Committed {
        /// The last stored event.
        seq: u64,
    },
    /// Items of one conversation that a commit made or changed: what a transcript shows, without folding any line. They
    /// come behind the commit's events and before its [`Live::Committed`], and an open block of the same key ends with
    /// them: its item has all of it. None is sent again to one who was away: who comes back asks for the part that it
    /// shows.
    Items {
        /// As they are now, in their places.
        items: Vec<PlacedItem>,
    },
    /// Open blocks that end and never become items, since what wrote them is over.
    Dropped {
        /// Which conversation.
        conversation: ConversationId,
        /// Their keys.
        items: Vec<String>,
    },
    /// How far a command is.
    Progress(Progress),
}

/// One step of a running command, for people to watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which command.
    pub request_id: RequestId,
    /// What it is doing, or a line of a build's log.
    pub step: Untrusted,
    /// How much of it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Of how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyframe { seq, open } => write!(f, "keyframe {seq} {open:?}"),
            Self::Delta { item, from, text, .. } => write!(f, "delta {item} {from}+{}", text.raw().len()),
            Self::Items { items } => write!(f, "{} items", items.len()),
            Self::Dropped { items, .. } => write!(f, "dropped {items:?}"),
            Self::Committed { seq } => write!(f, "committed {seq}"),
            Self::Progress(p) => write!(f, "progress {}", p.request_id),
        }
    }
}

/// One message of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Published {
    /// Stored.
    Event(Box<Event>),
    /// Live.
    Live(Live),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_was_stored_before_commands_named_their_sandbox_is_read() {
        let id = RequestId::new();
        let stored = serde_json::json!({"kind": "command", "request_id": id, "command": "chat", "state": "done"});
        let body = serde_json::from_value::<EventBody>(stored).unwrap();
        assert!(matches!(body, EventBody::Command { request_id, sandbox: None, .. } if request_id == id));
    }
}
