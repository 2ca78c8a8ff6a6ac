//! The lock of a data dir. Truth is the flock, not a pid in a file: the kernel lets go of it however its holder ends.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
};

use rustix::{fs::FlockOperation, io::Errno};

use crate::config::DataDir;

/// Held by the server of a data dir for its whole life. Closed on exec, so that no child holds on to it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another server holds it")]
    Held,
    /// The file can't be used.
    #[error("{path} can't be locked: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Lock {
    /// Takes the lock if it is free. The data dir must be prepared.
    ///
    /// # Errors
    /// Another process has it, or the file can't be opened or locked.
    pub fn take(data: &DataDir) -> Result<Self, LockError> {
        let path = data.lock();
        let io = |source| LockError::Io { path: path.display().to_string(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(io)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(Errno::WOULDBLOCK) => Err(LockError::Held),
            Err(e) => Err(io(e.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_it_and_it_is_free_again_after() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::find(Some(dir.path())).unwrap();
        let first = Lock::take(&data).unwrap();
        assert!(matches!(Lock::take(&data), Err(LockError::Held)));
        drop(first);
        assert!(Lock::take(&data).is_ok());
    }
}
