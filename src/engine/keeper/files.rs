//! Names and small files of a sandbox's folder. The folder is the truth: it says what the sandbox is, what its
//! commands said, how they ended and how it ended, with or without a keeper.
//!
//! ```text
//! spec.json       what to start (no environment)     execs/ID/out.N err.N   output logs
//! keeper.lock     held while the keeper lives        execs/ID/exit.json     how the command ended
//! keeper.sock     where it listens                   keys/                  sockets shown under /run/sandbank
//! init.json       the jail's first process, limits   end.json               how the sandbox ended
//! ```

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{fs::OpenOptionsExt, net::UnixListener},
    },
    path::{Path, PathBuf},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What to start.
pub const SPEC: &str = "spec.json";
/// Held with flock for the keeper's life.
pub const LOCK: &str = "keeper.lock";
/// The keeper's Unix socket.
pub const SOCKET: &str = "keeper.sock";
/// [`Init`].
pub const INIT: &str = "init.json";
/// [`crate::engine::spec::End`].
pub const END: &str = "end.json";
/// Folder of the key sockets.
pub const KEYS: &str = "keys";
/// [`crate::engine::spec::ExecEnd`], in an exec's folder.
pub const EXIT: &str = "exit.json";

/// Connections that wait: the kernel's own bound (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// What must be cleaned up when a keeper could not.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Init {
    /// Process id of the jail's first process, seen from the host.
    pub pid: i32,
    /// Its start time in clock ticks since boot, which tells it from a later process of the same number.
    pub started: u64,
    /// Its control groups.
    pub groups: Vec<PathBuf>,
}

/// A sandbox's folder, held open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    open: OwnedFd,
}

impl Folder {
    /// Of a folder that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_path_buf(), open: fs::File::open(path)?.into() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of one exec.
    pub fn exec(&self, exec_id: &str) -> PathBuf {
        exec_dir(&self.path, exec_id)
    }

    /// The path of a socket in it: it fits into a socket's address however long the folder's own is.
    pub fn socket(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.open.as_raw_fd())
    }

    /// A nonblocking listening socket in it; one that a dead keeper left is replaced.
    pub fn listen(&self, name: &str) -> io::Result<UnixListener> {
        let path = self.socket(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, BACKLOG)?;
        Ok(socket.into())
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.open.as_fd()
    }
}

/// An exec's folder.
pub fn exec_dir(dir: &Path, exec_id: &str) -> PathBuf {
    dir.join("execs").join(exec_id)
}

/// Whether an id may name a folder: letters, digits, `-`, `_`, at most 64 of them, so that the path of its key socket
/// fits into the 108 bytes of a socket address.
pub fn valid_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Writes a small file so that readers see all of it or nothing. Mode 0600.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, &serde_json::to_vec(value)?)?;
    fs::rename(&new, path)
}

/// Reads one; `None` when it isn't there.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Start time of a live process in clock ticks since boot; `None` for none and for a zombie.
pub fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows the last one is fields 3 and on.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}
