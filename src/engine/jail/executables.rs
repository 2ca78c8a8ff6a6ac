//! What may be executed in a sandbox: what lies below its own root, and nothing of the host.
//!
//! A command is a copy of the jail's first process until it executes its program, and for that moment its
//! `/proc/self/exe` is the engine's own program on the host's disk. A script that begins with `#!/proc/self/exe` runs
//! that program, so that it stays open under this name; and where the sandbox's root is the engine's own user, it could
//! then be given another mode or content. Landlock refuses to execute it: it isn't below the sandbox's root.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use rustix::fs::{CWD, Mode, OFlags, openat};

// `linux/landlock.h`.
const EXECUTE: u64 = 1 << 0;
/// Links and renames between folders: refused under Landlock unless a rule allows them.
const REFER: u64 = 1 << 13;
const RULE_PATH_BENEATH: u32 = 1;
const CREATE_RULESET_VERSION: u32 = 1;

/// The version that knows [`REFER`] (Linux 5.19); before it, nothing could be moved between folders.
const VERSION: i64 = 2;

#[repr(C)]
struct Ruleset {
    handled: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// Whether the kernel can do this.
pub fn enforced() -> bool {
    // SAFETY: with this flag the call takes no memory and answers its version.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, CREATE_RULESET_VERSION)
    };
    version >= VERSION
}

/// From here on this process, and all that come from it, execute what is below `/` only. Does nothing on a kernel
/// without Landlock, which `doctor` tells. Privileges must be dropped for good before.
pub fn only_the_sandboxs_own() -> io::Result<()> {
    if !enforced() {
        return Ok(());
    }
    let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let attributes = Ruleset { handled: EXECUTE | REFER };
    // SAFETY: the structure lives over the call, with its size.
    let rules = checked(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attributes, size_of::<Ruleset>(), 0u32)
    })?;
    // SAFETY: the kernel has just made it, for nobody else.
    let rules = unsafe { OwnedFd::from_raw_fd(rules) };
    let below = PathBeneath { allowed: EXECUTE | REFER, parent: root.as_raw_fd() };
    // SAFETY: as above; both descriptors are open.
    checked(unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), RULE_PATH_BENEATH, &raw const below, 0u32)
    })?;
    // SAFETY: takes an open descriptor and no memory.
    checked(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0u32) }).map(|_| ())
}

fn checked(result: i64) -> io::Result<i32> {
    i32::try_from(result).ok().filter(|r| *r >= 0).ok_or_else(io::Error::last_os_error)
}
