//! The first process of a jail: makes the inside, then starts commands, takes the exits of all that end, and tells the
//! keeper. It is a fork of the keeper, so it has the keeper's program text and none of its own on disk.
//!
//! What must stay true: when it ends, the kernel ends every process of the sandbox; it ends when the keeper does (by
//! the death signal, and by the end of their socket). Programs of the sandbox cannot trace it: its memory belongs to
//! the host's user namespace and is not dumpable.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::Path,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Dir, Mode, OFlags, openat},
    process::{
        DumpableBehavior, Pid, Signal, WaitOptions, kill_process, set_dumpable_behavior,
        set_parent_process_death_signal, wait,
    },
    thread::{UnshareFlags, unshare_unsafe},
};
use serde::{Deserialize, Serialize};

use super::{command::Command, executables, namespace, network, privileges, process, root::Sources, seccomp};
use crate::engine::{
    frames,
    spec::{ExecEnd, IdMode, ListenerName, SandboxSpec},
};

/// How often memory is added up where no control group does, in nanoseconds: a quarter of a second.
const WATCH: i64 = 250_000_000;

/// Passes over the processes when a command is killed: each finds what the ones before started meanwhile.
const KILL_PASSES: usize = 16;

/// From the keeper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The id maps are written: make the inside.
    Go,
    /// Its control groups are entered: close it.
    Limited {
        /// Without control groups: count processes and memory here.
        watch: bool,
    },
    /// Start this, under this number; its descriptors come along.
    Start(u64, Command),
    /// Kill it with all of its session and what it started.
    Kill(u64),
}

/// To the keeper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The jail stands. Descriptors: the folder of its terminals, then these listeners.
    Ready(Vec<ListenerName>),
    /// It can't be made: what failed, and what to do.
    Failed(String),
    /// Started.
    Started(u64),
    /// Not started: why.
    NotStarted(u64, String),
    /// Ended.
    Exited(u64, ExecEnd),
    /// A process was killed because the sandbox used more memory than it may.
    OverMemory,
}

/// Becomes the jail's first process. Never returns; no destructor of what was copied from the keeper runs.
pub fn main(socket: &OwnedFd, spec: &SandboxSpec, keys: &Path) -> ! {
    let code = match inside(socket, spec, keys) {
        Ok(()) => 0,
        Err(why) => {
            let _ = tell(socket, &Word::Failed(why), &[]);
            1
        }
    };
    // SAFETY: ends this process at once.
    unsafe { libc::_exit(code) }
}

fn inside(socket: &OwnedFd, spec: &SandboxSpec, keys: &Path) -> Result<(), String> {
    let say = |what: &'static str| move |e: io::Error| format!("cannot {what} for the sandbox: {e}");
    let die = || {
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| say("bind its life to its keeper")(e.into()))
    };
    die()?;
    let mut orders = Orders::new(socket);
    let Some((Order::Go, _)) = orders.next().map_err(say("hear of its ids"))? else {
        return Err("the keeper ended".to_string());
    };
    process::hide_arguments().map_err(say("hide its folder"))?;
    let sources = Sources::open(&spec.root, keys)?;
    namespace::become_root(&spec.ids).map_err(say("take its ids"))?;
    // Changing ids cleared it.
    die()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| say("close its first process")(e.into()))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::system::sethostname(spec.hostname.as_bytes()).map_err(|e| say("set the host name")(e.into()))?;
    network::up().map_err(say("bring the loopback network up"))?;
    let listeners = network::listeners(&spec.network)?;
    let terminals = sources.build(&spec.root, spec.ids.mode, spec.limits.memory, &spec.workdir)?;
    drop(sources);
    let Some((Order::Limited { watch }, _)) = orders.next().map_err(say("hear of its limits"))? else {
        return Err("the keeper ended".to_string());
    };
    // SAFETY: leaves only the view of the control groups, whose root is where it is now; descriptors stay as they are.
    // Without the feature there is nothing to hide.
    let _ = unsafe { unshare_unsafe(UnshareFlags::NEWCGROUP) };
    let null = openat(CWD, "/dev/null", OFlags::RDWR, Mode::empty()).map_err(|e| say("open /dev/null")(e.into()))?;
    let processes = openat(CWD, "/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| say("open /proc")(e.into()))?;
    process::default_signals();
    let children = process::signals(&[libc::SIGCHLD]).map_err(say("wait for its processes"))?;
    let names = listeners.iter().map(|(name, _)| name.clone()).collect();
    let sent: Vec<BorrowedFd<'_>> =
        std::iter::once(terminals.as_fd()).chain(listeners.iter().map(|(_, fd)| fd.as_fd())).collect();
    // Nothing of the host may stay open, the keeper's descriptors included: what is kept is the jail's own.
    detach(&null, &[socket, &processes, &children, &terminals], &listeners);
    privileges::usual_descriptors().map_err(|e| say("limit it")(e.into()))?;
    privileges::limit(watch.then_some(spec.limits.pids)).map_err(|e| say("limit it")(e.into()))?;
    privileges::drop_all_but_kept().map_err(|e| say("drop its privileges")(e.into()))?;
    executables::only_the_sandboxs_own().map_err(say("close the host's programs"))?;
    seccomp::install(spec.ids.mode == IdMode::Single)?;
    tell(socket, &Word::Ready(names), &sent).map_err(say("report"))?;
    close_all_but(&mut [0, 1, 2, socket.as_raw_fd(), processes.as_raw_fd(), children.as_raw_fd()]);
    let memory = watch.then_some(spec.limits.memory);
    Init { orders, socket, processes, children, memory, running: BTreeMap::new() }.serve().map_err(say("tend it"))
}

struct Init<'a> {
    orders: Orders<'a>,
    socket: &'a OwnedFd,
    processes: OwnedFd,
    children: OwnedFd,
    memory: Option<u64>,
    /// Commands by process id.
    running: BTreeMap<i32, u64>,
}

impl Init<'_> {
    /// Until the keeper is gone.
    fn serve(mut self) -> io::Result<()> {
        loop {
            let mut set = [PollFd::new(self.socket, PollFlags::IN), PollFd::new(&self.children, PollFlags::IN)];
            let tick = Timespec { tv_sec: 0, tv_nsec: WATCH };
            // Asleep while nothing runs or nothing has to be watched.
            let watching = self.memory.is_some() && !self.running.is_empty();
            match poll(&mut set, watching.then_some(&tick)) {
                Err(rustix::io::Errno::INTR) => continue,
                ready => ready?,
            };
            let (orders, children) = (!set[0].revents().is_empty(), !set[1].revents().is_empty());
            if children {
                self.take_exits()?;
            }
            if orders && !self.obey()? {
                return Ok(());
            }
            if watching {
                self.watch()?;
            }
        }
    }

    fn obey(&mut self) -> io::Result<bool> {
        if !self.orders.receive()? {
            return Ok(false);
        }
        while let Some((order, fds)) = self.orders.take()? {
            match order {
                Order::Go | Order::Limited { .. } => {}
                Order::Kill(number) => {
                    if let Some((pid, _)) = self.running.iter().find(|(_, n)| **n == number) {
                        kill_tree(&self.processes, *pid)?;
                    }
                }
                Order::Start(number, command) => {
                    let word = match self.start(&command, &fds) {
                        Ok(pid) => {
                            self.running.insert(pid.as_raw_nonzero().get(), number);
                            Word::Started(number)
                        }
                        Err(e) => Word::NotStarted(number, format!("cannot start a process in the sandbox: {e}")),
                    };
                    tell(self.socket, &word, &[])?;
                }
            }
        }
        Ok(true)
    }

    fn start(&self, command: &Command, fds: &[OwnedFd]) -> io::Result<Pid> {
        // SAFETY: descriptor 0 is /dev/null for all of this process's life.
        let null = unsafe { BorrowedFd::borrow_raw(0) };
        let mut fds = fds.iter().map(|fd| fd.as_fd());
        let stdio = if command.terminal {
            [fds.next().unwrap_or(null); 3]
        } else {
            command.pipes.map(|piped| if piped { fds.next().unwrap_or(null) } else { null })
        };
        command.start(stdio)
    }

    fn take_exits(&mut self) -> io::Result<()> {
        let mut record = [0u8; 128 * size_of::<u32>()];
        // Only says that there are some; several signals may be one.
        let _ = rustix::io::read(&self.children, &mut record);
        // Any child: each command leads a group of its own, and `waitpid(None)` means those of this group.
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let Some(number) = self.running.remove(&pid.as_raw_nonzero().get()) else { continue };
            let end = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ExecEnd::Code(code),
                (None, signal) => ExecEnd::Signal(signal.unwrap_or(Signal::KILL.as_raw())),
            };
            tell(self.socket, &Word::Exited(number, end), &[])?;
        }
        Ok(())
    }

    /// Adds up what processes have for themselves; over the limit, ends the largest.
    fn watch(&mut self) -> io::Result<()> {
        let Some(limit) = self.memory else { return Ok(()) };
        let page = process::page_size();
        let sizes: Vec<(u64, i32)> = process_ids(&self.processes)?
            .into_iter()
            .filter(|pid| *pid != 1)
            .filter_map(|pid| {
                let text = read_below(&self.processes, &format!("{pid}/statm"))?;
                let mut fields = text.split_ascii_whitespace().skip(1).map(|n| n.parse::<u64>().ok());
                // Resident less shared: libraries would count once for each process.
                Some((fields.next()??.saturating_sub(fields.next()??) * page, pid))
            })
            .collect();
        if sizes.iter().map(|s| s.0).sum::<u64>() > limit
            && let Some((_, pid)) = sizes.iter().max()
        {
            tell(self.socket, &Word::OverMemory, &[])?;
            kill(*pid);
        }
        Ok(())
    }
}

/// Orders as they come.
struct Orders<'a> {
    socket: &'a OwnedFd,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl<'a> Orders<'a> {
    fn new(socket: &'a OwnedFd) -> Self {
        Self { socket, buffer: Vec::new(), fds: Vec::new() }
    }

    /// Waits for one; `None` when the keeper is gone.
    fn next(&mut self) -> io::Result<Option<(Order, Vec<OwnedFd>)>> {
        loop {
            if let Some(order) = self.take()? {
                return Ok(Some(order));
            }
            if !self.receive()? {
                return Ok(None);
            }
        }
    }

    fn receive(&mut self) -> io::Result<bool> {
        Ok(frames::receive(self.socket, &mut self.buffer, &mut self.fds)? > 0)
    }

    fn take(&mut self) -> io::Result<Option<(Order, Vec<OwnedFd>)>> {
        let Some((order, _)) = frames::take::<Order>(&mut self.buffer)? else { return Ok(None) };
        let count = if let Order::Start(_, command) = &order { command.descriptors() } else { 0 };
        let fds = self.fds.drain(..count.min(self.fds.len())).collect();
        Ok(Some((order, fds)))
    }
}

fn tell(socket: &OwnedFd, word: &Word, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    frames::send_all(socket, &frames::frame(word, &[])?, fds)
}

/// Standard descriptors become the jail's `/dev/null`, and all but these and the standard ones close.
fn detach(null: &OwnedFd, keep: &[&OwnedFd], listeners: &[(ListenerName, OwnedFd)]) {
    for to in 0..3 {
        // SAFETY: replaces one of this process's own standard descriptors, which nothing in it owns.
        unsafe { libc::dup2(null.as_raw_fd(), to) };
    }
    let mut keep: Vec<RawFd> = keep
        .iter()
        .map(|fd| fd.as_raw_fd())
        .chain(listeners.iter().map(|(_, fd)| fd.as_raw_fd()))
        .chain(0..3)
        .collect();
    close_all_but(&mut keep);
}

/// What owned them is never dropped: this process leaves by `_exit`.
fn close_all_but(keep: &mut [RawFd]) {
    keep.sort_unstable();
    let mut from = 0;
    for fd in keep.iter().copied().chain([RawFd::MAX]) {
        if from < fd {
            // SAFETY: closes descriptors that nothing uses after this.
            unsafe { libc::syscall(libc::SYS_close_range, from.cast_unsigned(), (fd - 1).cast_unsigned(), 0) };
        }
        from = fd.saturating_add(1);
    }
}

fn process_ids(processes: &OwnedFd) -> io::Result<Vec<i32>> {
    let entries = Dir::read_from(processes)?;
    Ok(entries.flatten().filter_map(|e| e.file_name().to_str().ok()?.parse().ok()).collect())
}

fn read_below(processes: &OwnedFd, name: &str) -> Option<String> {
    let file = openat(processes, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Kills a command, its session, and all that descends from it.
fn kill_tree(processes: &OwnedFd, pid: i32) -> io::Result<()> {
    let mut dead = vec![pid];
    kill(pid);
    for _ in 0..KILL_PASSES {
        let before = dead.len();
        for other in process_ids(processes)? {
            let Some(stat) = read_below(processes, &format!("{other}/stat")) else { continue };
            let Some((_, fields)) = stat.rsplit_once(')') else { continue };
            let field = |i: usize| fields.split_ascii_whitespace().nth(i).and_then(|n| n.parse::<i32>().ok());
            let (parent, session) = (field(1).unwrap_or(0), field(3).unwrap_or(0));
            if other != 1 && !dead.contains(&other) && (session == pid || dead.contains(&parent)) {
                dead.push(other);
                kill(other);
            }
        }
        if dead.len() == before {
            break;
        }
    }
    Ok(())
}

fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
