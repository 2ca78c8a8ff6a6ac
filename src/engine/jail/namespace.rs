//! Birth of a process in namespaces of its own: the fork, its id maps, and the test whether this machine allows it.

use std::{
    ffi::CStr,
    fs, io,
    os::fd::{AsFd, OwnedFd},
    process::Command,
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::{Pid, Signal, WaitOptions, getuid, waitpid},
};

use super::ids;
use crate::engine::spec::{IdMap, IdMode, IdRange};

/// What a process of the jail shares with nobody.
pub(super) const ALL: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWNET;

/// What a helper that works on files needs.
pub(super) const FILES: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;

/// `fork` into new namespaces: the child's id in the parent, `None` in the child.
///
/// # Safety
/// The calling process must have one thread only, or the child must do nothing but async-signal-safe calls: a lock
/// that another thread holds at this moment stays locked in the child for ever.
pub(super) unsafe fn fork_into(namespaces: i32) -> io::Result<Option<Pid>> {
    let flags = (namespaces | libc::SIGCHLD) as libc::c_ulong;
    // SAFETY: no CLONE_VM and no new stack, so this is a fork; all other arguments are unused without their flags. The
    // first argument is the flags on x86-64 and aarch64 alike. Not clone3: containers often forbid it.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0usize, 0usize, 0usize, 0usize) };
    match i32::try_from(pid) {
        Ok(0) => Ok(None),
        Ok(pid) if pid > 0 => Ok(Pid::from_raw(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives a freshly forked process its ids. It must wait until this returned.
pub(super) fn write_maps(pid: Pid, map: &IdMap) -> io::Result<()> {
    let pid = pid.as_raw_nonzero().get();
    if map.mode == IdMode::Subuid {
        // Two set-uid programs; each takes a millisecond, so both at once.
        let start = |name: &str, ranges: &[IdRange]| {
            let tool = ids::tool(name).ok_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, format!("{name} is missing: install the package uidmap"))
            })?;
            let numbers = ranges.iter().flat_map(|r| [r.inside, r.outside, r.count]).map(|n| n.to_string());
            Command::new(tool)
                .arg(pid.to_string())
                .args(numbers)
                .stdin(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped())
                .spawn()
        };
        for child in [start("newuidmap", &map.uids), start("newgidmap", &map.gids)] {
            let done = child?.wait_with_output()?;
            if !done.status.success() {
                let why = String::from_utf8_lossy(&done.stderr).trim().to_string();
                return Err(io::Error::other(format!("{why} (does /etc/subuid still give this user its range?)")));
            }
        }
        return Ok(());
    }
    let lines = |ranges: &[IdRange]| -> String {
        ranges.iter().map(|r| format!("{} {} {}\n", r.inside, r.outside, r.count)).collect()
    };
    if map.mode == IdMode::Single {
        // The kernel's condition for an own group map without privileges.
        fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
    }
    fs::write(format!("/proc/{pid}/uid_map"), lines(&map.uids))?;
    fs::write(format!("/proc/{pid}/gid_map"), lines(&map.gids))
}

/// In the child, once its maps are written: become root of the namespace.
pub(super) fn become_root(map: &IdMap) -> io::Result<()> {
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    if map.mode != IdMode::Single {
        set_thread_groups(&[])?;
    }
    let (uid, gid) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// Waits for a child of ours.
pub(super) fn wait_for(pid: Pid) -> io::Result<rustix::process::WaitStatus> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// A pipe whose ends no program that is started gets.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// Reads one byte; false when the other end is closed.
pub(super) fn read_byte(fd: impl AsFd) -> bool {
    let mut byte = [0u8];
    loop {
        match rustix::io::read(&fd, &mut byte) {
            Err(rustix::io::Errno::INTR) => {}
            got => return matches!(got, Ok(1)),
        }
    }
}

/// Whether this machine allows sandboxes, tried with a process that makes the namespaces and mounts and ends.
///
/// # Errors
/// What is forbidden and the setting that allows it.
pub fn available() -> Result<(), String> {
    // SAFETY: the child makes system calls on constant strings only and leaves by _exit.
    let child = match unsafe { fork_into(ALL) } {
        Ok(child) => child,
        Err(e) => return Err(remedy(&e)),
    };
    let Some(pid) = child else {
        let code = match try_mounts() {
            Ok(()) => 0,
            Err(e) => e.raw_os_error(),
        };
        // SAFETY: ends this process at once, without running destructors of a copied runtime.
        unsafe { libc::_exit(code) }
    };
    let status = wait_for(pid).map_err(|e| format!("cannot test for sandboxes: {e}"))?;
    match status.exit_status() {
        Some(0) => Ok(()),
        Some(errno) => Err(remedy(&io::Error::from_raw_os_error(errno))),
        None => Err(format!("the test for sandboxes was killed (signal {:?})", status.terminating_signal())),
    }
}

fn try_mounts() -> rustix::io::Result<()> {
    const NONE: Option<&CStr> = None;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("tmpfs", "/tmp", "tmpfs", MountFlags::NOSUID, NONE)?;
    // A private /proc is refused where parts of the visible one are covered, as in most containers.
    mount("proc", "/tmp", "proc", MountFlags::NOSUID, NONE)
}

fn remedy(e: &io::Error) -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default().trim().to_string();
    let setting = |name: &str, value: &str| {
        format!("sandboxes need user namespaces, which this machine forbids: run `sudo sysctl -w {name}={value}` ({e})")
    };
    if read("user/max_user_namespaces") == "0" {
        return setting("user.max_user_namespaces", "15000");
    }
    if read("kernel/unprivileged_userns_clone") == "0" && !getuid().is_root() {
        return setting("kernel.unprivileged_userns_clone", "1");
    }
    if read("kernel/apparmor_restrict_unprivileged_userns") == "1" && !getuid().is_root() {
        return setting("kernel.apparmor_restrict_unprivileged_userns", "0");
    }
    if e.raw_os_error() == Some(libc::ENOSPC) {
        return format!(
            "sandboxes need user namespaces and their number is used up: raise user.max_user_namespaces ({e})"
        );
    }
    format!(
        "sandboxes need user namespaces with mounts of their own, which are forbidden here ({e}). In a container, start \
         it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt \
         systempaths=unconfined`"
    )
}

/// Kills a child that is no longer wanted and takes its exit.
pub(super) fn kill_and_wait(pid: Pid) {
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    let _ = wait_for(pid);
}
