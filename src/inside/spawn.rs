//! Starts processes: the one file outside the jail with `unsafe`. Used by the shim inside sandboxes.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, Stdio},
};

use rustix::{
    process::{Pid, Signal},
    pty::OpenptFlags,
    termios::Winsize,
};

/// A terminal: our end, and the end for the command.
pub struct Terminal {
    /// What the command prints is read here, what is written here it reads.
    pub master: OwnedFd,
    /// The command's end.
    pub slave: OwnedFd,
}

/// Makes a terminal of a size. In gVisor it has no name in the file system for others, so both ends stay open here.
pub fn terminal(rows: u16, columns: u16) -> io::Result<Terminal> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .or_else(|_| {
            // Kernels before 4.13, and gVisor, have no such call.
            let name = rustix::pty::ptsname(&master, Vec::new())?;
            let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
            rustix::fs::open(name, flags, rustix::fs::Mode::empty())
        })?;
    resize(&master, rows, columns)?;
    Ok(Terminal { master, slave })
}

/// Sets a terminal's size; the kernel tells the foreground group.
pub fn resize(terminal: impl AsFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}

/// Where a command's standard input comes from.
pub enum Input {
    /// A pipe.
    Pipe,
    /// The terminal.
    Terminal,
    /// Nowhere.
    Null,
}

/// Starts a command as the leader of a session of its own. With a terminal, standard output and error are that, and
/// it is the session's; else they are pipes. If we die the command gets a hang-up.
pub fn spawn(argv: &[std::ffi::OsString], input: &Input, terminal: Option<&Terminal>) -> io::Result<Child> {
    let (program, args) = argv.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let mut command = Command::new(program);
    command.args(args);
    let end = |t: &Terminal| -> io::Result<Stdio> { Ok(Stdio::from(t.slave.try_clone()?)) };
    match (input, terminal) {
        (Input::Pipe, _) => command.stdin(Stdio::piped()),
        (Input::Terminal, Some(t)) => command.stdin(end(t)?),
        _ => command.stdin(Stdio::null()),
    };
    match terminal {
        Some(t) => command.stdout(end(t)?).stderr(end(t)?),
        None => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
    };
    let slave = terminal.map(|t| t.slave.as_raw_fd());
    let parent = rustix::process::getpid();
    let prepare = move || {
        rustix::process::setsid()?;
        // A server that was started by nohup ignores hang-ups, and what it starts would too.
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: plain system call.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        if let Some(slave) = slave {
            // SAFETY: plain system call on a descriptor that the parent keeps open until `spawn` returns.
            if unsafe { libc::ioctl(slave, libc::TIOCSCTTY, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        // Where it isn't known (gVisor), the hang-up of the terminal must do.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::HUP));
        if rustix::process::getppid() != Some(parent) {
            // The parent died before the line above: nobody would ever read this command's output.
            return Err(io::Error::other("the shim has ended"));
        }
        Ok(())
    };
    // SAFETY: `prepare` runs between fork and exec; it makes system calls only, and allocates nothing on its way to
    // success.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

/// Sends a signal to a whole process group. A group that is gone is no error.
pub fn signal_group(leader: u32, signal: i32) -> io::Result<()> {
    let signal = Signal::from_named_raw(signal).ok_or_else(|| io::Error::other("no such signal"))?;
    let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) else { return Ok(()) };
    match rustix::process::kill_process_group(group, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Which side of [`detach`] we are.
pub enum Side {
    /// The process that was started; `ready` ends, or says what went wrong, when the other side is.
    Parent {
        /// Reading end.
        ready: File,
    },
    /// The process that goes on alone, in a session of its own, with nothing but null for its standard streams.
    Child {
        /// Writing end; closed when all is well.
        ready: File,
    },
}

/// Splits off a process that outlives this one. Must be called while there is one thread only.
pub fn detach() -> io::Result<Side> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: there is one thread (nothing before this has started another), so the child has all its locks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            rustix::process::setsid()?;
            let null = File::options().read(true).write(true).open("/dev/null")?;
            rustix::stdio::dup2_stdin(&null)?;
            rustix::stdio::dup2_stdout(&null)?;
            rustix::stdio::dup2_stderr(&null)?;
            Ok(Side::Child { ready: File::from(write) })
        }
        _ => Ok(Side::Parent { ready: File::from(read) }),
    }
}
