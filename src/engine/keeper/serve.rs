//! The keeper's loop: one `poll` over the jail, its outputs and inputs, and the engines that are connected. It sleeps
//! without a timer unless a command or the sandbox has a deadline or the disk is full.

use std::{
    collections::BTreeMap,
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixListener,
    },
    rc::Rc,
    time::{Duration, Instant},
};

use rustix::{
    event::PollFlags,
    process::{Signal, WaitOptions, wait, waitpid},
};

use super::{
    execs::Execs,
    files::{self, Folder},
    line::{Answer, Lines},
    poll::Poll,
    waiting::Waiting,
    wire::{Ask, ENTRYPOINT, Fault, OutputFd, Reply, Stats},
};
use crate::engine::{
    jail::{self, Jail, Word, limits},
    json_file,
    spec::{End, ExecEnd, ExecSpec, SandboxSpec},
};

/// A jail's last processes are gone when its first one was waited for; the kernel's books follow within milliseconds.
const GROUP_PATIENCE: Duration = Duration::from_secs(5);

/// A keeper at work.
pub struct Keeper {
    folder: Rc<Folder>,
    spec: SandboxSpec,
    jail: Jail,
    signals: OwnedFd,
    lines: Lines,
    execs: Execs,
    deadline: Option<Instant>,
    over_memory: bool,
    ending: Option<End>,
}

/// What a descriptor of the poll belongs to.
enum Source {
    Signals,
    Jail,
    Listener,
    Line(usize),
    Output(usize, OutputFd),
    Input,
}

impl Keeper {
    /// Of a jail that stands. The limits have no zeros but the timeout, the CPU and the disk.
    pub fn new(folder: Folder, spec: SandboxSpec, jail: Jail, signals: OwnedFd, listener: UnixListener) -> Self {
        let (folder, limits) = (Rc::new(folder), spec.limits);
        let deadline = (limits.timeout_secs > 0)
            .then(|| Instant::now().checked_add(Duration::from_secs(limits.timeout_secs)))
            .flatten();
        Self {
            execs: Execs::new(folder.clone(), limits),
            folder,
            spec,
            jail,
            signals,
            lines: Lines::new(listener),
            deadline,
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
        let ready = self.watch().wait(self.timeout())?;
        let mut gone = false;
        for source in ready {
            match source {
                Source::Signals => gone |= self.take_signals(),
                Source::Jail if !self.hear()? => gone |= self.wait_for_jail(),
                Source::Jail => {}
                Source::Listener => self.lines.accept(),
                Source::Line(i) => self.talk(i),
                Source::Output(exec, fd) => self.execs.pump(exec, fd),
                // Written when the waiting lines are looked at.
                Source::Input => {}
            }
        }
        self.watch_time();
        self.lines.settle(&mut self.execs);
        self.lines.drop_broken();
        Ok(gone)
    }

    fn watch(&self) -> Poll<'_, Source> {
        let mut poll = Poll::new();
        poll.add(self.signals.as_fd(), PollFlags::IN, Source::Signals);
        poll.add(self.jail.as_fd(), PollFlags::IN, Source::Jail);
        poll.add(self.lines.listener(), PollFlags::IN, Source::Listener);
        for (i, line) in self.lines.iter() {
            poll.add(line.as_fd(), line.interest(), Source::Line(i));
            if let Some(input) = line.waiting().and_then(|waiting| waiting.input(&self.execs)) {
                poll.add(input, PollFlags::OUT, Source::Input);
            }
        }
        for (exec, fd, output) in self.execs.outputs() {
            poll.add(output, PollFlags::IN, Source::Output(exec, fd));
        }
        poll
    }

    fn timeout(&self) -> Option<Duration> {
        let now = Instant::now();
        let next = self.execs.deadline().into_iter().chain(self.deadline).min();
        next.map(|d| d.saturating_duration_since(now)).into_iter().chain(self.execs.disk_retry()).min()
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
                Word::Started(i) => self.execs.started(i),
                Word::NotStarted(i, why) => self.refused(i, why),
                Word::OverMemory => self.over_memory = true,
                Word::Exited(i, end) => self.exited(i, end),
                Word::Ready(_) | Word::Failed(_) => {}
            }
        }
        Ok(true)
    }

    fn refused(&mut self, number: u64, reason: String) {
        if self.execs.refused(number, reason.clone()).is_some_and(|id| id == ENTRYPOINT) {
            self.end(End::Failed { reason });
        }
    }

    fn exited(&mut self, number: u64, end: ExecEnd) {
        if self.execs.exited(number, end).is_some_and(|id| id == ENTRYPOINT) {
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

    fn talk(&mut self, line: usize) {
        let mut asked = self.lines.get(line).hear();
        while let Some((ask, data)) = asked {
            let answer = self.consider(ask, data);
            self.lines.get(line).answer(answer);
            asked = self.lines.get(line).next();
        }
    }

    fn consider(&mut self, ask: Ask, data: Vec<u8>) -> Result<Answer, Fault> {
        let find = |id: &str| self.execs.find(id);
        Ok(match ask {
            Ask::Exec(spec) => Answer::Later(Waiting::Start(self.start(&spec).map_err(Fault::Refused)?)),
            Ask::Output { exec, fd, offset } => Answer::Later(Waiting::Output(find(&exec)?, fd, offset)),
            Ask::Stdin { exec, offset, eof } => Answer::Later(Waiting::Stdin { exec: find(&exec)?, offset, data, eof }),
            Ask::StdinStatus { exec } => {
                let input = &self.execs[find(&exec)?].input;
                Answer::Now(Reply::Stdin { written: input.written, closed: input.closed() })
            }
            Ask::Poll { exec } => Answer::Now(Reply::Exit(self.execs[find(&exec)?].exit)),
            Ask::Wait { exec } => Answer::Later(Waiting::Exit(find(&exec)?)),
            Ask::Terminate => {
                self.end(End::Terminated);
                Answer::Now(Reply::Done)
            }
            Ask::Ended => Answer::Later(Waiting::Ended),
            Ask::Listeners => self.listeners(),
            Ask::Stats => {
                let group = &self.jail.group;
                Answer::Now(Reply::Stats(Stats { memory: group.memory(), pids: group.pids() }))
            }
        })
    }

    fn listeners(&self) -> Answer {
        let all = self.jail.listeners.iter().map(|(name, fd)| (name.clone(), fd.as_fd()));
        let (names, fds): (Vec<_>, Vec<_>) = all
            .chain(self.execs.key_sockets())
            .filter_map(|(name, fd)| Some((name, fd.try_clone_to_owned().ok()?)))
            .unzip();
        Answer::WithFds(Reply::Listeners(names), fds)
    }

    /// Starts a command, or finds that it was. Its place.
    fn start(&mut self, spec: &ExecSpec) -> Result<usize, String> {
        match self.execs.find(&spec.exec_id) {
            Ok(place) => Ok(place),
            Err(_) if self.ending.is_some() => Err("the sandbox is ending".to_string()),
            Err(_) => self.execs.start(spec, &self.jail, &self.spec.workdir),
        }
    }

    fn watch_time(&mut self) {
        self.execs.retry_disk();
        let now = Instant::now();
        if self.deadline.is_some_and(|d| d <= now) {
            self.deadline = None;
            self.end(End::Timeout);
        }
        self.execs.end_overdue(now, &self.jail);
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
        self.execs.close();
        let unexplained = || End::Failed { reason: "the sandbox's first process was killed".to_string() };
        let out_of_memory = self.ran_out_of_memory();
        let end = self.ending.take().unwrap_or_else(|| if out_of_memory { End::OutOfMemory } else { unexplained() });
        limits::remove(self.jail.group.folders(), GROUP_PATIENCE);
        let dir = self.folder.path();
        jail::forget(dir);
        let _ = fs::remove_file(dir.join(files::SOCKET));
        let _ = fs::remove_dir_all(dir.join(files::KEYS));
        // If the disk takes no file, whoever looks finds "lost"; those who are connected hear the truth.
        let _ = json_file::write(&dir.join(files::END), &end);
        self.lines.settle(&mut self.execs);
        self.lines.tell_end(&end);
    }
}
