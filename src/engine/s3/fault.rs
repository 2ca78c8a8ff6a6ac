//! What goes wrong below the protocol, and how S3 says it.

use std::io;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// Why the index or the files could not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Already an answer to the client.
    #[error("{0}")]
    Answer(#[from] S3Error),
    /// The index.
    #[error("index: {0}")]
    Index(#[from] rusqlite::Error),
    /// A file.
    #[error("file: {0}")]
    Io(#[from] io::Error),
    /// The index holds something that this version can't read.
    #[error("index: {0}")]
    Row(#[from] serde_json::Error),
    /// The commit that held this change.
    #[error("index: commit failed: {message}")]
    Commit {
        /// For lack of space.
        full: bool,
        /// SQLite's words.
        message: String,
    },
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
}

impl Fault {
    /// For lack of space?
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Index(e) => e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Io(e) => {
                matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Commit { full, .. } => *full,
            _ => false,
        }
    }
}

impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        if fault.is_full() {
            return full("its disk is full");
        }
        match fault {
            Fault::Answer(error) => error,
            Fault::Closed => s3s::s3_error!(ServiceUnavailable, "The store is closing. Try again when it runs."),
            fault => {
                tracing::error!(error = %fault, "the engine's S3 store failed");
                s3s::s3_error!(InternalError, "The store could not read or write its own folder: {fault}")
            }
        }
    }
}

/// No room: nothing was changed. 507 is not repeated by clients, as a 500 would be.
pub(super) fn full(why: &str) -> S3Error {
    let message = format!(
        "The store takes no more data: {why}. Nothing was changed. Free space on the disk of sandbank's data folder, or delete objects or versions, and try again."
    );
    custom("InsufficientStorage", StatusCode::INSUFFICIENT_STORAGE, message)
}

/// An error whose code `s3s` doesn't know.
pub(super) fn custom(code: &'static str, status: StatusCode, message: impl Into<String>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut error = S3Error::with_message(code, message.into());
    error.set_status_code(status);
    error
}
