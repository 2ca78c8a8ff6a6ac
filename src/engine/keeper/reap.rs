//! What is left of a sandbox whose keeper is gone: how it ended, how its commands ended, and what must be cleared away.

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{FlockOperation, flock},
    process::Signal,
};

use super::{error::KeeperError, files};
use crate::engine::{
    jail, json_file,
    spec::{End, ExecEnd},
};

/// Whether a keeper holds the folder.
pub fn lock_is_held(dir: &Path) -> io::Result<bool> {
    let file = match File::open(dir.join(files::LOCK)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(e) => Err(e.into()),
    }
}

/// Waits until no keeper holds the folder and no process of the jail is left, clears control groups and sockets, and
/// says how the sandbox ended.
pub fn reap(dir: &Path) -> End {
    if let Ok(file) = File::open(dir.join(files::LOCK)) {
        while let Err(rustix::io::Errno::INTR) = flock(&file, FlockOperation::LockExclusive) {}
    }
    jail::clear(dir);
    for leftover in [files::SOCKET, files::KEYS] {
        let path = dir.join(leftover);
        let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
    }
    match json_file::read(&dir.join(files::END)) {
        Ok(Some(end)) => end,
        _ => {
            let _ = json_file::write(&dir.join(files::END), &End::Lost);
            End::Lost
        }
    }
}

/// How an exec of an ended sandbox ended: by the jail's end if nothing else is written.
pub fn exit(dir: &Path, exec_id: &str) -> Result<ExecEnd, KeeperError> {
    let folder = files::exec_dir(dir, exec_id);
    if !files::valid_id(exec_id) || !folder.is_dir() {
        return Err(KeeperError::NoSuchExec);
    }
    Ok(json_file::read(&folder.join(files::EXIT))?.unwrap_or(ExecEnd::Signal(Signal::KILL.as_raw())))
}
