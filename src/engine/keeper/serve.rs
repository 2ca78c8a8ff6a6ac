//! The keeper's loop: one `poll` over the jail, its outputs and inputs, and the engines that are connected. It sleeps
//! without a timer unless a command or the sandbox has a deadline or the disk is full.

use std::{
    collections::BTreeMap,
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, WaitOptions, wait, waitpid},
};

use super::{
    exec::{Exec, State, note_exit},
    files,
    line::{Line, Waiting},
    logs::Keep,
    wire::{Ask, FDS_MAX, Fault, ListenerName, OutputFd, Reply, Stats},
};
use crate::engine::{
    jail::{Command, Jail, Order, Word, limits},
    keeper::ENTRYPOINT,
    spec::{End, ExecEnd, ExecSpec, SandboxSpec},
};

/// How often a full disk is looked at again.
const DISK_RETRY: Duration = Duration::from_millis(250);
/// The disk is looked at once for this much output…
const DISK_BYTES: u64 = 4 << 20;
/// …or after this long.
const DISK_AGE: Duration = Duration::from_secs(1);
/// How long until a connection that could not be taken is tried again.
const NO_DESCRIPTOR: Duration = Duration::from_millis(10);
/// Commands that run or whose output something still holds open. Each has up to six descriptors here, and a program
/// that hangs on to the outputs of all its commands must not use up those by which it is ended.
const OPEN_MAX: usize = 512;
/// Commands with a key socket at once: all listeners travel in one answer, whose descriptors the kernel bounds.
const KEYS_MAX: usize = FDS_MAX - 13;
/// A jail's last processes are gone when its first one was waited for; the kernel's books follow within milliseconds.
const GROUP_PATIENCE: Duration = Duration::from_secs(5);

/// A keeper at work.
pub struct Keeper {
    dir: PathBuf,
    /// Open, for socket paths of any length.
    folder: OwnedFd,
    spec: SandboxSpec,
    jail: Jail,
    signals: OwnedFd,
    listener: UnixListener,
    keep: Keep,
    execs: Vec<Exec>,
    by_id: BTreeMap<String, usize>,
    lines: Vec<Line>,
    deadline: Option<Instant>,
    disk_full: bool,
    disk_looked: Option<(Instant, u64)>,
    taken: u64,
    over_memory: bool,
    ending: Option<End>,
}

/// What a descriptor of the poll belongs to.
enum Token {
    Signals,
    Jail,
    Listener,
    Line(usize),
    Output(usize, OutputFd),
    Input,
}

impl Keeper {
    /// Of a jail that stands. The limits have no zeros but the timeout and the CPU.
    pub fn new(
        dir: PathBuf,
        folder: OwnedFd,
        spec: SandboxSpec,
        jail: Jail,
        signals: OwnedFd,
        listener: UnixListener,
    ) -> Self {
        let limits = spec.limits;
        let deadline = (limits.timeout_secs > 0)
            .then(|| Instant::now().checked_add(Duration::from_secs(limits.timeout_secs)))
            .flatten();
        Self {
            dir,
            folder,
            jail,
            signals,
            listener,
            keep: Keep::new(limits.exec_log, limits.sandbox_log),
            spec,
            execs: Vec::new(),
            by_id: BTreeMap::new(),
            lines: Vec::new(),
            deadline,
            disk_full: false,
            disk_looked: None,
            taken: 0,
            over_memory: false,
            ending: None,
        }
    }

    /// Starts the sandbox's first command.
    pub fn start_entrypoint(&mut self, env: BTreeMap<String, String>) -> Result<(), String> {
        let spec = ExecSpec {
            exec_id: ENTRYPOINT.to_string(),
            command: self.spec.entrypoint.clone(),
            env,
            workdir: None,
            pty: None,
            timeout_secs: None,
            stdout: true,
            stderr: true,
            key_socket: false,
        };
        self.start(&spec).map(|_| ())
    }

    /// Kills the jail and waits until every process of it is gone.
    fn wait_for_jail(&self) -> bool {
        self.jail.kill();
        while let Err(rustix::io::Errno::INTR) = waitpid(Some(self.jail.pid), WaitOptions::empty()) {}
        true
    }

    /// Until the sandbox has ended and all is cleaned up.
    pub fn serve(mut self) {
        loop {
            let gone = match self.round() {
                Ok(gone) => gone,
                Err(e) => {
                    self.end(End::Failed { reason: format!("the sandbox's keeper could not go on: {e}") });
                    self.wait_for_jail()
                }
            };
            if gone {
                return self.finish();
            }
        }
    }

    /// One poll and what follows from it; true when the jail is gone.
    fn round(&mut self) -> io::Result<bool> {
        let ready: Vec<Token> = {
            let (mut set, tokens) = self.poll_set();
            let timeout = self.timeout();
            let timeout = timeout.map(|t| Timespec {
                tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: t.subsec_nanos().into(),
            });
            match poll(&mut set, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            let hit = |fd: &PollFd<'_>| !fd.revents().is_empty();
            set.iter().zip(tokens).filter(|(fd, _)| hit(fd)).map(|(_, token)| token).collect()
        };
        let mut gone = false;
        for token in ready {
            match token {
                Token::Signals => gone |= self.take_signals(),
                Token::Jail if !self.hear()? => gone |= self.wait_for_jail(),
                Token::Jail => {}
                Token::Listener => self.accept(),
                Token::Line(i) => self.talk(i),
                Token::Output(exec, fd) => self.pump(exec, fd),
                // Written when the waiting lines are looked at.
                Token::Input => {}
            }
        }
        self.watch_time();
        self.settle();
        self.lines.retain(|line| !line.broken);
        Ok(gone)
    }

    fn poll_set(&self) -> (Vec<PollFd<'_>>, Vec<Token>) {
        let mut set = vec![
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::new(&self.jail, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        let mut tokens = vec![Token::Signals, Token::Jail, Token::Listener];
        for (i, line) in self.lines.iter().enumerate() {
            set.push(PollFd::new(line, line.interest()));
            tokens.push(Token::Line(i));
            if let Some(Waiting::Stdin { exec, .. }) = &line.waiting
                && let Some(fd) = self.execs[*exec].input.writable()
            {
                set.push(PollFd::from_borrowed_fd(fd, PollFlags::OUT));
                tokens.push(Token::Input);
            }
        }
        if !self.disk_full {
            for (i, exec) in self.execs.iter().enumerate() {
                for (kind, output) in [(OutputFd::Out, &exec.out), (OutputFd::Err, &exec.err)] {
                    if let Some(fd) = output.readable() {
                        set.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                        tokens.push(Token::Output(i, kind));
                    }
                }
            }
        }
        (set, tokens)
    }

    fn timeout(&self) -> Option<Duration> {
        let deadlines = self.execs.iter().filter(|e| e.exit.is_none()).filter_map(|e| e.deadline).chain(self.deadline);
        let now = Instant::now();
        let next = deadlines.min().map(|d| d.saturating_duration_since(now));
        if self.disk_full { Some(next.unwrap_or(DISK_RETRY).min(DISK_RETRY)) } else { next }
    }

    fn take_signals(&mut self) -> bool {
        // 128 bytes each, the signal's number first (signalfd_siginfo).
        let mut record = [0u8; 128];
        while let Ok(128) = rustix::io::read(&self.signals, &mut record) {
            if i32::from_ne_bytes([record[0], record[1], record[2], record[3]]) == Signal::TERM.as_raw() {
                self.end(End::Terminated);
            }
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, _))) if pid == self.jail.pid => return true,
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    /// Takes what the jail's first process says; false when it is gone.
    fn hear(&mut self) -> io::Result<bool> {
        let Some(words) = self.jail.hear()? else { return Ok(false) };
        for word in words {
            match word {
                Word::Started(i) => self.set_state(i, State::Started),
                Word::NotStarted(i, why) => self.set_state(i, State::Refused(why)),
                Word::OverMemory => self.over_memory = true,
                Word::Exited(i, end) => self.exited(i, end),
                Word::Ready(_) | Word::Failed(_) => {}
            }
        }
        Ok(true)
    }

    fn set_state(&mut self, number: u64, state: State) {
        let Some(i) = usize::try_from(number).ok().filter(|i| *i < self.execs.len()) else { return };
        if let State::Refused(why) = &state {
            self.execs[i].input.close();
            if let Some(id) = self.id_of(i) {
                self.by_id.remove(&id);
                let _ = fs::remove_dir_all(files::exec_dir(&self.dir, &id));
                if id == ENTRYPOINT {
                    let reason = why.clone();
                    self.end(End::Failed { reason });
                }
            }
        }
        self.execs[i].state = state;
    }

    fn exited(&mut self, number: u64, end: ExecEnd) {
        let Some(i) = usize::try_from(number).ok().filter(|i| *i < self.execs.len()) else { return };
        self.execs[i].exit = Some(end);
        self.execs[i].input.close();
        let keys = self.execs[i].keys.take();
        let Some(id) = self.id_of(i) else { return };
        if keys.is_some() {
            // Nothing serves it any more, and an answer has room for the sockets of those that run only.
            let _ = fs::remove_file(self.dir.join(files::KEYS).join(format!("{id}.sock")));
        }
        note_exit(files::exec_dir(&self.dir, &id), end);
        if id == ENTRYPOINT {
            let how = match end {
                ExecEnd::Signal(signal) if signal == Signal::KILL.as_raw() && self.ran_out_of_memory() => {
                    End::OutOfMemory
                }
                ExecEnd::Code(code) => End::Exited { code },
                ExecEnd::Signal(signal) => End::Exited { code: 128 + signal },
            };
            self.end(how);
        }
    }

    fn ran_out_of_memory(&self) -> bool {
        self.over_memory || self.jail.group.oom_kills() > 0
    }

    fn id_of(&self, exec: usize) -> Option<String> {
        self.by_id.iter().find(|(_, i)| **i == exec).map(|(id, _)| id.clone())
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => self.lines.push(Line::new(stream)),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // Out of descriptors, say: one comes free, or not, but not at once.
                Err(_) => return std::thread::sleep(NO_DESCRIPTOR),
            }
        }
    }

    fn talk(&mut self, i: usize) {
        self.lines[i].send();
        if self.lines[i].waiting.is_some() {
            // Only a hang-up wakes a waiting line.
            self.lines[i].broken |= self.lines[i].interest() == PollFlags::RDHUP && is_hung_up(&self.lines[i]);
            return;
        }
        let mut asked = self.lines[i].receive();
        while let Some((ask, data)) = asked {
            self.answer(i, ask, data);
            asked = if self.lines[i].waiting.is_none() { self.lines[i].next() } else { None };
        }
    }

    fn answer(&mut self, line: usize, ask: Ask, data: Vec<u8>) {
        let (reply, fds) = match self.consider(ask, data) {
            Ok(Next::Now(reply)) => (reply, Vec::new()),
            Ok(Next::WithFds(reply, fds)) => (reply, fds),
            Ok(Next::Later(waiting)) => {
                self.lines[line].waiting = Some(waiting);
                return;
            }
            Err(fault) => (Reply::Fault(fault), Vec::new()),
        };
        self.lines[line].answer(&reply, fds);
    }

    fn consider(&mut self, ask: Ask, data: Vec<u8>) -> Result<Next, Fault> {
        let find = |id: &str| self.by_id.get(id).copied().ok_or(Fault::NoSuchExec);
        Ok(match ask {
            Ask::Exec(spec) => Next::Later(Waiting::Start(self.start(&spec).map_err(Fault::Refused)?)),
            Ask::Output { exec, fd, offset } => Next::Later(Waiting::Output(find(&exec)?, fd, offset)),
            Ask::Stdin { exec, offset, eof } => Next::Later(Waiting::Stdin { exec: find(&exec)?, offset, data, eof }),
            Ask::StdinStatus { exec } => {
                let input = &self.execs[find(&exec)?].input;
                Next::Now(Reply::Stdin { written: input.written, closed: input.closed() })
            }
            Ask::Poll { exec } => Next::Now(Reply::Exit(self.execs[find(&exec)?].exit)),
            Ask::Wait { exec } => Next::Later(Waiting::Exit(find(&exec)?)),
            Ask::Terminate => {
                self.end(End::Terminated);
                Next::Now(Reply::Done)
            }
            Ask::Ended => Next::Later(Waiting::Ended),
            Ask::Listeners => self.listeners(),
            Ask::Stats => {
                let group = &self.jail.group;
                Next::Now(Reply::Stats(Stats { memory: group.memory(), pids: group.pids() }))
            }
        })
    }

    fn listeners(&self) -> Next {
        let keys = self.by_id.iter().filter_map(|(id, i)| {
            let listener = self.execs[*i].keys.as_ref()?;
            Some((ListenerName::Keys(id.clone()), listener.as_fd()))
        });
        let all = self.jail.listeners.iter().map(|(name, fd)| (name.clone(), fd.as_fd())).chain(keys);
        let (names, fds): (Vec<_>, Vec<_>) =
            all.filter_map(|(name, fd)| Some((name, fd.try_clone_to_owned().ok()?))).unzip();
        Next::WithFds(Reply::Listeners(names), fds)
    }

    /// Starts a command, or finds that it was. Its place.
    fn start(&mut self, spec: &ExecSpec) -> Result<usize, String> {
        if let Some(i) = self.by_id.get(&spec.exec_id) {
            return Ok(*i);
        }
        if self.ending.is_some() {
            return Err("the sandbox is ending".to_string());
        }
        if !files::valid_id(&spec.exec_id) {
            return Err("an exec id has 1 to 64 letters, digits, - and _".to_string());
        }
        if spec.command.is_empty() {
            return Err("a command is missing".to_string());
        }
        if self.execs.iter().filter(|e| e.is_open()).count() >= OPEN_MAX {
            return Err(format!("{OPEN_MAX} commands run in the sandbox or left their output open: end some"));
        }
        if spec.key_socket && self.execs.iter().filter(|e| e.keys.is_some()).count() >= KEYS_MAX {
            return Err(format!("{KEYS_MAX} commands with keys run in the sandbox: wait for one to end"));
        }
        let say = |e: io::Error| format!("cannot start a command in the sandbox: {e}");
        let folder = files::exec_dir(&self.dir, &spec.exec_id);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(say)?;
        let (mut exec, theirs) = Exec::new(spec, folder, &self.jail.terminals).map_err(say)?;
        if spec.key_socket {
            exec.keys = Some(self.bind_keys(&spec.exec_id).map_err(say)?);
        }
        let age = spec.timeout_secs.map(Duration::from_secs);
        exec.deadline = age.and_then(|age| Instant::now().checked_add(age));
        let i = self.execs.len();
        let fds: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
        self.jail.order(&Order::Start(i as u64, Command::new(spec, &self.spec.workdir)), &fds).map_err(say)?;
        self.execs.push(exec);
        self.by_id.insert(spec.exec_id.clone(), i);
        Ok(i)
    }

    fn bind_keys(&self, id: &str) -> io::Result<UnixListener> {
        let path = super::socket_path(&self.folder, &format!("{}/{id}.sock", files::KEYS));
        let listener = super::listen(&path)?;
        // Any user of the sandbox may connect; on the host the folder above keeps others out.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        Ok(listener)
    }

    fn pump(&mut self, exec: usize, fd: OutputFd) {
        if !self.disk_has_room() {
            return;
        }
        let before = self.execs[exec].output(fd).log.end;
        let pumped = self.execs[exec].output(fd).pump(&mut self.keep);
        self.taken += self.execs[exec].output(fd).log.end - before;
        self.disk_full = pumped.is_err();
    }

    fn disk_has_room(&mut self) -> bool {
        let fresh =
            self.disk_looked.is_some_and(|(at, taken)| at.elapsed() < DISK_AGE && self.taken - taken < DISK_BYTES);
        if self.disk_full || !fresh {
            self.disk_looked = Some((Instant::now(), self.taken));
            // A disk that doesn't say is written to until it refuses.
            self.disk_full = rustix::fs::fstatvfs(&self.folder)
                .is_ok_and(|s| s.f_bavail.saturating_mul(s.f_frsize) < self.spec.limits.disk_floor);
        }
        !self.disk_full
    }

    fn watch_time(&mut self) {
        if self.disk_full && self.disk_has_room() {
            for i in 0..self.execs.len() {
                for fd in [OutputFd::Out, OutputFd::Err] {
                    self.pump(i, fd);
                }
            }
        }
        let now = Instant::now();
        if self.deadline.is_some_and(|d| d <= now) {
            self.deadline = None;
            self.end(End::Timeout);
        }
        for (i, exec) in self.execs.iter_mut().enumerate() {
            if exec.exit.is_none() && exec.deadline.is_some_and(|d| d <= now) {
                exec.deadline = None;
                let _ = self.jail.order(&Order::Kill(i as u64), &[]);
            }
        }
    }

    /// Answers the lines whose condition is there.
    fn settle(&mut self) {
        for i in 0..self.lines.len() {
            let reply = match &self.lines[i].waiting {
                None | Some(Waiting::Ended) => None,
                Some(Waiting::Start(exec)) => match &self.execs[*exec].state {
                    State::Starting => None,
                    State::Started => Some(Reply::Done),
                    State::Refused(why) => Some(Reply::Fault(Fault::Refused(why.clone()))),
                },
                Some(Waiting::Output(exec, fd, offset)) => {
                    let (exec, fd, offset) = (*exec, *fd, *offset);
                    let output = self.execs[exec].output(fd);
                    let (end, closed) = (output.log.end, output.closed());
                    (end > offset || closed).then_some(Reply::Output { end, closed })
                }
                Some(Waiting::Exit(exec)) => self.execs[*exec].exit.map(|end| Reply::Exit(Some(end))),
                Some(Waiting::Stdin { exec, offset, data, eof }) => {
                    let input = &mut self.execs[*exec].input;
                    match input.write(*offset, data, *eof) {
                        Ok(false) => None,
                        Ok(true) => Some(Reply::Stdin { written: input.written, closed: input.closed() }),
                        Err(fault) => Some(Reply::Fault(fault)),
                    }
                }
            };
            if let Some(reply) = reply {
                self.lines[i].waiting = None;
                self.lines[i].answer(&reply, Vec::new());
            }
        }
    }

    /// The first reason counts.
    fn end(&mut self, how: End) {
        if self.ending.is_none() {
            self.ending = Some(how);
        }
        self.jail.kill();
    }

    /// The jail is gone: the last output, the last words, nothing left behind.
    fn finish(mut self) {
        // What its first process said before it ended.
        while let Ok(true) = self.hear() {}
        let killed = ExecEnd::Signal(Signal::KILL.as_raw());
        for (id, i) in &self.by_id {
            let exec = &mut self.execs[*i];
            exec.out.drain(&mut self.keep);
            exec.err.drain(&mut self.keep);
            exec.input.close();
            if exec.exit.is_none() {
                exec.exit = Some(killed);
                note_exit(files::exec_dir(&self.dir, id), killed);
            }
        }
        let unexplained = || End::Failed { reason: "the sandbox's first process was killed".to_string() };
        let out_of_memory = self.ran_out_of_memory();
        let end = self.ending.take().unwrap_or_else(|| if out_of_memory { End::OutOfMemory } else { unexplained() });
        limits::remove(self.jail.group.folders(), GROUP_PATIENCE);
        for leftover in [files::SOCKET, files::INIT] {
            let _ = fs::remove_file(self.dir.join(leftover));
        }
        let _ = fs::remove_dir_all(self.dir.join(files::KEYS));
        // If the disk takes no file, whoever looks finds "lost"; those who are connected hear the truth.
        let _ = files::write_json(&self.dir.join(files::END), &end);
        self.settle();
        for line in &mut self.lines {
            if let Some(Waiting::Ended) = line.waiting {
                line.answer(&Reply::End(end.clone()), Vec::new());
            }
        }
    }
}

enum Next {
    Now(Reply),
    WithFds(Reply, Vec<OwnedFd>),
    Later(Waiting),
}

fn is_hung_up(line: &Line) -> bool {
    let mut set = [PollFd::new(line, PollFlags::RDHUP)];
    poll(&mut set, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0)
}
