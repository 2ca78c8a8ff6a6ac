//! Why a call of a keeper failed.

use std::io;

use super::wire::Fault;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// No keeper serves this folder: `KeeperHandle::reap` says how the sandbox ended.
    #[error("the sandbox has ended")]
    Gone,
    /// No exec has this id.
    #[error("no command with this id runs or ran in the sandbox")]
    NoSuchExec,
    /// The log's head was dropped to keep its bound.
    #[error("output before byte {start} is no longer kept")]
    OutOfRange {
        /// First byte that is kept.
        start: u64,
    },
    /// Input must come without holes.
    #[error("standard input has {have} bytes: send those that follow")]
    Gap {
        /// Bytes that were taken.
        have: u64,
    },
    /// The process closed its standard input, ended, or an earlier write ended it.
    #[error("standard input is closed")]
    StdinClosed,
    /// The keeper or the jail said no.
    #[error("{0}")]
    Refused(String),
    /// A file or socket of the sandbox's folder.
    #[error("sandbox folder: {0}")]
    Io(#[from] io::Error),
    /// The keeper speaks other words.
    #[error("unexpected answer of the sandbox's keeper: {0}")]
    Protocol(String),
}

impl From<Fault> for KeeperError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSuchExec => Self::NoSuchExec,
            Fault::Gap { have } => Self::Gap { have },
            Fault::StdinClosed => Self::StdinClosed,
            Fault::Refused(why) => Self::Refused(why),
        }
    }
}
