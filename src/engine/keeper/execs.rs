//! All commands of a sandbox: their starts, their output's way to the disk, their deadlines and ends.

use std::{
    collections::BTreeMap,
    fs, io,
    ops::{Index, IndexMut},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::{DirBuilderExt, PermissionsExt},
            net::UnixListener,
        },
    },
    rc::Rc,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    disk::Disk,
    exec::{Exec, State, note_exit},
    files::{self, Folder},
    logs::Keep,
    wire::{Fault, OutputFd},
};
use crate::engine::{
    frames::FDS_MAX,
    jail::{Command, Jail, Order},
    spec::{ExecEnd, ExecSpec, Limits, ListenerName},
};

/// Commands that run or whose output something still holds open. Each has up to six descriptors here, and a program
/// that hangs on to the outputs of all its commands must not use up those by which it is ended.
const OPEN_MAX: usize = 512;
/// Commands with a key socket at once: all listeners travel in one answer, whose descriptors the kernel bounds; the
/// sandbox's own are far fewer than the rest.
const KEYS_MAX: usize = FDS_MAX - 13;

/// The commands. One keeps its place, which is also its number in the jail, until the sandbox's end.
#[derive(Debug)]
pub struct Execs {
    folder: Rc<Folder>,
    all: Vec<Exec>,
    /// Places of all but those that never started.
    by_id: BTreeMap<String, usize>,
    keep: Keep,
    disk: Disk,
}

impl Execs {
    /// None yet. The bounds of logs are no zeros.
    pub fn new(folder: Rc<Folder>, limits: Limits) -> Self {
        let keep = Keep::new(limits.exec_log, limits.sandbox_log);
        Self { folder, all: Vec::new(), by_id: BTreeMap::new(), keep, disk: Disk::new(limits.disk_floor) }
    }

    /// The place of one.
    pub fn find(&self, id: &str) -> Result<usize, Fault> {
        self.by_id.get(id).copied().ok_or(Fault::NoSuchExec)
    }

    /// Asks the jail to start one, whose id must be new. Its place.
    pub fn start(&mut self, spec: &ExecSpec, jail: &Jail, workdir: &str) -> Result<usize, String> {
        if !files::valid_id(&spec.exec_id) {
            return Err("an exec id has 1 to 64 letters, digits, - and _".to_string());
        }
        if spec.command.is_empty() {
            return Err("a command is missing".to_string());
        }
        if self.all.iter().filter(|e| e.is_open()).count() >= OPEN_MAX {
            return Err(format!("{OPEN_MAX} commands run in the sandbox or left their output open: end some"));
        }
        if spec.key_socket && self.all.iter().filter(|e| e.keys.is_some()).count() >= KEYS_MAX {
            return Err(format!("{KEYS_MAX} commands with keys run in the sandbox: wait for one to end"));
        }
        let exec = self.order(spec, jail, workdir).map_err(|e| {
            self.remove_files(&spec.exec_id);
            format!("cannot start a command in the sandbox: {e}")
        })?;
        self.all.push(exec);
        self.by_id.insert(spec.exec_id.clone(), self.all.len() - 1);
        Ok(self.all.len() - 1)
    }

    fn order(&self, spec: &ExecSpec, jail: &Jail, workdir: &str) -> io::Result<Exec> {
        let folder = self.folder.exec(&spec.exec_id);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let (mut exec, theirs) = Exec::new(spec, folder, &jail.terminals)?;
        if spec.key_socket {
            exec.keys = Some(self.listen_for_keys(&spec.exec_id)?);
        }
        let age = spec.timeout_secs.map(Duration::from_secs);
        exec.deadline = age.and_then(|age| Instant::now().checked_add(age));
        let fds: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
        jail.order(&Order::Start(self.all.len() as u64, Command::new(spec, workdir)), &fds)?;
        Ok(exec)
    }

    /// Nothing stays of one that was never started: who looks finds no such command, and its id may be tried again.
    fn remove_files(&self, id: &str) {
        let _ = fs::remove_file(self.folder.path().join(key_socket(id)));
        let _ = fs::remove_dir_all(self.folder.exec(id));
    }

    fn listen_for_keys(&self, id: &str) -> io::Result<UnixListener> {
        let name = key_socket(id);
        let listener = self.folder.listen(&name)?;
        // Any user of the sandbox may connect; on the host the folder above keeps others out.
        fs::set_permissions(self.folder.path().join(name), fs::Permissions::from_mode(0o666))?;
        Ok(listener)
    }

    /// The sockets of those with keys that run.
    pub fn key_sockets(&self) -> impl Iterator<Item = (ListenerName, BorrowedFd<'_>)> {
        self.by_id.iter().filter_map(|(id, i)| {
            let socket = self.all[*i].keys.as_ref()?;
            Some((ListenerName::Keys(id.clone()), socket.as_fd()))
        })
    }

    /// The jail has started one.
    pub fn started(&mut self, number: u64) {
        if let Some(i) = self.place(number) {
            self.all[i].state = State::Started;
        }
    }

    /// The jail could not start one. Its id.
    pub fn refused(&mut self, number: u64, why: String) -> Option<String> {
        let i = self.place(number)?;
        self.all[i].input.close();
        self.all[i].state = State::Refused(why);
        let id = self.id_of(i)?;
        self.all[i].keys = None;
        self.by_id.remove(&id);
        self.remove_files(&id);
        Some(id)
    }

    /// One has ended, though others may still hold its output. Its id.
    pub fn exited(&mut self, number: u64, end: ExecEnd) -> Option<String> {
        let i = self.place(number)?;
        self.all[i].exit = Some(end);
        self.all[i].input.close();
        let id = self.id_of(i)?;
        self.drop_keys(i, &id);
        note_exit(self.folder.exec(&id), end);
        Some(id)
    }

    /// Nothing serves its socket any more, and an answer has room for the sockets of those that run only.
    fn drop_keys(&mut self, place: usize, id: &str) {
        if self.all[place].keys.take().is_some() {
            let _ = fs::remove_file(self.folder.path().join(key_socket(id)));
        }
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number).ok().filter(|i| *i < self.all.len())
    }

    fn id_of(&self, place: usize) -> Option<String> {
        self.by_id.iter().find(|(_, i)| **i == place).map(|(id, _)| id.clone())
    }

    /// Outputs that can be moved: none while the disk is full.
    pub fn outputs(&self) -> impl Iterator<Item = (usize, OutputFd, BorrowedFd<'_>)> {
        let all = if self.disk.is_full() { &[] } else { &self.all[..] };
        all.iter().enumerate().flat_map(|(i, exec)| {
            let both = [(OutputFd::Out, &exec.out), (OutputFd::Err, &exec.err)];
            both.into_iter().filter_map(move |(fd, output)| Some((i, fd, output.readable()?)))
        })
    }

    /// Moves what one wrote to its log, as far as the disk takes it.
    pub fn pump(&mut self, place: usize, fd: OutputFd) {
        if !self.disk.has_room(&*self.folder) {
            return;
        }
        let output = self.all[place].output(fd);
        let before = output.log.end;
        let pumped = output.pump(&mut self.keep);
        self.disk.took(output.log.end - before, pumped.is_err());
    }

    /// Looks again whether a full disk takes what is there.
    pub fn retry_disk(&mut self) {
        if self.disk.is_full() && self.disk.has_room(&*self.folder) {
            for i in 0..self.all.len() {
                self.pump(i, OutputFd::Out);
                self.pump(i, OutputFd::Err);
            }
        }
    }

    /// How long until the disk wants to be looked at again.
    pub fn disk_retry(&self) -> Option<Duration> {
        self.disk.retry()
    }

    /// When the next one must end.
    pub fn deadline(&self) -> Option<Instant> {
        self.all.iter().filter(|e| e.exit.is_none()).filter_map(|e| e.deadline).min()
    }

    /// Kills those whose time is over.
    pub fn end_overdue(&mut self, now: Instant, jail: &Jail) {
        for (i, exec) in self.all.iter_mut().enumerate() {
            if exec.exit.is_none() && exec.deadline.is_some_and(|d| d <= now) {
                exec.deadline = None;
                let _ = jail.order(&Order::Kill(i as u64), &[]);
            }
        }
    }

    /// The jail is gone: the last output is kept, and those that had not ended were killed.
    pub fn close(&mut self) {
        let killed = ExecEnd::Signal(Signal::KILL.as_raw());
        for (id, i) in &self.by_id {
            let exec = &mut self.all[*i];
            exec.out.drain(&mut self.keep);
            exec.err.drain(&mut self.keep);
            exec.input.close();
            if exec.exit.is_none() {
                exec.exit = Some(killed);
                note_exit(self.folder.exec(id), killed);
            }
        }
    }
}

impl Index<usize> for Execs {
    type Output = Exec;

    fn index(&self, place: usize) -> &Exec {
        &self.all[place]
    }
}

impl IndexMut<usize> for Execs {
    fn index_mut(&mut self, place: usize) -> &mut Exec {
        &mut self.all[place]
    }
}

/// Name of a command's key socket in the sandbox's folder.
fn key_socket(id: &str) -> String {
    format!("{}/{id}.sock", files::KEYS)
}
