//! What a sandbox may not ask of the kernel. The namespaces are the wall; this takes away the parts of the kernel that
//! no program at work needs and in which holes were found before.
//!
//! Four small programs, because a filter has one action: foreign system call tables and whatever a library must
//! believe to be missing (`ENOSYS`), what is forbidden (`EPERM`), and with one id only, `chown` that pretends (0).

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, sock_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// System calls that fail with EPERM.
const FORBIDDEN: &[i64] = &[
    // keys are not in any namespace
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // programs for the kernel, and its inside
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_lookup_dcookie,
    libc::SYS_fanotify_init,
    // the machine
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
    // a file by its number, past every folder above it
    libc::SYS_open_by_handle_at,
    // the mounts that hold the walls
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    SYS_OPEN_TREE_ATTR,
    // other namespaces
    libc::SYS_setns,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
];

/// Linux 6.15; not in libc yet. The same number everywhere.
const SYS_OPEN_TREE_ATTR: i64 = 467;

/// System calls that look as if this kernel didn't have them, so that libraries take their other way: `clone3` hides
/// its flags from filters, io_uring does calls that no filter sees.
const MISSING: &[i64] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Socket families that a network namespace contains. AF_VSOCK would reach the machine's hypervisor.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// `linux/tiocl.h`: pastes from the console's selection.
const TIOCLINUX: u64 = 0x541c;

/// Installs the filters in this thread and all that come from it. `no_new_privs` is set on the way.
pub fn install(pretend_chown: bool) -> Result<(), String> {
    let say = |e: &dyn std::fmt::Display| format!("cannot filter the sandbox's system calls: {e}");
    let mut programs = vec![
        compile(all(MISSING), libc::ENOSYS).map_err(|e| say(&e))?,
        compile(forbidden().map_err(|e| say(&e))?, libc::EPERM).map_err(|e| say(&e))?,
    ];
    if pretend_chown {
        let calls = [
            #[cfg(target_arch = "x86_64")]
            libc::SYS_chown,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_lchown,
            libc::SYS_fchown,
            libc::SYS_fchownat,
        ];
        programs.push(compile(all(&calls), 0).map_err(|e| say(&e))?);
    }
    #[cfg(target_arch = "x86_64")]
    programs.push(no_x32());
    programs.iter().try_for_each(|program| apply_filter(program)).map_err(|e| say(&e))
}

fn all(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn forbidden() -> Result<Rules, seccompiler::BackendError> {
    let mut rules = all(FORBIDDEN);
    let flag = |argument, bit: i32| -> Result<SeccompRule, _> {
        let bit = u64::from(bit.unsigned_abs());
        SeccompRule::new(vec![SeccompCondition::new(argument, Len::Qword, Op::MaskedEq(bit), bit)?])
    };
    for call in [libc::SYS_clone, libc::SYS_unshare] {
        rules.insert(call, vec![flag(0, libc::CLONE_NEWUSER)?]);
    }
    let request = |value: u64| SeccompRule::new(vec![SeccompCondition::new(1, Len::Dword, Op::Eq, value)?]);
    // Typing into a terminal that another reads.
    rules.insert(libc::SYS_ioctl, vec![request(libc::TIOCSTI)?, request(TIOCLINUX)?]);
    let other: Result<Vec<_>, _> = FAMILIES
        .iter()
        .map(|family| SeccompCondition::new(0, Len::Dword, Op::Ne, u64::from(family.unsigned_abs())))
        .collect();
    let other = SeccompRule::new(other?)?;
    rules.insert(libc::SYS_socket, vec![other.clone()]);
    rules.insert(libc::SYS_socketpair, vec![other]);
    Ok(rules)
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = if cfg!(target_arch = "aarch64") { TargetArch::aarch64 } else { TargetArch::x86_64 };
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno.unsigned_abs()), arch)?.try_into()
}

/// On x86-64 a kernel may know each call by a second number, which the other filters don't have.
#[cfg(target_arch = "x86_64")]
fn no_x32() -> BpfProgram {
    const X32: u32 = 0x4000_0000;
    let step = |code: u32, jt: u8, jf: u8, k: u32| sock_filter { code: code as u16, jt, jf, k };
    vec![
        // The number of the call is the first field of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_filters_compile_within_the_kernels_bound() {
        assert!(compile(forbidden().unwrap(), libc::EPERM).unwrap().len() < 4096);
        assert!(compile(all(MISSING), libc::ENOSYS).is_ok());
    }
}
