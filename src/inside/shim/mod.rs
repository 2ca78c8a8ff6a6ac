//! The shim: owns one command, its terminal or pipes, its input, its output in a spool, its exit code.
//!
//! One thread, one `poll`: nothing wakes it but work. Each part says what it is to be woken for: the command's
//! [`life`], its [`output`], its input ([`feed`]), and whoever is attached ([`client`]).

mod client;
mod feed;
mod life;
mod output;

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags};

use self::{
    client::{Client, Gone},
    feed::Feed,
    life::Life,
    output::Output,
};
use super::{
    options::RunOptions,
    spawn::{self, Input},
    words::{Frame, Stream},
};

/// Attached readers at once; each is a process in the sandbox.
const MAX_CLIENTS: usize = 32;

/// The exit code, written whole or not at all.
pub fn write_exit(dir: &Path, code: i32) -> io::Result<()> {
    fs::write(dir.join("exit.tmp"), code.to_string())?;
    fs::rename(dir.join("exit.tmp"), dir.join("exit"))
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    Listener,
    Exit,
    Source(usize),
    Client(usize),
    Sink,
}

/// A command that was started, and what belongs to it.
pub struct Shim {
    dir: PathBuf,
    life: Life,
    terminal: Option<OwnedFd>,
    output: Output,
    feed: Feed,
    listener: UnixListener,
    clients: Vec<Client>,
}

impl Shim {
    /// Starts the command; its socket is there then.
    pub fn start(dir: &Path, options: &RunOptions) -> io::Result<Self> {
        let terminal = options.pty.map(|(rows, columns)| spawn::terminal(rows, columns)).transpose()?;
        let mut child = spawn::spawn(&options.command, &options.stdin, terminal.as_ref())?;
        // From here on only the command holds its end of the terminal: when it lets go, reading ends.
        let terminal = terminal.map(|t| t.master);
        let mut sources = Vec::new();
        if let Some(master) = &terminal {
            sources.push((Stream::Out, nonblocking(master.try_clone()?)?));
        }
        if let Some(out) = child.stdout.take() {
            sources.push((Stream::Out, nonblocking(out.into())?));
        }
        if let Some(err) = child.stderr.take() {
            sources.push((Stream::Err, nonblocking(err.into())?));
        }
        let sink = match (child.stdin.take(), &options.stdin, &terminal) {
            (Some(pipe), ..) => Some(nonblocking(pipe.into())?),
            (None, Input::Terminal, Some(master)) => Some(nonblocking(master.try_clone()?)?),
            _ => None,
        };
        let output = Output::new(dir, sources, options.unread)?;
        // Renamed into place when it listens: who sees it can connect.
        let listener = UnixListener::bind(dir.join("sock.tmp"))?;
        listener.set_nonblocking(true)?;
        fs::rename(dir.join("sock.tmp"), dir.join("sock"))?;
        Ok(Self {
            dir: dir.to_owned(),
            life: Life::new(child, options.idle)?,
            terminal,
            output,
            feed: Feed::new(sink, matches!(options.stdin, Input::Terminal)),
            listener,
            clients: Vec::new(),
        })
    }

    /// Works until the command has ended and its output is in the spool.
    pub fn serve(&mut self) -> io::Result<()> {
        loop {
            if let Some(code) = self.life.exit_code()
                && (self.output.is_closed() || self.lingering() == Some(Duration::ZERO))
            {
                write_exit(&self.dir, code)?;
                // Whoever is attached sees the end of the socket, and then the exit code.
                return fs::remove_file(self.dir.join("sock"));
            }
            self.turn()?;
        }
    }

    /// Waits for something to do and does it.
    fn turn(&mut self) -> io::Result<()> {
        let ready = self.wait()?;
        let is = |what: Wake| ready.contains(&what);
        if is(Wake::Listener) {
            self.accept();
        }
        if is(Wake::Exit) {
            self.life.woken();
        }
        if self.output.read(|i| is(Wake::Source(i)))? {
            self.life.touch();
        }
        self.hear_clients(&ready);
        if is(Wake::Sink) {
            self.feed.woken();
        }
        self.feed.write();
        let (passed, end) = (self.feed.passed(), self.output.end());
        self.clients.retain_mut(|client| client.tell(passed, end).is_ok());
        self.life.watch();
        Ok(())
    }

    /// Sleeps until a descriptor is ready or a deadline has come. A descriptor that nothing is wanted from is left out:
    /// `poll` reports hang-ups unasked.
    fn wait(&self) -> io::Result<Vec<Wake>> {
        let (mut what, mut fds) = (Vec::new(), Vec::new());
        let mut watch = |wake, fd, wanted| {
            what.push(wake);
            fds.push(PollFd::from_borrowed_fd(fd, wanted));
        };
        if self.clients.len() < MAX_CLIENTS {
            watch(Wake::Listener, self.listener.as_fd(), PollFlags::IN);
        }
        if let Some(exit) = self.life.wanted() {
            watch(Wake::Exit, exit.as_fd(), PollFlags::IN);
        }
        for (i, source) in self.output.wanted().enumerate() {
            watch(Wake::Source(i), source.as_fd(), PollFlags::IN);
        }
        let may_speak = self.feed.has_room();
        for (i, client) in self.clients.iter().enumerate() {
            if let Some((stream, wanted)) = client.wanted(may_speak) {
                watch(Wake::Client(i), stream.as_fd(), wanted);
            }
        }
        if let Some((sink, wanted)) = self.feed.wanted() {
            watch(Wake::Sink, sink.as_fd(), wanted);
        }
        match rustix::event::poll(&mut fds, self.timeout().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(what.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(what, _)| what).collect())
    }

    /// How long what the command left behind may still say something; not counted while the spool is full, since then
    /// it can't.
    fn lingering(&self) -> Option<Duration> {
        self.life.lingering().filter(|_| self.output.has_room())
    }

    /// Until the next deadline; for ever when there is none.
    fn timeout(&self) -> Option<rustix::fs::Timespec> {
        let next = [self.lingering(), self.life.deadline()].into_iter().flatten().min()?;
        next.try_into().ok()
    }

    fn accept(&mut self) {
        // A reader that went away at once is no trouble.
        if let Ok((stream, _)) = self.listener.accept()
            && let Ok(client) = Client::new(stream, &self.feed)
        {
            self.clients.push(client);
        }
    }

    fn hear_clients(&mut self, ready: &[Wake]) {
        let clients = std::mem::take(&mut self.clients);
        for (i, mut client) in clients.into_iter().enumerate() {
            if !ready.contains(&Wake::Client(i)) || self.hear(&mut client).is_ok() {
                self.clients.push(client);
            }
        }
    }

    /// Does what a reader says, all of what was read: nothing would wake us for the rest.
    fn hear(&mut self, client: &mut Client) -> Result<(), Gone> {
        while self.feed.has_room() && client.read()? {
            while let Some(frame) = client.next_frame()? {
                self.obey(frame);
            }
        }
        Ok(())
    }

    fn obey(&mut self, frame: Frame) {
        self.life.touch();
        match frame {
            Frame::Input { number, bytes } => self.feed.take(number, Some(bytes)),
            Frame::EndInput { number } => self.feed.take(number, None),
            Frame::Resize { rows, columns } => {
                if let Some(terminal) = &self.terminal {
                    // A terminal that is gone has no size.
                    let _ = spawn::resize(terminal, rows, columns);
                }
            }
            Frame::Signal { number } => self.life.signal(number),
            Frame::Commit { offset } => self.output.commit(offset),
            _ => {}
        }
    }
}

fn nonblocking(fd: OwnedFd) -> io::Result<File> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(File::from(fd))
}
