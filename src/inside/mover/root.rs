//! The workspace's root, and everything below it by descriptor. No link is followed and nothing outside is reached,
//! whatever another process does to the tree meanwhile.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, UTIME_OMIT};

use super::{
    path::{components, split},
    words::{Facts, Inode, Special},
};

/// How a folder is opened.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How a file is opened: without waiting, should it be a named pipe by now.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The workspace's root.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
    device: u64,
}

impl Root {
    /// Opens it.
    pub fn open(path: &[u8]) -> io::Result<Self> {
        // The root itself may be reached by links: its path is the service's.
        let folder = rustix::fs::open(OsStr::from_bytes(path), FOLDER - OFlags::NOFOLLOW, Mode::empty())?;
        let device = rustix::fs::fstat(&folder)?.st_dev;
        Ok(Self { folder, device })
    }

    /// Opens a folder below it (or itself, for the empty path).
    pub fn folder(&self, path: &[u8]) -> io::Result<OwnedFd> {
        if path.is_empty() {
            return self.folder.try_clone();
        }
        // gVisor had no openat2 for long, and some seccomp filters answer EPERM. Without it, one step at a time.
        static NEW_KERNEL: AtomicBool = AtomicBool::new(true);
        if NEW_KERNEL.load(Ordering::Relaxed) {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.folder, path, FOLDER, Mode::empty(), resolve) {
                Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => NEW_KERNEL.store(false, Ordering::Relaxed),
                other => return Ok(other?),
            }
        }
        self.folder_by_steps(path)
    }

    fn folder_by_steps(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut folder = self.folder.try_clone()?;
        for name in components(path) {
            folder = open_folder(folder.as_fd(), name)?;
        }
        Ok(folder)
    }

    /// Opens the folder of a path, and gives the path's own name.
    pub fn parent<'p>(&self, path: &'p [u8]) -> io::Result<(OwnedFd, &'p [u8])> {
        let (folder, name) = split(path);
        Ok((self.folder(folder)?, name))
    }

    /// Whether a folder is on another file system than the root. Only folders tell: overlayfs gives files the device
    /// that they lie on.
    pub fn is_mount(&self, stat: &Stat) -> bool {
        stat.st_dev != self.device
    }

    /// What is kept of the root itself.
    pub fn facts(&self) -> io::Result<Facts> {
        let stat = rustix::fs::fstat(&self.folder)?;
        Ok(Facts { mode: mode(&stat), uid: stat.st_uid, gid: stat.st_gid, mtime_ns: mtime_ns(&stat) })
    }

    /// Does something in the root that its time must not show: our own folder comes and goes there.
    pub fn unnoticed<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let before = rustix::fs::fstat(&self.folder)?;
        let done = work();
        // Where the root is somebody else's this isn't allowed, and the time of no account.
        let _ = rustix::fs::futimens(&self.folder, &modified(mtime_ns(&before)));
        done
    }

    /// Bytes that are free, if the file system says.
    pub fn free_bytes(&self) -> io::Result<Option<u64>> {
        let stat = rustix::fs::fstatvfs(&self.folder)?;
        Ok((stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    /// Brings everything to the disk. A Modal volume is committed by `sync MOUNTPOINT`, which is the second call.
    pub fn sync(&self) -> io::Result<()> {
        rustix::fs::syncfs(&self.folder)?;
        Ok(rustix::fs::fsync(&self.folder)?)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// Opens a folder in a folder.
pub fn open_folder(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(folder, name, FOLDER, Mode::empty())?)
}

/// Opens a regular file in a folder for reading; anything else is refused, also when it took the file's place just now.
pub fn open_file(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<(File, Stat)> {
    let file = rustix::fs::openat(folder, name, FILE, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    if file_type(&stat) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file any more"));
    }
    Ok((File::from(file), stat))
}

/// What is there by this name, if anything.
pub fn look(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Where a link leads.
pub fn read_link(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    Ok(rustix::fs::readlinkat(folder, name, Vec::new())?.into_bytes())
}

/// The type in a `Stat`.
pub fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// What no version holds, if it is that.
pub fn special(stat: &Stat) -> Option<Special> {
    match file_type(stat) {
        FileType::RegularFile | FileType::Directory | FileType::Symlink => None,
        FileType::Fifo => Some(Special::Fifo),
        FileType::Socket => Some(Special::Socket),
        _ => Some(Special::Device),
    }
}

/// The size in a `Stat`.
pub fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// The time of the last change in a `Stat`, in nanoseconds.
pub fn mtime_ns(stat: &Stat) -> i64 {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// A change of the last modification alone.
pub fn modified(mtime_ns: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: mtime_ns.div_euclid(1_000_000_000),
            tv_nsec: mtime_ns.rem_euclid(1_000_000_000),
        },
    }
}

/// Permissions with setuid, setgid and sticky.
pub fn mode(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// Which file it is, if it has other names.
pub fn shared_inode(stat: &Stat) -> Option<Inode> {
    (stat.st_nlink > 1).then_some(Inode { device: stat.st_dev, inode: stat.st_ino })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn no_link_leads_out_with_or_without_openat2() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/a/b")).unwrap();
        fs::create_dir_all(dir.path().join("outside/b")).unwrap();
        symlink("../outside", dir.path().join("root/link")).unwrap();
        symlink("a", dir.path().join("root/inner")).unwrap();
        let root = Root::open(dir.path().join("root").as_os_str().as_bytes()).unwrap();
        for open in [Root::folder, Root::folder_by_steps] {
            assert!(open(&root, b"a/b").is_ok());
            for path in ["link", "link/b", "inner", "inner/b"] {
                assert!(open(&root, path.as_bytes()).is_err(), "{path}");
            }
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path().as_os_str().as_bytes()).unwrap();
        rustix::fs::mknodat(&root, "pipe", FileType::Fifo, Mode::RUSR, 0).unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        assert!(open_file(root.as_fd(), b"file").is_ok());
        assert!(open_file(root.as_fd(), b"pipe").is_err());
        assert!(open_file(root.as_fd(), b"link").is_err());
    }
}
