//! The first frame: what lists show.

use std::io::{self, Cursor, Read};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BadManifest, MAX_ENTRIES, Record, WINDOW_LOG, damaged};
use crate::{
    core::{AccountId, SandboxId, VersionId},
    inside::mover::words::{Facts, Kind as Node},
};

/// The format that this code writes, and the only one so far.
pub const FORMAT: u32 = 1;

/// Names of what a reader must understand that this code does.
pub const FEATURES: &[&str] = &[LEFT_OUT];

/// The feature of versions that name paths they don't hold. Who doesn't know it would delete what is there.
pub const LEFT_OUT: &str = "left_out";

/// Longest head before compression.
pub const MAX_HEAD: usize = 2048;

/// Bytes from the start of a manifest that surely hold the head: zstd never makes more of 2 KiB.
pub const HEAD_READ: u64 = MAX_HEAD as u64 + 128;

/// Longest note, in bytes as JSON writes it: what is left of the head.
pub const MAX_NOTE: usize = 1024;

/// What kind of version it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Every file has its object in the version's own folder.
    Plain,
    /// Unchanged files stay where older versions have them.
    Light,
    /// There was a version; it was given up, and its second is never used again.
    Tombstone,
}

/// What is known of a version without its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// What a reader must understand beside it.
    pub features: Vec<String>,
    /// Kind.
    pub kind: Kind,
    /// The second that it has claimed.
    pub version: VersionId,
    /// Whose it is.
    pub account: AccountId,
    /// The version that it was planned against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<VersionId>,
    /// Reserved for manifests that hold only what differs from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<VersionId>,
    /// Which save made it: the one of the claim.
    pub saver: Uuid,
    /// Whose view of the workspace it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxId>,
    /// Lines of the tree.
    pub entries: u64,
    /// Regular files in it.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Nothing was left out.
    pub complete: bool,
    /// Paths that are named and not held: what was there could not be read, or changed too fast.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// What is kept of the workspace's root itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Facts>,
    /// Bytes that the save sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sent: u64,
    /// Milliseconds from its start to its manifest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub took_ms: u64,
    /// What the user wrote beside it.
    #[serde(default)]
    pub note: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Head {
    /// Of a plain and complete version that holds this tree, without parent, sandbox, root or note.
    pub fn of(version: VersionId, account: AccountId, saver: Uuid, tree: &[Record]) -> Self {
        let contents = || tree.iter().filter_map(Record::content);
        let left_out = tree.iter().filter(|record| record.entry.kind == Node::LeftOut).count() as u64;
        Self {
            format: FORMAT,
            features: if left_out > 0 { vec![LEFT_OUT.to_owned()] } else { Vec::new() },
            kind: Kind::Plain,
            version,
            account,
            parent: None,
            base: None,
            saver,
            sandbox: None,
            entries: tree.len() as u64,
            files: contents().count() as u64,
            bytes: contents().map(|content| content.size).sum(),
            complete: true,
            left_out,
            root: None,
            sent: 0,
            took_ms: 0,
            note: String::new(),
        }
    }

    /// Whether a note fits.
    ///
    /// # Errors
    /// It doesn't.
    pub fn check_note(note: &str) -> Result<(), String> {
        let length = serde_json::to_string(note).map_or(usize::MAX, |json| json.len());
        if length > MAX_NOTE {
            return Err(format!("the note has {length} bytes; at most {MAX_NOTE} fit"));
        }
        Ok(())
    }

    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        if json.len() > MAX_HEAD {
            return Err(io::Error::other(format!("the head has {} bytes; at most {MAX_HEAD} are allowed", json.len())));
        }
        zstd::bulk::compress(&json, super::LEVEL)
    }

    /// The head and how many bytes it took.
    pub(super) fn decode(start: &[u8]) -> Result<(Self, usize), BadManifest> {
        let unreadable = |e: io::Error| damaged(format!("its head can't be read: {e}"));
        let mut frame =
            zstd::stream::read::Decoder::with_buffer(Cursor::new(start)).map_err(unreadable)?.single_frame();
        frame.window_log_max(WINDOW_LOG).map_err(unreadable)?;
        let mut json = Vec::new();
        (&mut frame).take(MAX_HEAD as u64 + 1).read_to_end(&mut json).map_err(unreadable)?;
        if json.len() > MAX_HEAD {
            return Err(damaged("its head is too long"));
        }
        #[allow(clippy::cast_possible_truncation, reason = "a position in a slice")]
        let used = frame.finish().position() as usize;
        Ok((Self::parse(&json)?, used))
    }

    fn parse(json: &[u8]) -> Result<Self, BadManifest> {
        // Format and features first: a later format may have other fields.
        #[derive(Deserialize)]
        struct Must {
            format: u32,
            #[serde(default)]
            features: Vec<String>,
        }
        let must: Must = serde_json::from_slice(json).map_err(|e| damaged(format!("its head: {e}")))?;
        if must.format != FORMAT {
            return Err(BadManifest::Newer(format!("format {}", must.format)));
        }
        if let Some(feature) = must.features.iter().find(|f| !FEATURES.contains(&f.as_str())) {
            return Err(BadManifest::Newer(format!("feature {}", feature.escape_debug())));
        }
        let head: Self = serde_json::from_slice(json).map_err(|e| damaged(format!("its head: {e}")))?;
        if head.entries > MAX_ENTRIES || head.files > head.entries {
            return Err(damaged("its head counts more entries than can be"));
        }
        if head.root.is_some_and(|root| root.mode > 0o7777) {
            return Err(damaged("the root has a mode that can't be"));
        }
        Ok(head)
    }
}
