//! What a restore would do: the target tree beside the disk.
//!
//! The digest of a comparison stands for all that would change, and for what would be lost by it: who has seen the one
//! comparison has agreed to nothing that another digest stands for. A file counts by its size, times and mode, since one
//! of another size isn't read.

use std::{io, os::fd::AsFd as _};

use bytes::{BufMut, BytesMut};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

use super::tree::{Merge, Step, Tree};
use crate::inside::mover::{
    context::Mover,
    hash::has_content,
    path::split,
    root::{file_type, mode, mtime_ns, size},
    stop::Stop,
    threads::{READERS, ahead, blocking},
    walk::{Found, Walk},
    words::{Change, Content, Digest, Entry, Facts, Frame, Kind, Special, Totals, part_count},
};

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// What the root itself gets.
    pub root: Option<Facts>,
    /// For each entry of the tree: a new file takes its place. One byte an entry: a million files are a megabyte.
    pub place: Vec<bool>,
    /// Counts; `bytes` of all new files.
    pub totals: Totals,
    /// Parts of all new files, without empty ones.
    pub parts: u64,
    /// Of all differences.
    pub digest: Digest,
}

/// One path's verdict.
#[derive(Debug, Default)]
struct Verdict {
    /// Of the tree's entry, if there is one: its size if it is a file, and whether a new file takes its place.
    entry: Option<(Option<u64>, bool)>,
    /// What to tell.
    say: Option<Frame>,
    /// What is there now of something that differs: a few bytes.
    now: Vec<u8>,
}

/// Compares, and tells all differences. Files are read by many threads, and told in order.
pub async fn compare(mover: &Mover, tree: &Tree, target: u64) -> Result<Plan, Stop> {
    go_through(mover, tree, target, true).await
}

/// Compares again, without a word.
pub async fn state(mover: &Mover, tree: &Tree, target: u64) -> Result<Digest, Stop> {
    Ok(go_through(mover, tree, target, false).await?.digest)
}

async fn go_through(mover: &Mover, tree: &Tree, target: u64, tell: bool) -> Result<Plan, Stop> {
    let walk = Walk::new(mover.root.clone()).map_err(cant_compare)?;
    let verdicts = ahead(Merge::new(tree, walk))?.map(|step| blocking(move || judge(step?))).buffered(READERS);
    let mut verdicts = std::pin::pin!(verdicts);
    let mut plan = Plan::default();
    let mut digest = Sha256::new_with_prefix(target.to_be_bytes());
    while let Some(verdict) = verdicts.next().await {
        let Verdict { entry, say, now } = verdict.map_err(cant_compare)?;
        if let Some((size, place)) = entry {
            plan.place.push(place);
            plan.totals.files += u64::from(size.is_some());
            if let Some(size) = size.filter(|size| place && *size > 0) {
                plan.totals.bytes += size;
                plan.parts += part_count(size);
            }
        }
        if let Some(frame) = say {
            if let Frame::Difference { change, .. } = &frame {
                *match change {
                    Change::Added => &mut plan.totals.added,
                    Change::Changed => &mut plan.totals.changed,
                    Change::Deleted => &mut plan.totals.deleted,
                } += 1;
                let mut told = BytesMut::new();
                frame.encode(&mut told);
                digest.update(&told);
                digest.update(now.len().to_be_bytes());
                digest.update(&now);
            }
            if tell {
                mover.out.send(frame).await?;
            }
        }
    }
    plan.digest = Digest(digest.finalize().into());
    Ok(plan)
}

fn cant_compare(error: io::Error) -> Stop {
    Stop::at("the workspace can't be compared with the version; nothing was changed", error)
}

fn judge(step: Step) -> io::Result<Verdict> {
    Ok(match step {
        Step::Problem(path, reason) => Verdict { say: Some(Frame::Problem { path, reason }), ..Verdict::default() },
        Step::Missing(entry) if entry.kind == Kind::LeftOut => verdict(&entry, false, None),
        Step::Missing(entry) => verdict(&entry, true, Some(Change::Added)),
        Step::Extra(found) => Verdict { now: now(&found), say: deleted(found), entry: None },
        Step::Both(entry, Found::Skipped(_, Special::Mount)) if entry.kind != Kind::LeftOut => {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            return Err(io::Error::other(format!("another file system is mounted at {path}: unmount it first")));
        }
        Step::Both(entry, found) => {
            let (place, changed) = differs(&entry, &found);
            Verdict { now: now(&found), ..verdict(&entry, place, changed.then_some(Change::Changed)) }
        }
    })
}

/// Whether a new file (or link) must take the place, and whether people would call it changed: owner and times alone
/// are set without a word.
fn differs(entry: &Entry, found: &Found) -> (bool, bool) {
    match (&entry.kind, found) {
        (Kind::LeftOut, _) => (false, false),
        (Kind::Folder, Found::Entry(there, stat)) if there.kind == Kind::Folder => (false, mode(stat) != entry.mode),
        (Kind::Link { .. }, Found::Entry(there, _)) if there.kind == entry.kind => (false, false),
        (Kind::File(content), Found::File { path, folder, stat }) => {
            let same =
                size(stat) == content.size && has_content(folder.as_fd(), split(path).1, content).unwrap_or(false);
            // Of a file with several names, what is set by one name shows by the others: it gets a file of its own.
            let facts = (mode(stat), mtime_ns(stat), stat.st_uid, stat.st_gid);
            let shared = stat.st_nlink > 1 && facts != (entry.mode, entry.mtime_ns, entry.uid, entry.gid);
            (!same || shared, !same || mode(stat) != entry.mode)
        }
        _ => (true, true),
    }
}

fn verdict(entry: &Entry, place: bool, change: Option<Change>) -> Verdict {
    let size = match &entry.kind {
        Kind::File(Content { size, .. }) => Some(*size),
        _ => None,
    };
    let say = change.map(|change| Frame::Difference {
        change,
        folder: entry.kind == Kind::Folder,
        size: size.unwrap_or(0),
        path: entry.path.clone(),
    });
    Verdict { entry: Some((size, place && size.is_some())), say, now: Vec::new() }
}

/// What is on the disk, as the digest has it. Of a folder without its time: what is in it stands for itself.
fn now(found: &Found) -> Vec<u8> {
    let (kind, stat) = match found {
        Found::File { stat, .. } => (0, Some(stat)),
        Found::Entry(entry, stat) if entry.kind == Kind::Folder => (1, Some(stat)),
        Found::Entry(_, stat) => (2, Some(stat)),
        Found::Skipped(_, what) => (3 + *what as u8, None),
        Found::Problem(..) => (u8::MAX, None),
    };
    let mut bytes = vec![kind];
    if let Some(stat) = stat {
        [mode(stat), stat.st_uid, stat.st_gid].into_iter().for_each(|n| bytes.put_u32(n));
        if kind != 1 {
            bytes.put_u64(size(stat));
            bytes.put_i64(mtime_ns(stat));
        }
    }
    if let Found::Entry(Entry { kind: Kind::Link { target }, .. }, _) = found {
        bytes.extend_from_slice(target);
    }
    bytes
}

/// What no version holds stays where it is.
fn deleted(found: Found) -> Option<Frame> {
    let (folder, size) = match &found {
        Found::Entry(_, stat) => (file_type(stat) == rustix::fs::FileType::Directory, 0),
        Found::File { stat, .. } => (false, size(stat)),
        Found::Skipped(..) | Found::Problem(..) => return None,
    };
    Some(Frame::Difference { change: Change::Deleted, folder, size, path: found.path().to_vec() })
}
