//! What root of a sandbox may do: what package managers need (owners, modes, ids, low ports, chroot, signals), and
//! nothing that opens more of the kernel: no mounts, no network configuration, no raw sockets, no devices, no tracing
//! of other users' processes. Its capabilities hold over its own namespace only in any case.

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs},
};

const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::SETFCAP);

/// Drops all others for this process and what comes from it, for good.
pub fn drop_all_but_kept() -> rustix::io::Result<()> {
    set_no_new_privs(true)?;
    // The kernel says EINVAL at the first number that it has no capability for.
    for number in 0..u64::BITS {
        if KEPT.bits() & (1 << number) != 0 {
            continue;
        }
        // SAFETY: PR_CAPBSET_DROP takes a number and touches no memory.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) } != 0 {
            break;
        }
    }
    clear_ambient_capability_set()?;
    set_capabilities(None, CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: CapabilitySet::empty() })
}

/// No core dumps (they would hold keys), and without control groups a bound on processes.
pub fn limit(pids: Option<u64>) -> rustix::io::Result<()> {
    let both = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Core, both(0))?;
    pids.map_or(Ok(()), |pids| setrlimit(Resource::Nproc, both(pids)))
}

/// Descriptors of a process when nothing is said: what Linux gives. The keeper has as many as it may, but programs that
/// use `select`, or close all that there could be, expect few; who wants more may take them.
const DESCRIPTORS: u64 = 1024;

/// As many open descriptors as this process may have: a keeper holds those of all its commands.
pub fn many_descriptors() -> rustix::io::Result<()> {
    let all = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: all, maximum: all })
}

/// As many as usual, for the programs of a sandbox.
pub fn usual_descriptors() -> rustix::io::Result<()> {
    let all = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit { current: Some(all.map_or(DESCRIPTORS, |all| all.min(DESCRIPTORS))), maximum: all },
    )
}
