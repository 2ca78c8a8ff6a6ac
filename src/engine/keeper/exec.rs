//! One command as its keeper sees it: where its output goes, how far its input got, how it ended.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::PathBuf,
    time::Instant,
};

use rustix::{
    fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, openat},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::{
    logs::{Keep, Log},
    wire::{Fault, OutputFd},
};
use crate::engine::{
    json_file,
    spec::{ExecEnd, ExecSpec},
};

/// Read at once; a pipe holds as much by default.
const READ: usize = 64 << 10;

/// ^D, which ends a line-wise read of a terminal.
const END_OF_TRANSMISSION: u8 = 4;

/// A command.
#[derive(Debug)]
pub struct Exec {
    /// Standard output or terminal.
    pub out: Output,
    /// Standard error.
    pub err: Output,
    /// Standard input.
    pub input: Input,
    /// How it ended.
    pub exit: Option<ExecEnd>,
    /// When it is killed.
    pub deadline: Option<Instant>,
    /// Whether the jail said that it started.
    pub state: State,
    /// The listener of its keys.
    pub keys: Option<UnixListener>,
}

/// How far its start got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Asked for.
    Starting,
    /// It runs or ran.
    Started,
    /// It never did: why.
    Refused(String),
}

impl Exec {
    /// Its pipes or terminal, and the ends that the jail gets, in the order that the jail expects.
    pub fn new(spec: &ExecSpec, folder: PathBuf, terminals: &OwnedFd) -> io::Result<(Self, Vec<OwnedFd>)> {
        let (mut theirs, mut ends) = (Vec::new(), [None, None]);
        let (input, terminal) = if let Some((rows, columns)) = spec.pty {
            let (master, slave) = open_terminal(terminals, rows, columns)?;
            ends[0] = Some(master.try_clone()?);
            theirs.push(slave);
            (master, true)
        } else {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            theirs.push(read);
            for (end, wanted) in ends.iter_mut().zip([spec.stdout, spec.stderr]) {
                if wanted {
                    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
                    theirs.push(write);
                    *end = Some(read);
                }
            }
            (write, false)
        };
        // Ours only: a program that finds its own end nonblocking would be surprised.
        for fd in ends.iter().flatten().chain([&input]) {
            fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
        }
        let [out, err] = ends;
        let output = |fd, kind| Output { fd, log: Log::new(folder.clone(), kind), unwritten: Vec::new() };
        let exec = Self {
            out: output(out, OutputFd::Out),
            err: output(err, OutputFd::Err),
            input: Input { fd: Some(input), terminal, written: 0 },
            exit: None,
            deadline: None,
            state: State::Starting,
            keys: None,
        };
        Ok((exec, theirs))
    }

    /// Whether it runs, or something still holds an output of it.
    pub fn is_open(&self) -> bool {
        let unfinished = self.exit.is_none() && !matches!(self.state, State::Refused(_));
        unfinished || !self.out.closed() || !self.err.closed()
    }

    /// One of its outputs.
    pub fn output(&mut self, fd: OutputFd) -> &mut Output {
        match fd {
            OutputFd::Out => &mut self.out,
            OutputFd::Err => &mut self.err,
        }
    }
}

/// The jail's terminals are of its own `/dev/pts`, so that programs find the name of theirs. Returns both ends.
fn open_terminal(terminals: &OwnedFd, rows: u16, columns: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openat(terminals, "ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    unlockpt(&master)?;
    tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    Ok((master, slave))
}

/// An output on its way into its log.
#[derive(Debug)]
pub struct Output {
    fd: Option<OwnedFd>,
    /// Its log.
    pub log: Log,
    /// Read, but the disk didn't take it.
    unwritten: Vec<u8>,
}

impl Output {
    /// What to wait on; none when it is closed or the disk must take something first.
    pub fn readable(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().filter(|_| self.unwritten.is_empty()).map(AsFd::as_fd)
    }

    /// Whether nothing comes any more.
    pub fn closed(&self) -> bool {
        self.fd.is_none() && self.unwritten.is_empty()
    }

    /// Moves what is there, once. An error is the disk's; nothing is lost then. Returns whether something moved or closed.
    pub fn pump(&mut self, keep: &mut Keep) -> io::Result<bool> {
        if self.unwritten.is_empty() {
            let Some(fd) = &self.fd else { return Ok(false) };
            let mut buffer = [0; READ];
            match rustix::io::read(fd, &mut buffer) {
                Ok(0) => self.fd = None,
                Ok(n) => self.unwritten.extend_from_slice(&buffer[..n]),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
                // A terminal says EIO when no process has it open any more.
                Err(_) => self.fd = None,
            }
        }
        let before = self.log.end;
        let done = keep.append(&mut self.log, &self.unwritten);
        self.unwritten.drain(..usize::try_from(self.log.end - before).unwrap_or(0));
        if self.closed() {
            keep.close(&mut self.log);
        }
        if self.unwritten.is_empty() {
            // The room of a burst isn't held for the sandbox's life.
            self.unwritten = Vec::new();
        }
        done.map(|()| true)
    }

    /// After the jail's end: everything that is left, as far as the disk takes it.
    pub fn drain(&mut self, keep: &mut Keep) {
        while let Ok(true) = self.pump(keep) {}
        self.fd = None;
    }
}

/// A standard input.
#[derive(Debug)]
pub struct Input {
    fd: Option<OwnedFd>,
    terminal: bool,
    /// Bytes that the process's pipe has taken.
    pub written: u64,
}

impl Input {
    /// Whether no more is taken.
    pub fn closed(&self) -> bool {
        self.fd.is_none()
    }

    /// What to wait on.
    pub fn writable(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// No more is taken.
    pub fn close(&mut self) {
        self.fd = None;
    }

    /// Writes as much as the pipe takes of `data`, whose first byte has the place `offset`. True when all was taken,
    /// now or before.
    pub fn write(&mut self, offset: u64, data: &[u8], eof: bool) -> Result<bool, Fault> {
        let end = offset + data.len() as u64;
        if offset > self.written {
            return Err(Fault::Gap { have: self.written });
        }
        while self.written < end {
            let Some(fd) = &self.fd else { return Err(Fault::StdinClosed) };
            let rest = &data[usize::try_from(self.written - offset).unwrap_or(data.len())..];
            match rustix::io::write(fd, rest) {
                Ok(n) => self.written += n as u64,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(_) => {
                    self.fd = None;
                    return Err(Fault::StdinClosed);
                }
            }
        }
        if eof
            && let Some(fd) = self.fd.take()
            && self.terminal
            && let Err(Errno::AGAIN | Errno::INTR) = rustix::io::write(&fd, &[END_OF_TRANSMISSION])
        {
            self.fd = Some(fd);
            return Ok(false);
        }
        Ok(true)
    }
}

/// Writes a command's end.
pub fn note_exit(folder: PathBuf, end: ExecEnd) {
    // Without a disk the keeper still answers from memory.
    let _ = json_file::write(&folder.join(super::files::EXIT), &end);
}
