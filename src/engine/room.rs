//! Room on the data dir's disk: how much of it stays free, and what is said when it doesn't.
//!
//! Below the floor nothing that a sandbox writes is taken (its writers wait, nothing is lost), so nothing is started
//! either: it would hang without a word.

use std::{os::fd::AsFd, path::Path, sync::Arc, time::Duration};

use rustix::fs::{StatVfs, fstatvfs, statvfs};
use tonic::Status;

use super::{Settings, Shared};
use crate::core::figures::size;

/// Free disk that output must leave to the rest of the machine.
const FLOOR: u64 = 1 << 30;

/// A disk of less than ten times that leaves a tenth: else a small one could never take a byte.
const PART: u64 = 10;

/// How often a running engine looks: somebody who wonders why nothing comes soon finds the reason in the log.
const LOOK: Duration = Duration::from_secs(10);

/// How Linux says that a disk is full. Keepers and helpers are other processes, of whose errors only the words arrive.
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// What is free on a disk, and what must stay so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    free: u64,
    floor: u64,
}

impl Room {
    /// On the disk of an open folder; `floor` counts unless it is zero. None for a disk that doesn't say.
    pub fn of(folder: impl AsFd, floor: u64) -> Option<Self> {
        fstatvfs(folder).ok().map(|disk| Self::read(&disk, floor))
    }

    fn at(folder: &Path, floor: u64) -> Option<Self> {
        let there = folder.ancestors().find(|a| a.exists())?;
        statvfs(there).ok().map(|disk| Self::read(&disk, floor))
    }

    fn read(disk: &StatVfs, floor: u64) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        let floor = if floor == 0 { default_floor(bytes(disk.f_blocks)) } else { floor };
        Self { free: bytes(disk.f_bavail), floor }
    }

    /// Whether there is too little.
    pub fn is_short(self) -> bool {
        self.free < self.floor
    }
}

fn default_floor(disk: u64) -> u64 {
    FLOOR.min(disk / PART)
}

/// What is free, in words.
///
/// # Errors
/// Too little: "what is wrong: what to do".
pub fn check(settings: &Settings) -> Result<String, String> {
    let dir = settings.dir.display();
    let Some(room) = Room::at(&settings.dir, settings.disk_floor) else {
        return Ok(format!("the disk of {dir} doesn't say how much of it is free"));
    };
    let (free, floor) = (size(room.free), size(room.floor));
    if room.is_short() {
        return Err(format!(
            "less than {floor} is free on the disk of {dir} ({free}): free some space there; output of sandboxes is \
             held back until then"
        ));
    }
    Ok(format!("{free} is free on the disk of {dir}; output of sandboxes leaves {floor} of it"))
}

/// Refuses what would hang for want of room.
///
/// # Errors
/// RESOURCE_EXHAUSTED with what to do.
pub fn need(shared: &Shared) -> Result<(), Status> {
    check(&shared.settings).map(drop).map_err(Status::resource_exhausted)
}

/// Whether something failed because the disk was full.
pub fn was_full(sentence: &str) -> bool {
    FULL.iter().any(|words| sentence.contains(words))
}

/// The sentence of a failure, with what to do when it was for want of room.
pub fn explain(dir: &Path, sentence: String) -> String {
    if was_full(&sentence) { format!("{sentence}: free some space on the disk of {}", dir.display()) } else { sentence }
}

/// The same for an answer: a full disk is no trouble of the connection, and trying again at once is in vain.
pub fn status(shared: &Shared, status: Status) -> Status {
    if was_full(status.message()) {
        Status::resource_exhausted(explain(&shared.settings.dir, status.message().to_owned()))
    } else {
        status
    }
}

/// Writes into the log when the output of sandboxes begins to be held back, and when it goes on. Never returns.
pub async fn watch(shared: Arc<Shared>) {
    let mut short = false;
    loop {
        let held = held_back(&shared);
        match &held {
            Some(why) if !short => tracing::warn!("{why}"),
            None if short => tracing::info!("output of sandboxes is taken again: there is room on the disk"),
            _ => {}
        }
        short = held.is_some();
        tokio::time::sleep(LOOK).await;
    }
}

fn held_back(shared: &Shared) -> Option<String> {
    // Without one nothing is held back.
    check(&shared.settings).err().filter(|_| shared.sandboxes.running() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::state::StateError;

    #[test]
    fn a_small_disk_leaves_a_tenth_and_a_large_one_a_gibibyte() {
        assert_eq!(default_floor(1_000_000_000), 100_000_000);
        assert_eq!(default_floor(1 << 40), FLOOR);
        let dir = tempfile::tempdir().unwrap();
        let folder = std::fs::File::open(dir.path()).unwrap();
        assert!(!Room::of(&folder, 1).unwrap().is_short() && Room::of(&folder, u64::MAX).unwrap().is_short());
        assert_eq!(Room::at(&dir.path().join("not/yet"), 7).unwrap().floor, 7);
    }

    #[test]
    fn a_full_disk_is_told_from_other_trouble_and_by_its_folder() {
        let explained = |code| explain(Path::new("/data"), std::io::Error::from_raw_os_error(code).to_string());
        for code in [libc::ENOSPC, libc::EDQUOT] {
            assert!(explained(code).ends_with(": free some space on the disk of /data"), "{}", explained(code));
        }
        assert!(!explained(libc::EIO).contains("free some space"));
        let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_WRITE);
        let full = StateError::from(rusqlite::Error::SqliteFailure(full, None));
        assert!(was_full(&full.to_string()), "{full}");
    }
}
