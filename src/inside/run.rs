//! `inside run ID [options] -- COMMAND…`: the shim.
//!
//! Owns one command: its terminal or pipes, its input, its output in a spool, its exit code. Whoever starts it gets an
//! answer at once and may go away; the command doesn't notice. One thread, one `poll`: nothing wakes it but work.
//!
//! The folder `DIR/ID/` holds `lock` (held while the shim lives), `sock` (for [`super::attach`]), the spool, and at
//! the end `exit` with the exit code.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::DirBuilderExt,
            net::{UnixListener, UnixStream},
            process::ExitStatusExt,
        },
    },
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use rustix::event::{PollFd, PollFlags};

use super::{
    attach,
    options::{AttachOptions, RunOptions},
    spawn::{self, Input, Side},
    spool,
    words::{Decoder, Frame, PIECE, Stream},
};

/// How long an idle command has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// After the command's own end, how long its descendants may still hold its output open: a background process that
/// inherited the pipe must not keep a turn from ending.
const LINGER: Duration = Duration::from_millis(200);

/// Exit code of a command that SIGKILL ended, as a shell counts it; also of one whose end nobody saw.
const KILLED: i32 = 128 + 9;

/// ^D.
const END_OF_TRANSMISSION: u8 = 4;

/// Input that may wait for a command that doesn't read. A client sends no more than a quarter of a megabyte beyond what
/// the command has read; this is for what comes all at once, the longest prompt.
const MAX_QUEUE: usize = 8 << 20;

/// Attached readers at once; each is a process in the sandbox.
const MAX_CLIENTS: usize = 32;

/// Starts the command unless it was started before; says `started` or `running` on standard output, or goes on as
/// `attach`.
pub fn run(options: &RunOptions) -> io::Result<()> {
    let dir = options.folder();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    let lock = File::create(dir.join("lock"))?;
    let held = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok();
    if !held || dir.join("sock").exists() || dir.join("exit").exists() {
        return go_on(options, "running\n");
    }
    match spawn::detach()? {
        Side::Parent { mut ready } => {
            drop(lock);
            let mut trouble = String::new();
            ready.read_to_string(&mut trouble)?;
            if trouble.is_empty() { go_on(options, "started\n") } else { Err(io::Error::other(trouble)) }
        }
        Side::Child { mut ready } => {
            let ended = match Shim::start(&dir, options) {
                Ok(mut shim) => {
                    drop(ready);
                    options.forget.iter().for_each(|id| forget(&options.dir.join(id)));
                    shim.serve()
                }
                Err(e) => {
                    // A command that can't be started has an exit code like a shell's.
                    let code = if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
                    let _ = spool::Writer::create(&dir).and_then(|mut s| {
                        s.append(Stream::Err, format!("{}: {e}\n", options.command[0].display()).as_bytes())
                    });
                    let _ = write_exit(&dir, code);
                    if code == 126 {
                        let _ = write!(ready, "the command could not be started: {e}");
                    }
                    Ok(())
                }
            };
            drop(lock);
            ended
        }
    }
}

/// What the starting process does once the command is there.
fn go_on(options: &RunOptions, word: &str) -> io::Result<()> {
    match options.attach {
        Some(from) => attach::attach(&AttachOptions { id: options.id.clone(), dir: options.dir.clone(), from }),
        None => say(word),
    }
}

/// Removes what a command left, unless its shim still lives.
fn forget(dir: &Path) {
    let ended = File::open(dir.join("lock"))
        .is_ok_and(|lock| rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok());
    if ended {
        // What can't be removed only costs room.
        let _ = fs::remove_dir_all(dir);
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The exit code, written whole or not at all.
fn write_exit(dir: &Path, code: i32) -> io::Result<()> {
    fs::write(dir.join("exit.tmp"), code.to_string())?;
    fs::rename(dir.join("exit.tmp"), dir.join("exit"))
}

/// One attached reader.
struct Client {
    stream: UnixStream,
    decoder: Decoder,
    out: BytesMut,
    /// End of the spool that it heard of.
    told: u64,
    /// Number of the input that it heard of.
    acknowledged: u64,
}

/// A line of input that waits; without bytes, the end.
struct Line {
    number: u64,
    bytes: Option<Bytes>,
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

struct Shim {
    dir: PathBuf,
    /// Leader of the command's process group.
    leader: u32,
    /// The exit code comes here, from a thread that waits for it.
    exit: File,
    terminal: Option<OwnedFd>,
    sources: Vec<(Stream, File)>,
    sink: Option<File>,
    sink_is_terminal: bool,
    queue: VecDeque<Line>,
    /// Bytes in the queue.
    queued: usize,
    /// Number of the last line that came.
    taken: u64,
    /// Number of the last line that the command has, all of it: what came is acknowledged then, so that who sends waits
    /// when the command doesn't read.
    passed: u64,
    /// Bytes of input in the lines that were taken.
    fed: u64,
    spool: spool::Writer,
    committed: u64,
    unread: u64,
    idle: Option<Duration>,
    active: Instant,
    stopping: Option<Instant>,
    ended: Option<(i32, Instant)>,
    listener: UnixListener,
    clients: Vec<Client>,
}

impl Shim {
    fn start(dir: &Path, options: &RunOptions) -> io::Result<Self> {
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
        let sink_is_terminal = matches!(options.stdin, Input::Terminal);
        let sink = match (child.stdin.take(), &options.stdin, &terminal) {
            (Some(pipe), ..) => Some(nonblocking(pipe.into())?),
            (None, Input::Terminal, Some(master)) => Some(nonblocking(master.try_clone()?)?),
            _ => None,
        };
        let spool = spool::Writer::create(dir)?;
        // Renamed into place when it listens: who sees it can connect.
        let listener = UnixListener::bind(dir.join("sock.tmp"))?;
        listener.set_nonblocking(true)?;
        fs::rename(dir.join("sock.tmp"), dir.join("sock"))?;
        Ok(Self {
            dir: dir.to_owned(),
            leader: child.id(),
            exit: wait_for(child)?,
            terminal,
            sources,
            sink,
            sink_is_terminal,
            queue: VecDeque::new(),
            queued: 0,
            taken: 0,
            passed: 0,
            fed: 0,
            spool,
            committed: 0,
            unread: options.unread,
            idle: options.idle,
            active: Instant::now(),
            stopping: None,
            ended: None,
            listener,
            clients: Vec::new(),
        })
    }

    /// Works until the command has ended and its output is in the spool.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            if let Some((code, _)) = self.ended
                && (self.sources.is_empty() || self.lingering() == Some(Duration::ZERO))
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
            let mut code = [0; 4];
            let code = self.exit.read_exact(&mut code).map_or(KILLED, |()| i32::from_be_bytes(code));
            self.ended = Some((code, Instant::now()));
        }
        self.read_output(&ready)?;
        self.hear_clients(&ready);
        if is(Wake::Sink) && self.queue.is_empty() {
            // Ready without anything to write: its reader has gone.
            self.sink = None;
        }
        self.write_input();
        self.tell_clients();
        self.watch_idle();
        Ok(())
    }

    /// Sleeps until a descriptor is ready or a deadline has come. A descriptor that nothing is wanted from is left out:
    /// `poll` reports hang-ups unasked.
    fn wait(&self) -> io::Result<Vec<Wake>> {
        let room = self.has_room();
        let mut what = Vec::new();
        let mut fds = Vec::new();
        if self.clients.len() < MAX_CLIENTS {
            what.push(Wake::Listener);
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        if self.ended.is_none() {
            what.push(Wake::Exit);
            fds.push(PollFd::new(&self.exit, PollFlags::IN));
        }
        for (i, (_, file)) in self.sources.iter().enumerate().filter(|_| room) {
            what.push(Wake::Source(i));
            fds.push(PollFd::new(file, PollFlags::IN));
        }
        let hears = self.queued < MAX_QUEUE;
        for (i, client) in self.clients.iter().enumerate().filter(|(_, c)| hears || !c.out.is_empty()) {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::IN, hears);
            wanted.set(PollFlags::OUT, !client.out.is_empty());
            what.push(Wake::Client(i));
            fds.push(PollFd::new(&client.stream, wanted));
        }
        if let Some(sink) = &self.sink {
            what.push(Wake::Sink);
            fds.push(PollFd::new(sink, if self.queue.is_empty() { PollFlags::empty() } else { PollFlags::OUT }));
        }
        match rustix::event::poll(&mut fds, self.timeout().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(what.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(what, _)| what).collect())
    }

    /// How long descendants of a command that has ended may still say something; not counted while the spool is full,
    /// since then they can't.
    fn lingering(&self) -> Option<Duration> {
        let (_, at) = self.ended?;
        self.has_room().then(|| LINGER.saturating_sub(at.max(self.active).elapsed()))
    }

    fn has_room(&self) -> bool {
        self.spool.end() - self.committed < self.unread
    }

    /// Until the next deadline; for ever when there is none.
    fn timeout(&self) -> Option<rustix::fs::Timespec> {
        let stopping = self.stopping.filter(|_| self.ended.is_none()).map(|at| GRACE.saturating_sub(at.elapsed()));
        let idle = self
            .idle
            .filter(|_| self.stopping.is_none() && self.ended.is_none())
            .map(|idle| idle.saturating_sub(self.active.elapsed()));
        let next = [self.lingering(), stopping, idle].into_iter().flatten().min()?;
        next.try_into().ok()
    }

    fn accept(&mut self) {
        // A reader that went away at once is no trouble.
        if let Ok((stream, _)) = self.listener.accept()
            && stream.set_nonblocking(true).is_ok()
        {
            let mut out = BytesMut::new();
            // Before the number: who hears that has both.
            Frame::Fed { bytes: self.fed }.encode(&mut out);
            Frame::Taken { number: self.taken }.encode(&mut out);
            let acknowledged = self.passed;
            self.clients.push(Client { stream, decoder: Decoder::default(), out, told: u64::MAX, acknowledged });
        }
    }

    fn read_output(&mut self, ready: &[Wake]) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut closed = Vec::new();
        for (i, (stream, file)) in self.sources.iter_mut().enumerate() {
            if !ready.contains(&Wake::Source(i)) {
                continue;
            }
            match file.read(&mut buffer) {
                Ok(0) => closed.push(i),
                Ok(n) => {
                    self.spool.append(*stream, &buffer[..n])?;
                    self.active = Instant::now();
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                // A terminal whose last user has gone reads as EIO.
                Err(_) => closed.push(i),
            }
        }
        for i in closed.into_iter().rev() {
            self.sources.remove(i);
        }
        Ok(())
    }

    fn hear_clients(&mut self, ready: &[Wake]) {
        let clients = std::mem::take(&mut self.clients);
        for (i, mut client) in clients.into_iter().enumerate() {
            if !ready.contains(&Wake::Client(i)) || self.hear(&mut client) {
                self.clients.push(client);
            }
        }
    }

    /// Tells those who are attached what is new. One that takes nothing hears only the latest.
    fn tell_clients(&mut self) {
        let (end, passed) = (self.spool.end(), self.passed);
        self.clients.retain_mut(|client| {
            if client.out.len() < PIECE {
                if client.acknowledged < passed {
                    client.acknowledged = passed;
                    Frame::Taken { number: passed }.encode(&mut client.out);
                }
                if client.told != end {
                    client.told = end;
                    Frame::Grown { end }.encode(&mut client.out);
                }
            }
            flush(&mut client.stream, &mut client.out)
        });
    }

    /// Reads what a reader says; false when it is gone or talks nonsense.
    fn hear(&mut self, client: &mut Client) -> bool {
        let mut buffer = [0; 4096];
        while self.queued < MAX_QUEUE {
            match client.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(n) => client.decoder.push(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
            loop {
                match client.decoder.next_frame() {
                    Ok(Some(frame)) => self.obey(frame),
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
        }
        true
    }

    fn obey(&mut self, frame: Frame) {
        self.active = Instant::now();
        match frame {
            Frame::Input { number, bytes } => self.take(number, Some(bytes)),
            Frame::EndInput { number } => self.take(number, None),
            Frame::Resize { rows, columns } => {
                if let Some(terminal) = &self.terminal {
                    // A terminal that is gone has no size.
                    let _ = spawn::resize(terminal, rows, columns);
                }
            }
            // A signal that doesn't exist is nobody's; the command goes on.
            Frame::Signal { number } if self.ended.is_none() => drop(spawn::signal_group(self.leader, number)),
            Frame::Commit { offset } => {
                self.committed = self.committed.max(offset.min(self.spool.end()));
                self.spool.forget(self.committed);
            }
            _ => {}
        }
    }

    /// Takes the next numbered input. One that was seen is not taken again; neither is one that leaves a gap.
    fn take(&mut self, number: u64, bytes: Option<Bytes>) {
        if number == self.taken + 1 {
            self.taken = number;
            let length = bytes.as_ref().map_or(0, Bytes::len);
            self.fed += length as u64;
            self.queued += length;
            self.queue.push_back(Line { number, bytes });
        }
    }

    fn write_input(&mut self) {
        while let Some(line) = self.queue.front_mut() {
            match (&mut self.sink, &mut line.bytes) {
                (Some(sink), Some(bytes)) if !bytes.is_empty() => match sink.write(bytes) {
                    Ok(n) => {
                        bytes.advance(n);
                        self.queued -= n;
                        continue;
                    }
                    Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
                    // Nobody reads any more.
                    Err(_) => {
                        self.sink = None;
                        continue;
                    }
                },
                // A terminal can't be closed from one side: its end of input is a character.
                (Some(sink), None) if self.sink_is_terminal => drop(sink.write(&[END_OF_TRANSMISSION])),
                // Written, or nobody reads.
                _ => {}
            }
            if line.bytes.is_none() {
                self.sink = None;
            }
            self.queued -= line.bytes.as_ref().map_or(0, Bytes::len);
            self.passed = line.number;
            self.queue.pop_front();
        }
    }

    fn watch_idle(&mut self) {
        let Some(idle) = self.idle.filter(|_| self.ended.is_none()) else { return };
        match self.stopping {
            None if self.active.elapsed() >= idle => {
                self.stopping = Some(Instant::now());
                let _ = spawn::signal_group(self.leader, libc::SIGTERM);
            }
            Some(at) if at.elapsed() >= GRACE => {
                let _ = spawn::signal_group(self.leader, libc::SIGKILL);
            }
            _ => {}
        }
    }
}

fn nonblocking(fd: OwnedFd) -> io::Result<File> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(File::from(fd))
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

/// Writes what a socket takes; false when its reader is gone.
fn flush(stream: &mut UnixStream, out: &mut BytesMut) -> bool {
    while !out.is_empty() {
        match stream.write(out) {
            Ok(n) => out.advance(n),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return true,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}
