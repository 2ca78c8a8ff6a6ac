//! Checks that run inside a sandbox, as its root. Each is started by a test of another module.
#![allow(unsafe_code, reason = "only raw system calls show what a filter does with them")]

use std::{
    env, fs, io,
    net::{TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process::Command,
};

const EPERM: i32 = libc::EPERM;
const ENOSYS: i32 = libc::ENOSYS;

/// One raw call: 0 for a success, else its error.
fn call(number: i64, args: [usize; 5]) -> i32 {
    let [a, b, c, d, e] = args;
    // SAFETY: every call of this file either takes no pointer or is refused before it looks at one; null is all it gets.
    match unsafe { libc::syscall(number, a, b, c, d, e, 0usize) } {
        -1 => io::Error::last_os_error().raw_os_error().unwrap(),
        _ => 0,
    }
}

#[test]
#[ignore = "runs inside a sandbox"]
fn the_kernel_refuses_what_no_program_at_work_needs() {
    const NEWUSER: usize = libc::CLONE_NEWUSER as usize;
    let fork = libc::SIGCHLD as usize;
    let calls = [
        ("unshare(user)", libc::SYS_unshare, [NEWUSER, 0, 0, 0, 0], EPERM),
        ("unshare(mount)", libc::SYS_unshare, [libc::CLONE_NEWNS as usize, 0, 0, 0, 0], EPERM),
        ("unshare(net)", libc::SYS_unshare, [libc::CLONE_NEWNET as usize, 0, 0, 0, 0], EPERM),
        ("unshare(pid)", libc::SYS_unshare, [libc::CLONE_NEWPID as usize, 0, 0, 0, 0], EPERM),
        ("unshare(user | files)", libc::SYS_unshare, [NEWUSER | libc::CLONE_FILES as usize, 0, 0, 0, 0], EPERM),
        ("clone(user)", libc::SYS_clone, [NEWUSER | fork, 0, 0, 0, 0], EPERM),
        ("clone3", libc::SYS_clone3, [0; 5], ENOSYS),
        ("setns", libc::SYS_setns, [0; 5], EPERM),
        ("mount", libc::SYS_mount, [0; 5], EPERM),
        ("umount2", libc::SYS_umount2, [0; 5], EPERM),
        ("pivot_root", libc::SYS_pivot_root, [0; 5], EPERM),
        ("open_tree", libc::SYS_open_tree, [0; 5], EPERM),
        ("open_tree_attr", 467, [0; 5], EPERM),
        ("move_mount", libc::SYS_move_mount, [0; 5], EPERM),
        ("fsopen", libc::SYS_fsopen, [0; 5], EPERM),
        ("fspick", libc::SYS_fspick, [0; 5], EPERM),
        ("mount_setattr", libc::SYS_mount_setattr, [0; 5], EPERM),
        ("keyctl", libc::SYS_keyctl, [0; 5], EPERM),
        ("add_key", libc::SYS_add_key, [0; 5], EPERM),
        ("request_key", libc::SYS_request_key, [0; 5], EPERM),
        ("bpf", libc::SYS_bpf, [0; 5], EPERM),
        ("perf_event_open", libc::SYS_perf_event_open, [0; 5], EPERM),
        ("userfaultfd", libc::SYS_userfaultfd, [0; 5], EPERM),
        ("io_uring_setup", libc::SYS_io_uring_setup, [0; 5], ENOSYS),
        ("kexec_load", libc::SYS_kexec_load, [0; 5], EPERM),
        ("init_module", libc::SYS_init_module, [0; 5], EPERM),
        ("reboot", libc::SYS_reboot, [0; 5], EPERM),
        ("swapon", libc::SYS_swapon, [0; 5], EPERM),
        ("settimeofday", libc::SYS_settimeofday, [0; 5], EPERM),
        ("clock_settime", libc::SYS_clock_settime, [0; 5], EPERM),
        ("syslog", libc::SYS_syslog, [3, 0, 0, 0, 0], EPERM),
        ("acct", libc::SYS_acct, [0; 5], EPERM),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, [0; 5], EPERM),
        ("fanotify_init", libc::SYS_fanotify_init, [0; 5], EPERM),
        ("ioctl(TIOCSTI)", libc::SYS_ioctl, [0, libc::TIOCSTI as usize, 0, 0, 0], EPERM),
        // The kernel looks at the lower 32 bits of a request only.
        ("ioctl(TIOCSTI), long", libc::SYS_ioctl, [0, (1 << 32) | libc::TIOCSTI as usize, 0, 0, 0], EPERM),
        ("socket(vsock)", libc::SYS_socket, [libc::AF_VSOCK as usize, libc::SOCK_STREAM as usize, 0, 0, 0], EPERM),
        ("socket(packet)", libc::SYS_socket, [libc::AF_PACKET as usize, libc::SOCK_RAW as usize, 0, 0, 0], EPERM),
        ("socket(alg)", libc::SYS_socket, [libc::AF_ALG as usize, libc::SOCK_SEQPACKET as usize, 0, 0, 0], EPERM),
        ("socket(raw)", libc::SYS_socket, [libc::AF_INET as usize, libc::SOCK_RAW as usize, 1, 0, 0], EPERM),
        #[cfg(target_arch = "x86_64")]
        ("getpid by its x32 number", 0x4000_0000 | libc::SYS_getpid, [0; 5], ENOSYS),
        #[cfg(target_arch = "x86_64")]
        ("iopl", libc::SYS_iopl, [3, 0, 0, 0, 0], EPERM),
    ];
    let wrong: Vec<String> = calls
        .iter()
        .filter_map(|(name, number, args, expected)| {
            let got = call(*number, *args);
            (got != *expected).then(|| format!("{name}: {got} instead of {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[cfg(target_arch = "x86_64")]
#[test]
#[ignore = "runs inside a sandbox"]
fn the_32_bit_way_into_the_kernel_is_closed() {
    use std::os::unix::process::ExitStatusExt;
    const CHILD: &str = "SANDBANK_TEST_INT80";
    if env::var_os(CHILD).is_some() {
        let result: i64;
        // SAFETY: number 20 is getpid there; no memory is touched.
        unsafe { std::arch::asm!("int 0x80", inlateout("rax") 20i64 => result) };
        std::process::exit(if result == i64::from(std::process::id()) { 0 } else { 1 });
    }
    let name = "inside::the_32_bit_way_into_the_kernel_is_closed";
    let child = Command::new("/probe").args([name, "--exact", "--ignored"]).env(CHILD, "1").output().unwrap();
    assert!(!child.status.success(), "a filter for 64-bit numbers let a 32-bit call through");
    assert!(child.status.signal().is_some() || child.status.code() == Some(1), "{child:?}");
}

#[test]
#[ignore = "runs inside a sandbox"]
fn privileges_end_at_what_package_managers_need() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_string();
    let bits = |name: &str| u64::from_str_radix(&field(name), 16).unwrap();
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, sys_chroot, setfcap
    let kept = [0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31].iter().fold(0u64, |all, bit| all | 1 << bit);
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(bits(set) & !kept, 0, "{set} {}", field(set));
    }
    assert_eq!((bits("CapInh:"), bits("CapAmb:")), (0, 0));
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(
        fs::read_to_string("/proc/self/limits").map(|l| l.contains("Max core file size        0")).ok(),
        Some(true)
    );
    // Any device of the host's.
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        "/tmp/disk",
        rustix::fs::FileType::BlockDevice,
        rustix::fs::Mode::RUSR,
        rustix::fs::makedev(8, 0),
    );
    assert_eq!(made, Err(rustix::io::Errno::PERM));
}

#[test]
#[ignore = "runs inside a sandbox"]
fn the_first_process_is_closed_to_the_others() {
    assert!(ptrace_attach(1).is_err(), "traced the jail's first process");
    for name in ["mem", "environ", "fd", "maps", "root/etc", "cwd", "map_files", "task/1/mem"] {
        let path = Path::new("/proc/1").join(name);
        let opened = if path.is_dir() { fs::read_dir(&path).map(|_| ()) } else { fs::read(&path).map(|_| ()) };
        assert!(opened.is_err(), "{} can be read", path.display());
    }
    let mut byte = [0u8];
    let local = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: both vectors live over the call; the remote one is refused or read.
    let read = unsafe { libc::process_vm_readv(1, &raw const local, 1, &raw const local, 1, 0) };
    assert_eq!(read, -1, "read the memory of the jail's first process");
}

fn ptrace_attach(pid: i32) -> io::Result<()> {
    // SAFETY: PTRACE_SEIZE takes no pointers.
    match unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[test]
#[ignore = "runs inside a sandbox"]
fn nothing_of_the_host_is_there() {
    for path in env::var("HOST_PATHS").unwrap().split(':') {
        let found = fs::symlink_metadata(path);
        assert_eq!(found.map_err(|e| e.kind()).unwrap_err(), io::ErrorKind::NotFound, "{path}");
    }
    // Whoever may see a process may read its arguments; those of the first one named a folder of the host.
    let first = fs::read("/proc/1/cmdline").unwrap();
    assert!(first.iter().all(|byte| *byte == 0), "{}", String::from_utf8_lossy(&first));
    for empty in ["/root", "/home", "/run/user", "/var", "/mnt", "/opt"] {
        assert_eq!(fs::read_dir(empty).map_or(0, Iterator::count), 0, "{empty} has something in it");
    }
    let sys: Vec<_> = fs::read_dir("/sys").into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert!(sys.is_empty(), "/sys: {sys:?}");
    let mut devices: Vec<_> =
        fs::read_dir("/dev").unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    devices.sort_unstable();
    let expected =
        ["fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"];
    assert_eq!(devices, expected);
    // Only processes of this sandbox: its first one and what it started.
    let marker = env::var("HOST_PROCESS").unwrap();
    for pid in processes() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(&marker), "a process of the host is visible: {pid}");
    }
    assert!(processes().len() <= 3, "{:?}", processes());
    // A root that is left by the old trick is left into the same root.
    let here = (fs::metadata("/").unwrap().dev(), fs::metadata("/").unwrap().ino());
    fs::create_dir("/tmp/cell").unwrap();
    std::os::unix::fs::chroot("/tmp/cell").unwrap();
    for _ in 0..64 {
        env::set_current_dir("..").unwrap();
    }
    let there = fs::metadata(".").unwrap();
    assert_eq!((there.dev(), there.ino()), here);
}

fn processes() -> Vec<u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

#[test]
#[ignore = "runs inside a sandbox"]
fn settings_of_the_machine_cant_be_changed() {
    let mut todo = vec![PathBuf::from("/proc/sys")];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                todo.push(path);
            } else {
                assert!(fs::OpenOptions::new().write(true).open(&path).is_err(), "{}", path.display());
            }
        }
    }
    for path in ["/proc/sysrq-trigger", "/proc/kcore", "/proc/kmsg", "/proc/kpageflags", "/proc/1/oom_score_adj"] {
        assert!(fs::OpenOptions::new().write(true).open(path).is_err(), "{path}");
    }
    assert!(fs::read("/proc/kcore").is_err() && fs::read("/proc/kmsg").is_err());
    let groups = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!groups.contains("cgroup"), "{groups}");
}

#[test]
#[ignore = "runs inside a sandbox"]
fn only_the_own_network_is_reached() {
    let names: Vec<String> = fs::read_to_string("/proc/net/dev")
        .unwrap()
        .lines()
        .skip(2)
        .filter_map(|l| Some(l.split_once(':')?.0.trim().to_string()))
        .collect();
    assert!(names.contains(&"lo".to_string()) && !names.iter().any(|n| n.starts_with("eth") || n.starts_with("en")));
    let port: u16 = env::var("HOST_PORT").unwrap().parse().unwrap();
    let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "the host's loopback");
    for address in env::var("HOST_ADDRESSES").unwrap().split_whitespace() {
        let unreachable = TcpStream::connect((address, port)).unwrap_err();
        assert_eq!(unreachable.raw_os_error(), Some(libc::ENETUNREACH), "{address}");
    }
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    assert_eq!(socket.send_to(b"x", "8.8.8.8:53").unwrap_err().raw_os_error(), Some(libc::ENETUNREACH));
    let abstract_name = env::var("HOST_ABSTRACT").unwrap();
    let address = SocketAddr::from_abstract_name(abstract_name).unwrap();
    assert!(UnixStream::connect_addr(&address).is_err(), "an abstract socket of the host");
}

#[test]
#[ignore = "runs inside a sandbox"]
fn no_descriptor_was_left_open() {
    let open: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_str().is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n > 2)))
        .filter_map(|e| Some(format!("{:?} → {}", e.file_name(), fs::read_link(e.path()).ok()?.display())))
        // The one that lists them.
        .filter(|line| !line.contains("/proc/"))
        .collect();
    assert!(open.is_empty(), "{open:?}");
}

#[test]
#[ignore = "runs inside a sandbox"]
fn a_read_only_bind_stays_so() {
    use rustix::io::Errno;
    let path = "/shown/heron.txt";
    let read_only = |done: io::Result<()>| assert_eq!(done.unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(fs::read_to_string(path).unwrap(), "outside");
    read_only(fs::write(path, "x"));
    read_only(fs::write("/shown/new", "x"));
    read_only(fs::remove_file(path));
    read_only(fs::rename(path, "/shown/y"));
    read_only(fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)));
    // A way around the mount: the same file by its descriptor.
    let file = fs::File::open(path).unwrap();
    read_only(fs::write(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)), "x"));
    let flags = rustix::mount::MountFlags::BIND;
    assert_eq!(rustix::mount::mount_remount("/shown", flags, ""), Err(Errno::PERM));
    assert_eq!(rustix::mount::unmount("/shown", rustix::mount::UnmountFlags::DETACH), Err(Errno::PERM));
}
