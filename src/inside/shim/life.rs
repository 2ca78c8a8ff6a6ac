//! The command's process: how long it may live, and how it ended.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    process::Child,
    time::{Duration, Instant},
};

use crate::inside::spawn;

/// How long an idle command has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// After the command's own end, how long its descendants may still hold its output open: a background process that
/// inherited the pipe must not keep a turn from ending.
const LINGER: Duration = Duration::from_millis(200);

/// Exit code of a command that SIGKILL ended, as a shell counts it; also of one whose end nobody saw.
const KILLED: i32 = 128 + 9;

/// A command that runs or has ended.
pub struct Life {
    /// Leader of the command's process group.
    leader: u32,
    /// The exit code comes here, from a thread that waits for it.
    exit: File,
    ended: Option<(i32, Instant)>,
    /// How long it may be idle.
    idle: Option<Duration>,
    /// When it last was not.
    active: Instant,
    /// When it was asked to end.
    stopping: Option<Instant>,
}

impl Life {
    /// Of a command that was just started.
    pub fn new(child: Child, idle: Option<Duration>) -> io::Result<Self> {
        let leader = child.id();
        Ok(Self { leader, exit: wait_for(child)?, ended: None, idle, active: Instant::now(), stopping: None })
    }

    /// What it is to be woken for until it has ended.
    pub fn wanted(&self) -> Option<&File> {
        self.ended.is_none().then_some(&self.exit)
    }

    /// It has ended.
    pub fn woken(&mut self) {
        let mut code = [0; 4];
        let code = self.exit.read_exact(&mut code).map_or(KILLED, |()| i32::from_be_bytes(code));
        self.ended = Some((code, Instant::now()));
    }

    /// The exit code, if it has ended.
    pub fn exit_code(&self) -> Option<i32> {
        self.ended.map(|(code, _)| code)
    }

    /// It isn't idle.
    pub fn touch(&mut self) {
        self.active = Instant::now();
    }

    /// Sends a signal to its process group. One that doesn't exist is nobody's; the command goes on.
    pub fn signal(&self, number: i32) {
        if self.ended.is_none() {
            let _ = spawn::signal_group(self.leader, number);
        }
    }

    /// Ends it when it has been idle for too long.
    pub fn watch(&mut self) {
        let Some(idle) = self.idle else { return };
        match self.stopping {
            None if self.ended.is_none() && self.active.elapsed() >= idle => {
                self.stopping = Some(Instant::now());
                self.signal(libc::SIGTERM);
            }
            Some(at) if at.elapsed() >= GRACE => self.signal(libc::SIGKILL),
            _ => {}
        }
    }

    /// How long descendants of a command that has ended may still say something.
    pub fn lingering(&self) -> Option<Duration> {
        self.ended.map(|(_, at)| LINGER.saturating_sub(at.max(self.active).elapsed()))
    }

    /// Until [`Self::watch`] has something to do; nothing when it never will.
    pub fn deadline(&self) -> Option<Duration> {
        if self.ended.is_some() {
            return None;
        }
        match self.stopping {
            Some(at) => Some(GRACE.saturating_sub(at.elapsed())),
            None => self.idle.map(|idle| idle.saturating_sub(self.active.elapsed())),
        }
    }
}

/// A file from which the exit code can be read once the command has ended.
fn wait_for(mut child: Child) -> io::Result<File> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
        let code = match child.wait() {
            Ok(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            Err(_) => KILLED,
        };
        // The reader is the shim itself; if it is gone there is nobody to tell.
        let _ = File::from(write).write_all(&code.to_be_bytes());
    })?;
    Ok(File::from(read))
}
