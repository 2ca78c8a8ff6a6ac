//! One command of a sandbox: what it is, and the fork and exec that start it.

use std::{
    ffi::{CString, NulError},
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::engine::spec::ExecSpec;

/// Where commands are looked for when their environment has no PATH.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the jail's first process is told of a command. The descriptors travel beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Command {
    /// argv.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub workdir: String,
    /// The one descriptor is a terminal, for all three of the command's.
    pub terminal: bool,
    /// For which of the three a descriptor comes along; the others are `/dev/null`.
    pub pipes: [bool; 3],
}

impl Command {
    /// Of what an engine asks.
    pub fn new(spec: &ExecSpec, workdir: &str) -> Self {
        Self {
            argv: spec.command.clone(),
            env: spec.env.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            workdir: spec.workdir.clone().unwrap_or_else(|| workdir.to_string()),
            terminal: spec.pty.is_some(),
            pipes: [true, spec.stdout, spec.stderr],
        }
    }

    /// How many descriptors come along.
    pub fn descriptors(&self) -> usize {
        if self.terminal { 1 } else { self.pipes.iter().filter(|p| **p).count() }
    }

    /// Starts it in a session of its own, with these as its standard input, output and error. Call in a process of one
    /// thread. A program that can't be started ends as in a shell: a sentence on its standard error, 127 when it isn't
    /// there, 126 otherwise.
    pub fn start(&self, stdio: [BorrowedFd<'_>; 3]) -> io::Result<Pid> {
        let prepared = Prepared::new(self).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "a zero byte in an argument, a variable or a path")
        })?;
        // SAFETY: the process has one thread, so the child may use everything it copied.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => prepared.exec(self.terminal, stdio.map(|fd| fd.as_raw_fd())),
            pid => Pid::from_raw(pid).ok_or_else(|| io::Error::from(io::ErrorKind::Other)),
        }
    }
}

/// What exec wants, made before the fork.
struct Prepared {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    workdir: CString,
}

impl Prepared {
    fn new(command: &Command) -> Result<Self, NulError> {
        let name = command.argv.first().map_or("", String::as_str);
        let path = command.env.iter().find(|(k, _)| k == "PATH").map_or(PATH, |(_, v)| v.as_str());
        let candidates = if name.contains('/') {
            vec![name.to_string()]
        } else {
            path.split(':')
                .map(|dir| if dir.is_empty() { format!("./{name}") } else { format!("{dir}/{name}") })
                .collect()
        };
        let all = |strings: Vec<String>| strings.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            candidates: all(candidates)?,
            argv: all(command.argv.clone())?,
            env: all(command.env.iter().map(|(k, v)| format!("{k}={v}")).collect())?,
            workdir: CString::new(command.workdir.as_str())?,
        })
    }

    /// In the child: never returns.
    fn exec(&self, terminal: bool, stdio: [i32; 3]) -> ! {
        let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
            strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
        };
        let (argv, env) = (pointers(&self.argv), pointers(&self.env));
        // SAFETY: all pointers are to strings that live until exec replaces the process; the descriptors are open and
        // above 2, because the parent keeps 0 to 2 for itself.
        unsafe {
            libc::setsid();
            for (to, from) in stdio.iter().enumerate() {
                libc::dup2(*from, to as i32);
            }
            if terminal {
                libc::ioctl(0, libc::TIOCSCTTY, 0);
            }
            // All of ours close on exec already; this is for one that somebody forgets.
            libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            if libc::chdir(self.workdir.as_ptr()) != 0 {
                self.give_up("cannot go to ", &self.workdir, &io::Error::last_os_error(), 126);
            }
            let mut worst = io::Error::from_raw_os_error(libc::ENOENT);
            for candidate in &self.candidates {
                libc::execve(candidate.as_ptr(), argv.as_ptr(), env.as_ptr());
                let e = io::Error::last_os_error();
                if !matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) {
                    worst = e;
                }
            }
            let code = if worst.raw_os_error() == Some(libc::ENOENT) { 127 } else { 126 };
            self.give_up("", self.argv.first().unwrap_or(&self.workdir), &worst, code)
        }
    }

    fn give_up(&self, what: &str, on: &CString, e: &io::Error, code: i32) -> ! {
        let line = format!("sandbank: {what}{}: {e}\n", on.to_string_lossy());
        // SAFETY: the line lives over the write; _exit ends the copied process without its parent's clean-up.
        unsafe {
            libc::write(2, line.as_ptr().cast(), line.len());
            libc::_exit(code)
        }
    }
}
