//! Digests of files that may change while they are read.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
};

use rustix::fs::Stat;
use sha2::{Digest as _, Sha256};

use super::{
    root::{mode, mtime_ns, open_file, shared_inode, size},
    words::{Content, Digest, Entry, Kind, part_count, part_range},
};

/// Bytes read at a time: large enough that the calls cost nothing beside the hashing, small enough for many at once.
pub const PIECE: usize = 256 << 10;

/// How often a file that changes while it is read is read again.
const TRIES: usize = 3;

/// S3's limit for an object.
const MAX_SIZE: u64 = 5 << 40;

/// A file as it was read.
#[derive(Debug)]
pub struct Reading {
    /// Its facts.
    pub entry: Entry,
    /// It did not change while it was read.
    pub stable: bool,
}

/// Reads a file whole, again if it changes meanwhile.
///
/// # Errors
/// It can't be read, or is no regular file.
pub fn read_entry(folder: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> io::Result<Reading> {
    let mut tries = 1;
    loop {
        let (file, stat) = open_file(folder, name)?;
        if size(&stat) > MAX_SIZE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than a store takes (5 TiB)"));
        }
        let digests = digests(&file, size(&stat))?;
        let stable = same(&stat, &rustix::fs::fstat(&file)?) && digests.is_some();
        if stable || tries == TRIES {
            let digests = match digests {
                Some(digests) => digests,
                // It shrank each time. Its `Put` will not fit, and ask again.
                None => vec![Digest([0; 32]); usize::try_from(part_count(size(&stat))).unwrap_or_default()],
            };
            let content = Content { size: size(&stat), digests, inode: shared_inode(&stat) };
            return Ok(Reading { entry: entry(path, Kind::File(content), &stat), stable });
        }
        tries += 1;
    }
}

/// An entry from what was seen.
pub fn entry(path: &[u8], kind: Kind, stat: &Stat) -> Entry {
    Entry { path: path.to_vec(), kind, mode: mode(stat), uid: stat.st_uid, gid: stat.st_gid, mtime_ns: mtime_ns(stat) }
}

fn same(a: &Stat, b: &Stat) -> bool {
    let facts = |s: &Stat| (s.st_size, s.st_mtime, s.st_mtime_nsec, s.st_ctime, s.st_ctime_nsec);
    facts(a) == facts(b)
}

/// The digests of all parts; nothing if the file ends before `size`.
fn digests(file: &File, size: u64) -> io::Result<Option<Vec<Digest>>> {
    let parts = u32::try_from(part_count(size)).unwrap_or(u32::MAX);
    (0..parts).map(|part| part_digest(file, size, part)).collect()
}

/// The digest of one part; nothing if the file ends before it does.
pub fn part_digest(file: &File, size: u64, part: u32) -> io::Result<Option<Digest>> {
    let range = part_range(size, part);
    let mut hash = Sha256::new();
    #[allow(clippy::cast_possible_truncation, reason = "at most PIECE")]
    let mut buffer = vec![0; (range.end - range.start).min(PIECE as u64) as usize];
    let mut at = range.start;
    while at < range.end {
        let length = usize::try_from(range.end - at).unwrap_or(PIECE).min(buffer.len());
        match file.read_at(&mut buffer[..length], at) {
            Ok(0) => return Ok(None),
            Ok(n) => {
                hash.update(&buffer[..n]);
                at += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(Some(Digest(hash.finalize().into())))
}

/// Whether the file of this name has exactly this content.
pub fn has_content(folder: impl AsFd, name: &[u8], content: &Content) -> io::Result<bool> {
    let (file, stat) = open_file(folder.as_fd(), name)?;
    if size(&stat) != content.size {
        return Ok(false);
    }
    for (part, digest) in (0..).zip(&content.digests) {
        if part_digest(&file, content.size, part)? != Some(*digest) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::ffi::OsStrExt};

    use super::*;
    use crate::inside::mover::{root::Root, words::PART};

    #[test]
    fn parts_have_their_own_digests_and_holes_are_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("f")).unwrap();
        file.set_len(PART + 5).unwrap();
        file.write_all_at(b"tail!", PART).unwrap();
        let root = Root::open(dir.path().as_os_str().as_bytes()).unwrap();
        let read = read_entry(root.as_fd(), b"f", b"f").unwrap();
        let Kind::File(content) = &read.entry.kind else { panic!() };
        assert!(read.stable);
        assert_eq!(content.size, PART + 5);
        assert_eq!(content.digests[1], Digest(Sha256::digest(b"tail!").into()));
        assert!(has_content(&root, b"f", content).unwrap());
        fs::write(dir.path().join("f"), "tail!").unwrap();
        assert!(!has_content(&root, b"f", content).unwrap());
    }
}
