//! What a process does to itself with raw system calls: the few that the keeper needs beside the jail's own.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// Blocks SIGCHLD and SIGTERM and returns a nonblocking descriptor that is readable when one came; closes every
/// descriptor but the standard ones. SIGHUP no longer ends the process.
pub fn leave_starter() -> io::Result<OwnedFd> {
    // SAFETY: at the start of the process: nothing in it has opened a descriptor yet. Constant dispositions otherwise.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        libc::signal(libc::SIGINT, libc::SIG_IGN);
    }
    signals(&[libc::SIGCHLD, libc::SIGTERM])
}

/// Blocks these signals, unblocks all others, and returns a descriptor that says when one came.
pub(super) fn signals(of: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before use and lives over the calls.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in of {
            libc::sigaddset(&raw mut set, *signal);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// All signals do what they do in a fresh process.
pub(super) fn default_signals() {
    for signal in 1..32 {
        // SAFETY: a constant disposition; SIGKILL and SIGSTOP are refused, which is fine.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Takes the arguments of this process out of sight: every process of a sandbox may read those of its first one, and
/// they name a folder of the host. The memory is this fork's own copy; the keeper keeps its arguments.
pub(super) fn hide_arguments() -> io::Result<()> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // proc(5): fields 48 and 49 are the first byte and the end of the arguments; what follows the name begins with 3.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let mut bounds = after.split_ascii_whitespace().skip(45).map_while(|n| n.parse::<usize>().ok());
    if let (Some(start), Some(end)) = (bounds.next(), bounds.next())
        && start != 0
        && start < end
    {
        // SAFETY: the kernel says that this range is the arguments, on this process's own writable stack. The standard
        // library holds only pointers into it, to be read as strings that end with a zero: they are empty then.
        unsafe { std::ptr::write_bytes(std::ptr::with_exposed_provenance_mut::<u8>(start), 0, end - start) };
    }
    Ok(())
}

/// Bytes of a page.
pub(super) fn page_size() -> u64 {
    // SAFETY: asks for a constant of the machine.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Takes the pipe that is standard output; standard input and output are `/dev/null` from then on.
pub fn take_stdout() -> io::Result<File> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let pipe = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    for to in [0, 1] {
        // SAFETY: replaces this process's own standard descriptors, which nothing in it owns.
        if unsafe { libc::dup2(null.as_raw_fd(), to) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(pipe.into())
}

/// As many open descriptors as this process may have.
pub fn many_descriptors() -> io::Result<()> {
    Ok(super::privileges::many_descriptors()?)
}

/// Memory of this process holds keys: it is never written to disk.
pub fn no_core_dumps() -> io::Result<()> {
    Ok(super::privileges::limit(None)?)
}
