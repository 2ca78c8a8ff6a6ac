//! The journal of a restore: `.sandbank/restore.json`.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::{
    fault,
    inside::mover::{
        root::{Root, open_file, open_folder},
        words::{RESERVED, Unfinished},
    },
};

const NAME: &str = "restore.json";
const NEW: &str = "restore.json.new";

/// Longest journal that is read: ours are 100 bytes.
const LONGEST: u64 = 4 << 10;

/// The restore that is unfinished, if any.
///
/// # Errors
/// `InvalidData`: there is something that isn't ours.
pub fn read(root: &Root) -> io::Result<Option<Unfinished>> {
    let file = match open_folder(root.as_fd(), RESERVED).and_then(|work| open_file(work.as_fd(), NAME.as_bytes())) {
        Ok((file, _)) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    let unfinished = serde_json::from_slice(&text);
    unfinished.map(Some).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, ".sandbank/restore.json is no journal; restore with `replace`")
    })
}

/// Writes it anew: all of it or nothing.
pub fn write(work: BorrowedFd<'_>, unfinished: &Unfinished) -> io::Result<()> {
    remove_if_there(work, NEW)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(work, NEW, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(&serde_json::to_vec(unfinished)?)?;
    file.sync_all()?;
    fault::point("journal");
    rustix::fs::renameat(work, NEW, work, NAME)?;
    rustix::fs::fsync(work)?;
    fault::point("journal");
    Ok(())
}

/// Removes it: the restore is finished or dropped.
pub fn remove(work: BorrowedFd<'_>) -> io::Result<()> {
    remove_if_there(work, NEW)?;
    remove_if_there(work, NAME)?;
    rustix::fs::fsync(work)?;
    fault::point("journal");
    Ok(())
}

fn remove_if_there(work: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(work, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
