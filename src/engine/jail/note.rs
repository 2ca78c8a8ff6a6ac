//! What is left of a jail whose keeper died too fast to clean up: noted in the sandbox's folder before anything runs in
//! the jail, gone with it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::limits;
use crate::engine::json_file;

/// In the sandbox's folder.
const FILE: &str = "init.json";

/// A killed jail of 300 processes was gone after 82 ms; a machine that swaps takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The jail's first process and what counts its use.
#[derive(Debug, Serialize, Deserialize)]
pub struct Init {
    /// Process id, seen from the host.
    pub pid: i32,
    /// Its start time in clock ticks since boot, which tells it from a later process of the same number.
    started: u64,
    /// Its control groups.
    pub groups: Vec<PathBuf>,
}

impl Init {
    /// Of a live process.
    pub fn new(pid: i32, groups: Vec<PathBuf>) -> Self {
        Self { pid, started: start_time(pid).unwrap_or(0), groups }
    }

    /// Notes it in a sandbox's folder.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        json_file::write(&dir.join(FILE), self)
    }

    /// What a sandbox's folder has noted.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        json_file::read(&dir.join(FILE))
    }
}

/// All was cleaned up.
pub fn forget(dir: &Path) {
    // One that stays says nothing false: its process is gone.
    let _ = fs::remove_file(dir.join(FILE));
}

/// Cleans up what a folder's note names: kills what still runs and waits for it, removes the groups.
pub fn clear(dir: &Path) {
    if let Ok(Some(init)) = Init::read(dir) {
        kill(&init);
        limits::remove(&init.groups, PATIENCE);
        forget(dir);
    }
}

/// The first process of a jail dies with its keeper; this waits for it, and helps it if it doesn't.
fn kill(init: &Init) {
    let deadline = Instant::now() + PATIENCE;
    let Some(pid) = Pid::from_raw(init.pid) else { return };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    // The handle may be of a later process with the same number: only the start time tells.
    while start_time(init.pid) == Some(init.started) && Instant::now() < deadline {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
        sleep(Duration::from_millis(2));
    }
}

/// Start time of a live process in clock ticks since boot; `None` for none and for a zombie.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows the last one is fields 3 and on.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(pid: i32) -> bool {
        start_time(pid).is_none()
    }

    #[test]
    fn what_is_noted_is_killed_and_a_later_process_with_its_number_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();

        let mut init = Init::new(pid, Vec::new());
        init.started += 1;
        init.write(dir.path()).unwrap();
        clear(dir.path());
        assert!(!ended(pid) && Init::read(dir.path()).unwrap().is_none());

        Init::new(pid, Vec::new()).write(dir.path()).unwrap();
        clear(dir.path());
        assert!(ended(pid) && Init::read(dir.path()).unwrap().is_none());
        child.wait().unwrap();
        clear(dir.path());
    }
}
