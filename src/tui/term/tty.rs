//! The terminal's device: opened for us alone, made raw, and given back as it was.

use std::{
    io::{self, IsTerminal, stdin, stdout},
    os::fd::OwnedFd,
    panic,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
    io::Errno,
    termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr, ttyname},
};

use super::modes;
use crate::tui::app::model::Size;

/// How long a terminal that doesn't read may keep us from ending. It shows nothing anyway.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why the screen can't be opened. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Input or output is a file, a pipe or nothing.
    #[error("the screen needs a terminal for its input and output")]
    NoTerminal,
    /// It can't place text.
    #[error("the screen can't be drawn on a terminal that calls itself `{0}`")]
    Dumb(String),
    /// Nobody says what it is.
    #[error("TERM is not set: the screen can't know what terminal this is")]
    Unnamed,
    /// The device said no.
    #[error("the terminal can't be taken: {0}")]
    Io(#[from] io::Error),
}

impl Refused {
    /// What to use instead.
    pub fn hint(&self) -> &'static str {
        "use `sandbank chat SANDBOX`, `sandbank sandbox list` and the other commands, with --json for programs"
    }
}

/// The device and how it was before.
#[derive(Debug)]
pub(super) struct Tty {
    fd: OwnedFd,
    before: Termios,
}

/// The terminal that has our modes now; what a panic has to give back.
static HELD: Mutex<Option<Arc<Tty>>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<Arc<Tty>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tty {
    /// Opens the terminal if there is one that can be drawn on.
    pub fn open() -> Result<Self, Refused> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(Refused::NoTerminal);
        }
        match std::env::var("TERM") {
            Ok(name) if !name.is_empty() && name != "dumb" => {}
            Ok(name) if !name.is_empty() => return Err(Refused::Dumb(name)),
            _ => return Err(Refused::Unnamed),
        }
        Ok(Self::take(stdin())?)
    }

    /// Opens the device that a descriptor stands for.
    ///
    /// Once more and not as a duplicate: what is set on a duplicate, such as not to block, holds for the shell that we
    /// share the original with.
    fn take(shared: impl std::os::fd::AsFd) -> io::Result<Self> {
        let named = ttyname(&shared, Vec::new()).ok().and_then(|name| name.into_string().ok()).map(PathBuf::from);
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // A terminal from another container has no name here, but it is the one that controls us.
        let fd = named
            .ok_or(Errno::NODEV)
            .and_then(|name| open(name, flags, Mode::empty()))
            .or_else(|_| open(Path::new("/dev/tty"), flags, Mode::empty()))?;
        let before = tcgetattr(&fd)?;
        Ok(Self { fd, before })
    }

    /// The descriptor; neither reading nor writing blocks.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Width and height; a terminal that doesn't know them has the classic ones.
    pub fn size(&self) -> Size {
        match tcgetwinsize(&self.fd) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => Size { columns: size.ws_col, rows: size.ws_row },
            _ => Size { columns: 80, rows: 24 },
        }
    }

    /// Sets our modes: of the device, then with `greeting` of the terminal.
    pub fn hold(self: &Arc<Self>, greeting: &[u8]) -> io::Result<()> {
        let mut raw = tcgetattr(&self.fd)?;
        raw.make_raw();
        tcsetattr(&self.fd, OptionalActions::Now, &raw)?;
        *held() = Some(Arc::clone(self));
        self.write_all(greeting)
    }

    /// We still have the terminal: no panic gave it back.
    pub fn is_held(&self) -> bool {
        held().is_some()
    }

    /// The device still has our modes: no shell changed them while we stood still.
    pub fn is_raw(&self) -> bool {
        tcgetattr(&self.fd).is_ok_and(|now| !now.local_modes.contains(rustix::termios::LocalModes::ICANON))
    }

    /// Gives the terminal back if we have it. `torn`: the last frame may not have been written to its end.
    pub fn release(&self, torn: bool) -> io::Result<()> {
        if held().take().is_none() {
            return Ok(());
        }
        let said = self.write_all(&modes::leave(torn));
        // Keys and clicks that came too late were meant for us.
        let _ = tcflush(&self.fd, QueueSelector::IFlush);
        tcsetattr(&self.fd, OptionalActions::Now, &self.before)?;
        said
    }

    /// Sets the device as it was before, after a program that had it. `torn`: it was killed, and so may have left the
    /// terminal in its own modes.
    pub fn mend(&self, torn: bool) -> io::Result<()> {
        let said = if torn { self.write_all(modes::ABANDONED) } else { Ok(()) };
        self.drop_input();
        // Not to a terminal that hung up, which is why we are here as often as not.
        let set = tcsetattr(&self.fd, OptionalActions::Now, &self.before).map_err(io::Error::from);
        said.and(set)
    }

    /// Drops input that nobody has read.
    pub fn drop_input(&self) {
        let _ = tcflush(&self.fd, QueueSelector::IFlush);
    }

    /// Writes all, also to a terminal that reads slowly, but not to one that doesn't read.
    pub fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + LAST_WORDS;
        while !bytes.is_empty() {
            match rustix::io::write(&self.fd, bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, deadline)?,
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there or comes before the deadline.
    pub fn read_before(&self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.wait(PollFlags::IN, deadline)?;
        Ok(rustix::io::read(&self.fd, buffer)?)
    }

    fn wait(&self, flags: PollFlags, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.fd, flags)], Some(&left)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

impl std::os::fd::AsRawFd for Tty {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.fd.as_raw_fd()
    }
}

/// Gives the terminal back before a panic is told, in front of the hook that there is: its words would otherwise
/// vanish with the screen.
pub fn restore_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // Whoever panics may hold the lock.
        let tty = HELD.try_lock().ok().and_then(|tty| tty.clone());
        if let Some(tty) = tty {
            let _ = tty.release(true);
        }
        before(info);
    }));
}
