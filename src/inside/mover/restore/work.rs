//! The restore's own folder, `.sandbank` at the workspace's root: `stage` holds files that wait for their place, `trash`
//! what has lost its place. All on the workspace's own file system, so that a rename is enough.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat};

use super::journal;
use crate::inside::mover::{
    root::{Root, file_type, look, open_folder},
    words::{Phase, RESERVED, Unfinished},
};

/// Reading, writing and creating, never through a link, never waiting for a pipe's other end.
const WRITE: OFlags = OFlags::RDWR.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// How long to wait for another mover: longer than moving a large version's files into place takes, but not for ever,
/// since a program of the sandbox may hold the lock.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at the lock. A lock that waits by itself would wait for ever.
const PAUSE: Duration = Duration::from_millis(50);

/// The folder, open.
#[derive(Debug)]
pub struct Work {
    root: Arc<Root>,
    folder: OwnedFd,
    stage: OwnedFd,
    trash: OwnedFd,
    thrown: AtomicU64,
}

impl Work {
    /// Opens it, makes it if it isn't there. Whatever else has its name goes: the name is reserved. Waits for a mover
    /// that has it: one that lost its service in the last phase still finishes.
    pub fn open(root: Arc<Root>) -> io::Result<Self> {
        let folder = locked_folder(&root)?;
        let (stage, trash) = (own_folder(folder.as_fd(), b"stage")?, own_folder(folder.as_fd(), b"trash")?);
        let work = Self { root, folder, stage, trash, thrown: AtomicU64::new(0) };
        work.empty_trash()?;
        Ok(work)
    }

    /// The folder itself, where the journal is.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Where files wait, named by [`staged`].
    pub fn stage(&self) -> BorrowedFd<'_> {
        self.stage.as_fd()
    }

    /// A file without a name, gone when it is closed.
    pub fn scratch(&self) -> io::Result<File> {
        let name = "scratch";
        let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
        let flags = WRITE | OFlags::CREATE | OFlags::EXCL;
        let file = rustix::fs::openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?;
        Ok(File::from(file))
    }

    /// Opens a file of the stage to write in it; makes it if it isn't there.
    pub fn open_staged(&self, entry: u64) -> io::Result<(File, Stat)> {
        let flags = WRITE | OFlags::CREATE;
        let file = rustix::fs::openat(&self.stage, staged(entry), flags, Mode::RUSR | Mode::WUSR)?;
        let stat = rustix::fs::fstat(&file)?;
        if file_type(&stat) != FileType::RegularFile {
            return Err(io::Error::other("something that is no file has taken a name in .sandbank/stage"));
        }
        Ok((File::from(file), stat))
    }

    /// Bytes that the stage takes on the disk.
    pub fn staged_bytes(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for item in Dir::new(open_folder(self.stage.as_fd(), b".")?)? {
            if let Some(stat) = look(self.stage.as_fd(), item?.file_name().to_bytes())? {
                bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
            }
        }
        Ok(bytes)
    }

    /// Takes something out of the tree, whatever it is and however much is in it, in one step.
    pub fn throw_away(&self, folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        loop {
            let to = self.thrown.fetch_add(1, Ordering::Relaxed).to_string();
            if look(self.trash.as_fd(), to.as_bytes())?.is_none() {
                return Ok(rustix::fs::renameat(folder, name, &self.trash, to)?);
            }
        }
    }

    /// Deletes what was thrown away. A folder in a folder is moved up first, so depth costs neither stack nor
    /// descriptors. What is mounted there is an error.
    pub fn empty_trash(&self) -> io::Result<()> {
        loop {
            let names = some_names(self.trash.as_fd())?;
            if names.is_empty() {
                return Ok(());
            }
            names.iter().try_for_each(|name| self.delete(name))?;
        }
    }

    /// Deletes one thing of the trash, but for inner folders, which it moves up.
    fn delete(&self, name: &[u8]) -> io::Result<()> {
        let Some(stat) = look(self.trash.as_fd(), name)? else { return Ok(()) };
        if file_type(&stat) != FileType::Directory {
            return Ok(rustix::fs::unlinkat(&self.trash, name, AtFlags::empty())?);
        }
        let folder = open_folder(self.trash.as_fd(), name)?;
        if !self.root.is_mount(&rustix::fs::fstat(&folder)?) {
            loop {
                let inner = some_names(folder.as_fd())?;
                if inner.is_empty() {
                    break;
                }
                for name in inner {
                    let gone = [AtFlags::empty(), AtFlags::REMOVEDIR]
                        .into_iter()
                        .any(|how| rustix::fs::unlinkat(&folder, name.as_slice(), how).is_ok());
                    if !gone {
                        self.throw_away(folder.as_fd(), &name)?;
                    }
                }
            }
        }
        Ok(rustix::fs::unlinkat(&self.trash, name, AtFlags::REMOVEDIR)?)
    }

    /// Empties the stage.
    pub fn clear_stage(&self) -> io::Result<()> {
        loop {
            let names = some_names(self.stage.as_fd())?;
            if names.is_empty() {
                return Ok(());
            }
            names.iter().try_for_each(|name| self.throw_away(self.stage.as_fd(), name))?;
            self.empty_trash()?;
        }
    }

    /// Removes all of it. With a journal in it, only what is empty goes.
    pub fn remove(&self) -> io::Result<()> {
        self.empty_trash()?;
        for (folder, name) in [(&self.folder, "stage".as_bytes()), (&self.folder, b"trash")] {
            remove_empty(folder.as_fd(), name)?;
        }
        self.root.unnoticed(|| remove_empty(self.root.as_fd(), RESERVED))
    }

    /// Drops a restore that has not changed the workspace; gives the one that can't be dropped.
    pub fn discard(root: &Arc<Root>) -> io::Result<Option<Unfinished>> {
        if look(root.as_fd(), RESERVED)?.is_none() {
            return Ok(None);
        }
        let work = Self::open(root.clone())?;
        if let Some(unfinished) = journal::read(root)?.filter(|u| u.phase == Phase::Apply) {
            return Ok(Some(unfinished));
        }
        journal::remove(work.folder())?;
        work.clear_stage()?;
        work.remove()?;
        Ok(None)
    }
}

/// The name of an entry's file in the stage.
pub fn staged(entry: u64) -> String {
    entry.to_string()
}

/// The folder with a lock on it, so that one mover works at a time.
fn locked_folder(root: &Root) -> io::Result<OwnedFd> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let folder = root.unnoticed(|| own_folder(root.as_fd(), RESERVED))?;
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // Who had it may have removed it at its end: then this is the lock of a folder without a name.
                let ours = rustix::fs::fstat(&folder)?.st_ino;
                if look(root.as_fd(), RESERVED)?.is_some_and(|stat| stat.st_ino == ours) {
                    return Ok(folder);
                }
            }
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(PAUSE),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another restore of it is under way"));
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Opens a folder of ours; anything else with its name is removed.
fn own_folder(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    if look(folder, name)?.is_some_and(|stat| file_type(&stat) != FileType::Directory) {
        rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
    }
    match rustix::fs::mkdirat(folder, name, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let own = open_folder(folder, name)?;
    rustix::fs::fchmod(&own, Mode::RWXU)?;
    Ok(own)
}

fn remove_empty(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Some names of a folder, all if they are few. Deleted by them, they make place for the others.
fn some_names(folder: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    // A bound for our memory: 4 MiB at most.
    const SOME: usize = 16_384;
    let mut names = Vec::new();
    for item in Dir::new(open_folder(folder, b".")?)? {
        let item = item?;
        let name = item.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(name.to_vec());
        }
        if names.len() == SOME {
            break;
        }
    }
    Ok(names)
}
