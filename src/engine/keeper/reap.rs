//! What is left of a sandbox whose keeper is gone: how it ended, how its commands ended, and what must be cleared away.

use std::{
    fs::File,
    io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{error::KeeperError, files};
use crate::engine::{
    jail::limits,
    spec::{End, ExecEnd},
};

/// A killed jail of 300 processes was gone after 82 ms; a machine that swaps takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

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
    if let Ok(Some(init)) = files::read_json::<files::Init>(&dir.join(files::INIT)) {
        kill(&init);
        limits::remove(&init.groups, PATIENCE);
        let _ = std::fs::remove_file(dir.join(files::INIT));
    }
    for leftover in [files::SOCKET, files::KEYS] {
        let path = dir.join(leftover);
        let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
    }
    match files::read_json(&dir.join(files::END)) {
        Ok(Some(end)) => end,
        _ => {
            let _ = files::write_json(&dir.join(files::END), &End::Lost);
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
    Ok(files::read_json(&folder.join(files::EXIT))?.unwrap_or(ExecEnd::Signal(Signal::KILL.as_raw())))
}

/// The first process of a jail dies with its keeper; this waits for it, and helps it if it doesn't.
fn kill(init: &files::Init) {
    let deadline = Instant::now() + PATIENCE;
    let Some(pid) = Pid::from_raw(init.pid) else { return };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    // The handle may be of a later process with the same number: only the start time tells.
    while files::start_time(init.pid) == Some(init.started) && Instant::now() < deadline {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
        sleep(Duration::from_millis(2));
    }
}
