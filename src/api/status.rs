//! What a server says of itself: in `server.json` beside its socket, and when asked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ApiError;

/// `DATA/server.json`, mode 0600, written when the server is ready and removed when it ends. Truth is the lock; this
/// file only says where to find its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFile {
    /// Its process.
    pub pid: u32,
    /// When that process started, in clock ticks since boot (`/proc/PID/stat`): a pid may be used again.
    pub start_time: u64,
    /// Crate version.
    pub version: String,
    /// Build of that version.
    pub build: String,
    /// Version of the API's words.
    pub protocol: u32,
    /// Where it listens; short enough for a socket address.
    pub socket: PathBuf,
    /// The engine's addresses, once it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modal_url: Option<String>,
    /// The store's address, once the engine runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_url: Option<String>,
}

/// `serve status`; the keys that scripts rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Whether one runs for this data dir.
    pub running: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Its crate version.
    pub version: Option<String>,
    /// Its socket.
    pub socket: Option<PathBuf>,
    /// Its address for browsers and other machines; none until it listens for them.
    pub url: Option<String>,
}

/// `engine status`; the keys that scripts rely on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Whether the engine runs for this data dir.
    pub running: bool,
    /// The process it is part of.
    pub pid: Option<u32>,
    /// Its crate version.
    pub version: Option<String>,
    /// Where it speaks Modal's protocol.
    pub modal_url: Option<String>,
    /// Where it speaks S3.
    pub s3_url: Option<String>,
}

/// Body of `POST /v1/stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stop {
    /// Let what is under way end first, and take nothing new: how a newer client replaces an older server. Without it
    /// the server stores what is under way and ends; the next one takes it up.
    #[serde(default)]
    pub finish: bool,
}

/// What a server that was started in the background says to the one who started it: one line of JSON, then nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "start", rename_all = "snake_case")]
pub enum StartReport {
    /// It can be connected to.
    Ready,
    /// Another one was faster and can be connected to.
    Held,
    /// It can't serve.
    Failed {
        /// Why.
        error: ApiError,
    },
}
