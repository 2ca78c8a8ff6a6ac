//! What the mover and the service say to each other. `docs/mover.md` has the exchanges and their reasons;
//! `codec.rs` has the bytes.

use std::{fmt, ops::Range};

use serde::{Deserialize, Serialize};

/// The version of these words, in `Hello` and `Ready`.
pub const PROTOCOL: u32 = 1;

/// Longest frame: an entry with [`MAX_PARTS`] digests (320 KB) and two long paths fits.
pub const MAX_FRAME: usize = 512 << 10;

/// Size of a part, before doubling. Files up to this go in one request.
pub const PART: u64 = 16 << 20;

/// S3's limit for one object.
pub const MAX_PARTS: u64 = 10_000;

/// Longest path below the root: Linux's own limit for a path, without its NUL.
pub const MAX_PATH: usize = 4_095;

/// Tickets (`Put`, or `Want` and its `Get`) that may be without an answer: enough for any latency, few enough that URLs
/// of five minutes are used in time.
pub const WINDOW: usize = 256;

/// The name at the root that no tree holds: the restore's own folder.
pub const RESERVED: &[u8] = b".sandbank";

/// Size of the parts of a file of `size` bytes.
pub fn part_size(size: u64) -> u64 {
    let mut part = PART;
    while size.div_ceil(part) > MAX_PARTS {
        part = part.saturating_mul(2);
    }
    part
}

/// How many parts a file of `size` bytes has. An empty file has one, which is empty.
pub fn part_count(size: u64) -> u64 {
    size.div_ceil(part_size(size)).max(1)
}

/// The bytes of a part.
pub fn part_range(size: u64, part: u32) -> Range<u64> {
    let length = part_size(size);
    let start = u64::from(part).saturating_mul(length).min(size);
    start..start.saturating_add(length).min(size)
}

/// A SHA-256.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One path of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Raw bytes below the root, without a leading slash. Not checked by the codec: see `path::TreeCheck`.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions with setuid, setgid and sticky: 12 bits.
    pub mode: u32,
    /// Owner as seen inside.
    pub uid: u32,
    /// Group as seen inside.
    pub gid: u32,
    /// Nanoseconds since 1970; times beyond the years 1677 and 2262 are moved to there.
    pub mtime_ns: i64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File(Content),
    /// A folder.
    Folder,
    /// A symbolic link.
    Link {
        /// Raw bytes of where it leads.
        target: Vec<u8>,
    },
    /// Something was there that the version doesn't hold. A restore leaves alone what is there now, with all below it.
    LeftOut,
}

/// What is kept of a folder beside its name and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Permissions: 12 bits.
    pub mode: u32,
    /// Owner as seen inside.
    pub uid: u32,
    /// Group as seen inside.
    pub gid: u32,
    /// As in [`Entry`].
    pub mtime_ns: i64,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of each part, exactly [`part_count`] of them.
    pub digests: Vec<Digest>,
    /// Given if the file has other names too, which may be outside of the tree.
    pub inode: Option<Inode>,
}

/// Which file it is, for files with several names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
}

/// Why a path is not part of the tree although it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// Another file system is mounted there.
    Mount,
}

/// A presigned request. Its `Debug` shows nothing: the URL is a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Where to.
    pub url: String,
    /// Headers to send with it, those that were signed. `host`, `content-length` and `range` are the mover's to set.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request(…)")
    }
}

/// How far a restore has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It collects; the workspace is untouched.
    Stage,
    /// Everything was there, and the workspace is being changed: it may be mixed.
    Apply,
}

/// A restore that didn't end; also the form of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The version that it restores.
    pub target: u64,
    /// The version that the workspace was at, if that was known.
    pub before: Option<u64>,
    /// How far it came.
    pub phase: Phase,
}

/// What a restore does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Not on the disk yet.
    Added,
    /// Type, content, link target or mode differ.
    Changed,
    /// Not in the version.
    Deleted,
}

/// Counts of a comparison or a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Files of the target.
    pub files: u64,
    /// Paths added.
    pub added: u64,
    /// Paths changed.
    pub changed: u64,
    /// Paths deleted.
    pub deleted: u64,
    /// Bytes to fetch, or fetched.
    pub bytes: u64,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    // From the service.
    /// First.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Requests to the store at a time.
        in_flight: u32,
        /// Absolute path of the workspace.
        root: Vec<u8>,
    },
    /// Tell the tree.
    Walk,
    /// Send one part of a file.
    Put {
        /// The service's own number for this request.
        ticket: u64,
        /// Which file.
        path: Vec<u8>,
        /// Which part of it.
        part: u32,
        /// The whole file's size, as the entry had it.
        size: u64,
        /// The part's digest, as the entry had it.
        digest: Digest,
        /// Where to.
        request: Request,
    },
    /// Bring the workspace to a version. Its entries and `EndTree` follow.
    Restore {
        /// The version.
        target: u64,
        /// The version that the workspace is at, if that is known.
        before: Option<u64>,
        /// Only compare.
        dry: bool,
        /// Go ahead although a restore of another version has begun to change the workspace.
        replace: bool,
    },
    /// Fetch one part of a file: the answer to `Want`.
    Get {
        /// The service's own number for this request.
        ticket: u64,
        /// Number of the file's entry in the target tree, from 0.
        entry: u64,
        /// Which part of it.
        part: u32,
        /// Where from: the whole object; the mover asks for the range.
        request: Request,
    },
    /// Bring everything to the volume's disk.
    Sync,
    /// Is there an unfinished restore?
    Status,
    /// Drop an unfinished restore that has not changed the workspace.
    Discard,
    /// After `Restore`, before the tree: do it only if the comparison has this digest, as [`Frame::State`] told it.
    Only(Digest),

    // Both ways: a tree.
    /// What is kept of the root itself, before the entries. Without it a restore leaves the root as it is.
    Root(Facts),
    /// One path.
    Entry(Entry),
    /// No more entries.
    EndTree {
        /// How many there were.
        entries: u64,
    },

    // From the mover.
    /// First.
    Ready {
        /// [`PROTOCOL`].
        protocol: u32,
    },
    /// There is something that no version holds.
    Skipped {
        /// Where.
        path: Vec<u8>,
        /// What.
        what: Special,
    },
    /// Something can't be read, or can't be set. The rest goes on; a version saved now is incomplete.
    Problem {
        /// Where.
        path: Vec<u8>,
        /// What failed.
        reason: String,
    },
    /// The store has an object where the `Put` goes: an earlier try whose answer was lost, or another one.
    Exists {
        /// Its ticket.
        ticket: u64,
    },
    /// A `Put` or `Get` is done.
    Done {
        /// Its ticket.
        ticket: u64,
        /// The store's ETag, if it gave one (the mover's word only).
        etag: String,
    },
    /// The file of a `Put` isn't what its entry said. Nothing was sent.
    Changed {
        /// Its ticket.
        ticket: u64,
        /// What is there now; nothing if it is gone.
        entry: Option<Entry>,
    },
    /// A `Put` or `Get` failed.
    Failed {
        /// Its ticket.
        ticket: u64,
        /// A new URL may help.
        again: bool,
        /// What happened.
        reason: String,
    },
    /// One path that differs from the target.
    Difference {
        /// How.
        change: Change,
        /// It is a folder (there, or in the target if it is not there).
        folder: bool,
        /// Its size in the target, or on the disk when it is deleted. 0 for what is no file.
        size: u64,
        /// Where.
        path: Vec<u8>,
    },
    /// Comes before `Compared`: the digest of all differences, and of what there is of each on the disk. Told once more,
    /// it has changed while files were fetched, and nothing is done.
    State(Digest),
    /// All differences were told.
    Compared(Totals),
    /// A part is missing. Answered by `Get` with the same entry and part.
    Want {
        /// Number of the file's entry in the target tree, from 0.
        entry: u64,
        /// Which part of it.
        part: u32,
    },
    /// How far fetching is.
    Progress {
        /// Parts that are there.
        done: u64,
        /// Parts that were missing.
        total: u64,
        /// Bytes that came.
        bytes: u64,
    },
    /// The workspace is as the version.
    Restored(Totals),
    /// The answer to `Status` and `Discard`.
    Journal {
        /// What there is.
        unfinished: Option<Unfinished>,
    },
    /// The answer to `Sync`.
    Synced,
    /// The last frame: the mover can't go on.
    Stopped {
        /// Why, and what to do.
        reason: String,
    },
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
