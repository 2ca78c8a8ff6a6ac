//! The file system of a sandbox: overlays, binds, an own `/proc`, a minimal `/dev`, and nothing of the host below them.
//!
//! Everything of the host is opened first, as the engine's user ([`Sources::open`]), and mounted by descriptor later, as
//! the sandbox's root ([`Sources::build`]): that root may walk none of the engine's private folders, paths may have any
//! length, and no overlay's options name a path of the host (where a bind comes from, the kernel shows all the same).
//! Targets are looked up with the new root as the root, so a symbolic link that an image brings along leads nowhere
//! else.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Component, Path},
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, chmodat, fstat, mkdirat, openat, openat2, statat, symlinkat,
    },
    mount::{
        MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
        move_mount, open_tree, unmount,
    },
    process::{chdir, fchdir, pivot_root},
};

use crate::engine::spec::{IdMode, Root};

/// Host devices that a sandbox sees: they hold nothing of the host.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Where key sockets appear inside.
const KEYS: &str = "/run/sandbank";

/// Bytes of `/run`: sockets and pid files.
const RUN_SIZE: u64 = 64 << 20;

/// Every path of the host that the jail needs, open.
#[derive(Debug)]
pub struct Sources {
    overlays: Vec<(Vec<OwnedFd>, OwnedFd, OwnedFd)>,
    binds: Vec<OwnedFd>,
    devices: Vec<OwnedFd>,
    keys: OwnedFd,
}

impl Sources {
    /// Opens them. Call in the process that will mount, since a mount is taken from its own mount namespace only.
    pub fn open(root: &Root, keys: &Path) -> Result<Self, String> {
        let open = |path: &Path| {
            openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .map_err(|e| format!("cannot open {} for the sandbox: {e}", path.display()))
        };
        let overlays = root.overlays.iter().map(|overlay| {
            let lowers = overlay.lowers.iter().map(|p| open(p)).collect::<Result<_, _>>()?;
            Ok((lowers, open(&overlay.upper)?, open(&overlay.work)?))
        });
        Ok(Self {
            overlays: overlays.collect::<Result<_, String>>()?,
            binds: root.binds.iter().map(|b| open(&b.source)).collect::<Result<_, _>>()?,
            devices: DEVICES.iter().map(|d| open(&Path::new("/dev").join(d))).collect::<Result<_, _>>()?,
            keys: open(keys)?,
        })
    }

    /// Mounts all of it and makes it the root. Returns the folder of the sandbox's terminals.
    pub fn build(&self, root: &Root, ids: IdMode, memory: u64, workdir: &str) -> Result<OwnedFd, String> {
        let say = |what: &str| {
            let what = what.to_string();
            move |e: rustix::io::Errno| format!("cannot {what} for the sandbox: {e}")
        };
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(say("detach the mounts"))?;
        // A place for the new root to stand on until it is the root: /tmp is on every system, and what it hid is open.
        tmpfs("/tmp", "mode=0700").map_err(say("mount a place to work"))?;
        mkdirat(CWD, "/tmp/root", Mode::RWXU).map_err(say("make a place to work"))?;

        let mut new = None;
        for (overlay, (lowers, upper, work)) in root.overlays.iter().zip(&self.overlays) {
            let list: Vec<String> = lowers.iter().map(by_fd).collect();
            let options =
                format!("lowerdir={},upperdir={},workdir={},userxattr", list.join(":"), by_fd(upper), by_fd(work));
            let options = CString::new(options).map_err(|e| e.to_string())?;
            let place = match &new {
                None if overlay.target == "/" => {
                    openat(CWD, "/tmp/root", FOLDER, Mode::empty()).map_err(say("open a place to work"))?
                }
                None => return Err(format!("the sandbox's first overlay is {}, not /", overlay.target)),
                Some(new) => make(new, &overlay.target, true)?,
            };
            let target = by_fd(&place);
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            mount("overlay", target.as_str(), "overlay", flags, Some(options.as_c_str())).map_err(|e| {
                format!(
                    "cannot mount the overlay of {} ({} layers on {}): {e}",
                    overlay.target,
                    lowers.len(),
                    overlay.upper.display()
                )
            })?;
            if new.is_none() {
                new = Some(openat(CWD, "/tmp/root", FOLDER, Mode::empty()).map_err(say("open the root"))?);
            }
        }
        let new = new.ok_or("the sandbox has no root")?;

        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let proc = make(&new, "/proc", true)?;
        mount("proc", by_fd(&proc).as_str(), "proc", flags, None::<&std::ffi::CStr>).map_err(say("mount /proc"))?;
        let terminals =
            self.devices(&new, ids, memory).map_err(|e| format!("cannot make /dev for the sandbox: {e}"))?;
        // Most settings belong to the host's root and are closed anyway; those of its own namespaces would be open.
        let settings = within(&new, "/proc/sys").map_err(say("open /proc/sys"))?;
        bind_at(settings.as_fd(), &new, "/proc/sys", true, false)?;
        let run = make(&new, "/run", true)?;
        tmpfs(&by_fd(&run), &format!("mode=0755,size={RUN_SIZE}")).map_err(say("mount /run"))?;
        let tmp = make(&new, "/tmp", true)?;
        // By descriptor: an image may have made /tmp a link, and by its name that would lead to a folder of the host.
        // One that can't be changed stays as it is.
        let _ = chmodat(CWD, by_fd(&tmp).as_str(), Mode::from_raw_mode(0o1777), AtFlags::empty());
        make(&new, workdir, true)?;

        for (bind, source) in root.binds.iter().zip(&self.binds) {
            bind_at(source.as_fd(), &new, &bind.target, bind.read_only, false)?;
        }
        bind_at(self.keys.as_fd(), &new, KEYS, true, false)?;
        for (path, target) in &root.links {
            link(&new, path, target)?;
        }
        enter(&new).map_err(say("change the root"))?;
        Ok(terminals)
    }

    fn devices(&self, new: &OwnedFd, ids: IdMode, memory: u64) -> io::Result<OwnedFd> {
        let text = |e: String| io::Error::other(e);
        tmpfs(&by_fd(&make(new, "/dev", true).map_err(text)?), "mode=0755,size=1m")?;
        // Looked up again: what was open is the folder below the mount.
        let dev = within(new, "/dev")?;
        for (name, source) in DEVICES.iter().zip(&self.devices) {
            bind_at(source.as_fd(), new, &format!("/dev/{name}"), false, true).map_err(text)?;
        }
        for (name, target) in [
            ("ptmx", "pts/ptmx"),
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
        ] {
            symlinkat(target, &dev, name)?;
        }
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        mkdirat(&dev, "pts", Mode::from_raw_mode(0o755))?;
        let pts = within(new, "/dev/pts")?;
        // Group 5 is tty in every distribution; with one id there is no group 5.
        let group = if ids == IdMode::Single { "" } else { ",gid=5" };
        let options = CString::new(format!("newinstance,ptmxmode=0666,mode=0620,uid=0{group}"))?;
        mount("devpts", by_fd(&pts).as_str(), "devpts", flags, Some(options.as_c_str()))?;
        mkdirat(&dev, "shm", Mode::from_raw_mode(0o1777))?;
        let shm = within(new, "/dev/shm")?;
        tmpfs(&by_fd(&shm), &format!("mode=1777,size={}", memory / 2))?;
        Ok(within(new, "/dev/pts")?)
    }
}

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A path by which this process reaches an open file without walking to it.
fn by_fd(fd: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn tmpfs(target: &str, options: &str) -> rustix::io::Result<()> {
    let options = CString::new(options).map_err(|_| rustix::io::Errno::INVAL)?;
    mount("tmpfs", target, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))
}

/// Opens a path of the new root, whatever links are on it.
fn within(new: &OwnedFd, path: &str) -> rustix::io::Result<OwnedFd> {
    let path = path.trim_start_matches('/');
    let path = if path.is_empty() { "." } else { path };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut left = RACES;
    loop {
        match openat2(new, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(rustix::io::Errno::AGAIN) if left > 0 => left -= 1,
            done => return done,
        }
    }
}

/// The kernel gives a path with `..` up when anything on the machine was renamed or mounted meanwhile (`openat2(2)`);
/// other sandboxes that start do both, though never for so many tries in a row.
const RACES: u32 = 1000;

/// Opens a path of the new root, making what is missing: folders, and at its end a folder or an empty file.
fn make(new: &OwnedFd, path: &str, folder: bool) -> Result<OwnedFd, String> {
    if !path.starts_with('/') || Path::new(path).components().any(|c| c == Component::ParentDir) {
        return Err(format!("{path:?} is not an absolute path of the sandbox"));
    }
    let say = |e: rustix::io::Errno| format!("cannot make {path} in the sandbox: {e}");
    let names: Vec<&str> = path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
    let mut at = within(new, "/").map_err(say)?;
    for (i, name) in names.iter().enumerate() {
        let so_far = names[..=i].join("/");
        let next = match within(new, &so_far) {
            Err(rustix::io::Errno::NOENT) => {
                if folder || i + 1 < names.len() {
                    mkdirat(&at, *name, Mode::from_raw_mode(0o755)).map_err(say)?;
                } else {
                    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    openat(&at, *name, flags, Mode::from_raw_mode(0o644)).map_err(say)?;
                }
                within(new, &so_far)
            }
            found => found,
        };
        at = next.map_err(say)?;
    }
    Ok(at)
}

fn bind_at(source: BorrowedFd<'_>, new: &OwnedFd, target: &str, read_only: bool, device: bool) -> Result<(), String> {
    let is_folder = fstat(source).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory);
    let place = make(new, target, is_folder)?;
    let clone = |flags| {
        open_tree(
            source,
            "",
            flags | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH,
        )
    };
    // With other mounts below it the kernel lets it be taken only with all of them.
    let tree = match clone(OpenTreeFlags::empty()) {
        Err(rustix::io::Errno::INVAL) => clone(OpenTreeFlags::AT_RECURSIVE),
        tree => tree,
    };
    let done = tree.and_then(|tree| {
        let mut set = libc::MOUNT_ATTR_NOSUID;
        if !device {
            set |= libc::MOUNT_ATTR_NODEV;
        }
        if read_only {
            set |= libc::MOUNT_ATTR_RDONLY;
        }
        set_attributes(&tree, set)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&tree, "", &place, "", flags)
    });
    done.map_err(|e| format!("cannot show {target} in the sandbox: {e}"))
}

fn set_attributes(tree: &OwnedFd, set: u64) -> rustix::io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the descriptor is open, the path is an empty constant, and the structure lives over the call with its size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(rustix::io::Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(rustix::io::Errno::IO))
    }
}

fn link(new: &OwnedFd, path: &str, target: &str) -> Result<(), String> {
    let (parent, name) =
        path.rsplit_once('/').ok_or_else(|| format!("{path:?} is not an absolute path of the sandbox"))?;
    let parent = make(new, if parent.is_empty() { "/" } else { parent }, true)?;
    if statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(());
    }
    symlinkat(target, &parent, name).map_err(|e| format!("cannot link {path} in the sandbox: {e}"))
}

/// The new root becomes `/` and the old one is gone.
fn enter(new: &OwnedFd) -> rustix::io::Result<()> {
    let old = openat(CWD, "/", FOLDER, Mode::empty())?;
    fchdir(new)?;
    pivot_root(".", ".")?;
    // The old root now lies over the new one; taken from there.
    fchdir(&old)?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}
