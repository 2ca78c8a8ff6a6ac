//! One saved workspace, and what a save or restore did.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AccountId, RequestId, SandboxId, VersionId};

/// A saved workspace as lists show it; the keys that scripts rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The second that its save claimed.
    pub version: VersionId,
    /// Whose it is.
    pub account_id: AccountId,
    /// That second as a time.
    pub created_at: Timestamp,
    /// Regular files in it. Unknown (0) for a legacy version until it is listed in full.
    pub files: u64,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// What the user wrote beside it, or why it was made.
    pub note: String,
    /// Nothing was left out. False when files could not be read, or changed faster than they could be sent.
    pub complete: bool,
    /// Paths that the version names and doesn't hold; a restore leaves alone what is there.
    #[serde(default)]
    pub left_out: u64,
    /// Made by another tool: a folder without a manifest.
    pub legacy: bool,
}

/// A save that has claimed its second and published nothing: it is under way, or was given up. Nothing of it can be
/// restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedSave {
    /// The second that it claimed.
    pub version: VersionId,
    /// Whose it is.
    pub account_id: AccountId,
    /// That second as a time.
    pub created_at: Timestamp,
    /// The command that made it; absent when its claim can't be read.
    pub saver: Option<RequestId>,
    /// The version that it was planned against.
    pub parent: Option<VersionId>,
    /// Whose workspace it was.
    pub sandbox_id: Option<SandboxId>,
}

/// What a save or a restore moved, as the original counted it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SyncStats {
    /// Files that were looked at and are in the result.
    pub files_processed: u64,
    /// Bytes that went over the wire to or from the store.
    pub bytes_transferred: u64,
    /// From start to end.
    #[serde(rename = "duration_ms", serialize_with = "millis", deserialize_with = "from_millis")]
    pub duration: Duration,
    /// What could not be done, one sentence each; empty when all went well.
    pub errors: Vec<String>,
}

fn millis<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u64(u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

fn from_millis<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    u64::deserialize(d).map(Duration::from_millis)
}
