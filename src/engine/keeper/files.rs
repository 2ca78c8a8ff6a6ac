//! Names and small files of a sandbox's folder. The folder is the truth: it says what the sandbox is, what its
//! commands said, how they ended and how it ended, with or without a keeper.
//!
//! ```text
//! spec.json       what to start (no environment)     execs/ID/out.N err.N   output logs
//! keeper.lock     held while the keeper lives        execs/ID/exit.json     how the command ended
//! keeper.sock     where it listens                   keys/                  sockets shown under /run/sandbank
//! init.json       the jail's note of its processes   end.json               how the sandbox ended
//! ```

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

/// What to start.
pub const SPEC: &str = "spec.json";
/// Held with flock for the keeper's life.
pub const LOCK: &str = "keeper.lock";
/// The keeper's Unix socket.
pub const SOCKET: &str = "keeper.sock";
/// [`crate::engine::spec::End`].
pub const END: &str = "end.json";
/// Folder of the key sockets.
pub const KEYS: &str = "keys";
/// [`crate::engine::spec::ExecEnd`], in an exec's folder.
pub const EXIT: &str = "exit.json";

/// Connections that wait: the kernel's own bound (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

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
