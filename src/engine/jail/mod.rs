//! The jail: Linux namespaces, an own root, limits and a system call filter around hostile programs. Directly by system
//! calls: no daemon, no container runtime.
//!
//! What must stay true: nothing runs without all of it. Where the machine forbids a part, [`available`] says which
//! setting does, and there is no sandbox. Landlock keeps the host's programs from being run ([`executables`]) and
//! nothing else: it can only allow below a folder, not take away below one that it allows, so it cannot name "all but
//! the read-only binds"; those hold because their flags belong to a mount namespace in which nobody has the capability,
//! or the system call, to change them.
#![allow(unsafe_code)]

mod command;
mod executables;
pub mod helper;
pub mod ids;
mod init;
pub mod limits;
mod namespace;
mod network;
mod note;
mod privileges;
mod process;
mod root;
mod seccomp;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::Pid,
};

pub use command::Command;
pub use executables::enforced as only_own_programs;
pub use helper::{remove_tree, run_helper};
pub use ids::{choose, look as look_for_ids, make_dir};
pub use init::{Order, Word};
pub use namespace::available;
pub use note::{Init, clear, forget};
pub use process::{leave_starter, many_descriptors, no_core_dumps, take_stdout};

use self::limits::{Controllers, Group};
use super::{
    frames,
    spec::{ListenerName, SandboxSpec},
};

/// A jail that stands, seen from its keeper.
#[derive(Debug)]
pub struct Jail {
    /// Its first process.
    pub pid: Pid,
    /// Listening sockets made inside.
    pub listeners: Vec<(ListenerName, OwnedFd)>,
    /// Its `/dev/pts`.
    pub terminals: OwnedFd,
    /// What counts its memory and processes.
    pub group: Group,
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Jail {
    /// Makes the jail of a spec whose limits have no zeros, with a folder of the host in which it finds its key sockets;
    /// `dir` gets the note of its first process. Call in a process of one thread.
    ///
    /// # Errors
    /// A sentence: what failed, on what, and what to do. Nothing is left then.
    pub fn start(dir: &Path, keys: &Path, spec: &SandboxSpec) -> Result<Self, String> {
        let say = |what: &'static str| move |e: io::Error| format!("cannot {what} for the sandbox: {e}");
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|e| say("make a socket")(e.into()))?;
        // SAFETY: a keeper has one thread.
        let pid = match unsafe { namespace::fork_into(namespace::ALL) } {
            Ok(Some(pid)) => pid,
            Ok(None) => init::main(&theirs, spec, keys),
            // The full test finds the setting.
            Err(e) => return Err(available().err().unwrap_or_else(|| say("make namespaces")(e))),
        };
        drop(theirs);
        let name = format!("{}-{}", spec.sandbox_id, pid.as_raw_nonzero());
        let controllers = Controllers::detect();
        let mut jail = Self {
            pid,
            listeners: Vec::new(),
            terminals: socket.try_clone().map_err(say("copy a socket"))?,
            group: Group::default(),
            socket,
            buffer: Vec::new(),
        };
        match jail.raise(dir, spec, &controllers, &name) {
            Ok(()) => Ok(jail),
            Err(why) => {
                namespace::kill_and_wait(pid);
                limits::remove(&controllers.groups(&name), Duration::from_secs(1));
                note::forget(dir);
                Err(why)
            }
        }
    }

    fn raise(&mut self, dir: &Path, spec: &SandboxSpec, controllers: &Controllers, name: &str) -> Result<(), String> {
        let say = |what: &'static str| move |e: io::Error| format!("cannot {what} for the sandbox: {e}");
        let raw = self.pid.as_raw_nonzero().get();
        note::Init::new(raw, controllers.groups(name)).write(dir).map_err(say("note the first process"))?;
        namespace::write_maps(self.pid, &spec.ids).map_err(say("map ids"))?;
        // It makes its inside meanwhile: the kernel takes six milliseconds to move a process into a group, and nothing
        // of the sandbox's runs before this has returned. One that failed says why; that answer is better than "broken
        // pipe".
        let _ = self.order(&Order::Go, &[]);
        self.group = controllers.create(name, &spec.limits, raw).map_err(say("set limits"))?;
        let _ = self.order(&Order::Limited { watch: self.group.folders().is_empty() }, &[]);
        let mut fds = Vec::new();
        loop {
            match frames::take(&mut self.buffer).map_err(say("understand the first process"))? {
                Some((Word::Ready(names), _)) if fds.len() == names.len() + 1 => {
                    self.terminals = fds.remove(0);
                    self.listeners = names.into_iter().zip(fds).collect();
                    return Ok(());
                }
                Some((Word::Failed(why), _)) => return Err(why),
                Some((other, _)) => return Err(format!("the sandbox's first process said {other:?}")),
                None => {}
            }
            if frames::receive(&self.socket, &mut self.buffer, &mut fds).map_err(say("hear the first process"))? == 0 {
                return Err("the sandbox's first process ended while it was made".to_string());
            }
        }
    }

    /// Tells the first process.
    pub fn order(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        frames::send_all(&self.socket, &frames::frame(order, &[])?, fds)
    }

    /// What it says, after its socket became readable; `None` when it is gone.
    pub fn hear(&mut self) -> io::Result<Option<Vec<Word>>> {
        if frames::receive(&self.socket, &mut self.buffer, &mut Vec::new())? == 0 {
            return Ok(None);
        }
        let mut words = Vec::new();
        while let Some((word, _)) = frames::take(&mut self.buffer)? {
            words.push(word);
        }
        Ok(Some(words))
    }

    /// Kills every process of the jail; the keeper takes the exit of its first one.
    pub fn kill(&self) {
        let _ = rustix::process::kill_process(self.pid, rustix::process::Signal::KILL);
    }
}

impl AsFd for Jail {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
