//! Content that is too large for the index: one file each, below `blobs/`.
//!
//! A file's name is random and nobody reads a file that no row names, so it is written in place: flushed first, then
//! named by a row. What a crash leaves has no row and goes at the next start. Keys are never part of a path.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use s3s::S3Result;

use super::fault::{Fault, full};

/// The folder of contents. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Files {
    dir: Arc<Path>,
    /// Bytes of the disk that stay free.
    reserve: u64,
}

impl Files {
    /// Opens, or makes, the folder and its 256 folders, so that none gets too long for old tools.
    pub(super) fn open(dir: &Path, reserve: u64) -> io::Result<Self> {
        let make = |dir: &Path| DirBuilder::new().recursive(true).mode(0o700).create(dir);
        make(dir)?;
        for n in 0..=u8::MAX {
            make(&dir.join(hex::encode([n])))?;
        }
        File::open(dir)?.sync_all()?;
        Ok(Self { dir: dir.into(), reserve })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// A new file to write.
    pub(super) fn create(&self) -> io::Result<(NewFile, File)> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let path = self.path(&name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((NewFile { name, path, keep: false }, file))
    }

    /// A content to read.
    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    /// Removes contents that no row names any more. One that can't be removed goes at the next start.
    pub(super) fn remove(&self, names: Vec<String>) {
        for name in names {
            if let Err(error) = fs::remove_file(self.path(&name)) {
                tracing::warn!(%error, "a content of the S3 store that nothing needs was not removed");
            }
        }
    }

    /// Removes the files that no row names: what a crash left.
    pub(super) fn sweep(&self, live: &HashSet<String>) -> io::Result<()> {
        for folder in fs::read_dir(&self.dir)? {
            for file in fs::read_dir(folder?.path())? {
                let file = file?;
                if !file.file_name().to_str().is_some_and(|name| live.contains(name)) {
                    fs::remove_file(file.path())?;
                }
            }
        }
        Ok(())
    }

    /// Refuses to take `coming` bytes that would eat into the reserve.
    pub(super) fn check_room(&self, coming: u64) -> S3Result<()> {
        let stat = rustix::fs::statvfs(&*self.dir).map_err(|e| Fault::Io(e.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free < self.reserve.saturating_add(coming) {
            let (free, reserve) = (free >> 20, self.reserve >> 20);
            return Err(full(&format!("its disk has {free} MiB left, of which {reserve} MiB are kept")));
        }
        Ok(())
    }
}

/// A file that no row names yet. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) name: String,
    path: PathBuf,
    keep: bool,
}

impl NewFile {
    /// A row names it now, or may do so.
    pub(super) fn keep(mut self) {
        self.keep = true;
    }

    /// Flushes the folder, so that the file's name outlives a loss of power.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.keep {
            // Whatever remains goes at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
