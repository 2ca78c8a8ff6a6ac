//! The manifest: what a version consists of, and which object holds each file.
//!
//! Two zstd frames, one after the other. The first holds the [`Head`], one JSON document of at most [`MAX_HEAD`]
//! bytes, so that a list of versions reads only the first [`HEAD_READ`] bytes of each manifest. The second holds the
//! tree: one JSON document a line ([`Record`]), in the order of a walk. `zstd -dc` shows it all.
//!
//! ```json
//! {"format":1,"features":[],"kind":"plain","version":1764192145,"account":"heron","files":2,…}
//! {"type":"folder","path":"src","mode":493,"uid":1000,"gid":1000,"mtime_ns":1764192000000000000}
//! {"type":"file","path":"src/main.rs",…,"size":14,"sha256":"…","version":1764192145,"etag":"\"…\""}
//! {"type":"link","path":"src/x",…,"target":"main.rs"}
//! {"type":"left_out","path":"var/busy.log",…}
//! ```
//!
//! A reader refuses a `format` it doesn't know and any name in `features` that it doesn't: what must be understood
//! gets a name there, what may be ignored is just another field. A manifest comes from a bucket that others can write
//! to, so nothing in it is believed: paths can't climb, nothing comes twice, nothing lies below a link, no file lies
//! in another account's object, and memory is bounded by what a line may be.

mod head;
mod record;

use std::io::{self, BufRead, Cursor, Read, Write};

use bytes::Bytes;
pub use head::{FEATURES, FORMAT, HEAD_READ, Head, Kind, LEFT_OUT, MAX_HEAD, MAX_NOTE};
pub use record::{Holder, Record};

use super::keys::Keys;
use crate::inside::mover::path::TreeCheck;

/// Longest manifest that is read or written: 1.5 million files at about 90 bytes each.
pub const MAX_MANIFEST: u64 = 128 << 20;

/// Most entries of a tree: what the walk of one fits in memory with, and far above any workspace.
pub const MAX_ENTRIES: u64 = 2_000_000;

/// Longest line: 10,000 digests of parts (67 bytes each) and a path in base64.
const MAX_LINE: u64 = 1 << 20;

/// 8 MiB, what zstd uses up to level 19. A frame that wants more memory to be read isn't ours.
const WINDOW_LOG: u32 = 23;

/// Small and fast enough: 10,000 entries take 20 ms.
const LEVEL: i32 = 6;

/// Why a manifest is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// It is from a later sandbank.
    #[error("it needs a newer sandbank ({0}); upgrade this one")]
    Newer(String),
    /// It isn't a manifest, or was damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

fn damaged(why: impl Into<String>) -> BadManifest {
    BadManifest::Damaged(why.into())
}

/// Writes a manifest.
///
/// # Errors
/// The head is too long, or the whole is.
pub fn encode(head: &Head, records: &[Record]) -> io::Result<Bytes> {
    let mut out = head.encode()?;
    let mut frame = zstd::stream::write::Encoder::new(&mut out, LEVEL)?;
    for record in records {
        record.write(&mut frame)?;
        frame.write_all(b"\n")?;
    }
    frame.finish()?;
    if out.len() as u64 > MAX_MANIFEST {
        return Err(io::Error::other(format!("the manifest has more than {MAX_MANIFEST} bytes")));
    }
    Ok(out.into())
}

/// The head alone, from the first bytes of a manifest.
///
/// # Errors
/// These are no such bytes.
pub fn decode_head(start: &[u8]) -> Result<Head, BadManifest> {
    Head::decode(start).map(|(head, _)| head)
}

/// A manifest that is being read. Gives the records in order, each checked; after an error nothing more comes. All
/// of it is only right when the end was reached without one.
pub struct Manifest {
    /// The head.
    pub head: Head,
    keys: Keys,
    lines: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    check: TreeCheck,
    files: u64,
    bytes: u64,
    over: bool,
}

impl Manifest {
    /// Begins to read a manifest of an account.
    ///
    /// # Errors
    /// It isn't one.
    pub fn decode(bytes: Bytes, keys: Keys) -> Result<Self, BadManifest> {
        let (head, used) = Head::decode(&bytes)?;
        let mut frame = zstd::stream::read::Decoder::with_buffer(Cursor::new(bytes.slice(used..)))
            .map_err(|e| damaged(e.to_string()))?
            .single_frame();
        frame.window_log_max(WINDOW_LOG).map_err(|e| damaged(e.to_string()))?;
        let lines = Box::new(io::BufReader::new(frame));
        let check = TreeCheck::default();
        Ok(Self { head, keys, lines, line: Vec::new(), check, files: 0, bytes: 0, over: false })
    }

    fn read(&mut self) -> Result<Option<Record>, BadManifest> {
        self.line.clear();
        let read = (&mut self.lines).take(MAX_LINE).read_until(b'\n', &mut self.line);
        let length = read.map_err(|e| damaged(e.to_string()))?;
        if length == 0 {
            let told = (self.head.entries, self.head.files, self.head.bytes);
            if told != (self.check.entries(), self.files, self.bytes) {
                return Err(damaged("what its head counts is not what it holds"));
            }
            return Ok(None);
        }
        let number = self.check.entries() + 1;
        if self.line.last() != Some(&b'\n') {
            return Err(damaged(format!("line {number} is cut or too long")));
        }
        let bad = |why: &str| damaged(format!("line {number}: {why}"));
        if number > self.head.entries {
            return Err(bad("it is more than its head counts"));
        }
        let record = Record::read(&self.line).map_err(|why| bad(&why))?;
        self.check.push(&record.entry).map_err(|e| bad(&e.to_string()))?;
        if let Some(content) = record.content() {
            self.files += 1;
            self.bytes = self.bytes.checked_add(content.size).ok_or_else(|| bad("no tree is that large"))?;
        }
        if let Some(Holder::Key(key)) = &record.holder
            && !self.keys.may_hold(key)
        {
            return Err(bad("it names an object of somebody else"));
        }
        Ok(Some(record))
    }
}

impl Iterator for Manifest {
    type Item = Result<Record, BadManifest>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.read().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
pub(crate) mod tests;
