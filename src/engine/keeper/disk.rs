//! Whether the disk has room for output. While it has none nothing is read from the commands, so that their pipes block
//! and nothing is lost.

use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

use crate::engine::room::Room;

/// How often a full disk is looked at again.
const RETRY: Duration = Duration::from_millis(250);
/// The disk is looked at once for this much output…
const BYTES: u64 = 4 << 20;
/// …or after this long.
const AGE: Duration = Duration::from_secs(1);

/// The disk of a sandbox's folder.
#[derive(Debug)]
pub struct Disk {
    /// Bytes that stay free; zero: by the disk's size.
    floor: u64,
    full: bool,
    /// When it was last looked at, and what had been taken by then.
    looked: Option<(Instant, u64)>,
    taken: u64,
}

impl Disk {
    /// One that keeps `floor` bytes free.
    pub fn new(floor: u64) -> Self {
        Self { floor, full: false, looked: None, taken: 0 }
    }

    /// Whether it had no room when last asked.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// When to ask again.
    pub fn retry(&self) -> Option<Duration> {
        self.full.then_some(RETRY)
    }

    /// Asks, unless the last answer still holds.
    pub fn has_room(&mut self, folder: impl AsFd) -> bool {
        let fresh = self.looked.is_some_and(|(at, taken)| at.elapsed() < AGE && self.taken - taken < BYTES);
        if self.full || !fresh {
            self.looked = Some((Instant::now(), self.taken));
            // A disk that doesn't say is written to until it refuses.
            self.full = Room::of(folder, self.floor).is_some_and(Room::is_short);
        }
        !self.full
    }

    /// It took so many bytes, and then refused more or not.
    pub fn took(&mut self, bytes: u64, refused: bool) {
        self.taken += bytes;
        self.full = refused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_asked_again_and_one_with_room_only_now_and_then() {
        let dir = tempfile::tempdir().unwrap();
        let folder = std::fs::File::open(dir.path()).unwrap();
        let mut disk = Disk::new(u64::MAX);
        assert!(!disk.has_room(&folder) && disk.is_full());
        assert_eq!(disk.retry(), Some(RETRY));
        disk.floor = 1;
        assert!(disk.has_room(&folder) && disk.retry().is_none());

        disk.floor = u64::MAX;
        assert!(disk.has_room(&folder), "the last answer still holds");
        disk.took(BYTES, false);
        assert!(!disk.has_room(&folder), "enough was taken to look again");
        disk.floor = 1;
        disk.took(1, true);
        assert!(disk.is_full() && disk.has_room(&folder), "a refusal holds until the disk is asked");
    }
}
