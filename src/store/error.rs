//! What can go wrong with the database, in words that say what to do.

use std::path::Path;

use sqlx::migrate::MigrateError;

use crate::api::ApiError;

/// A failure of the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It can't be opened.
    #[error("the database {path} can't be opened: {reason}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A newer program made it.
    #[error("the database {path} was made by a newer sandbank; upgrade this binary")]
    Newer {
        /// The file.
        path: String,
    },
    /// No room.
    #[error("the disk is full: nothing more can be stored; free some space below the data dir")]
    Full,
    /// A row that can't be read.
    #[error("a row of the database can't be read: {0}")]
    Damaged(String),
    /// Anything else that SQLite says.
    #[error("the database: {0}")]
    Sql(String),
    /// The server is ending.
    #[error("the database is closed")]
    Closed,
}

impl StoreError {
    pub(super) fn opening(path: &Path, error: &sqlx::Error) -> Self {
        match Self::from(error) {
            Self::Full => Self::Full,
            _ => Self::Open { path: path.display().to_string(), reason: error.to_string() },
        }
    }

    pub(super) fn migrating(path: &Path, error: MigrateError) -> Self {
        let path = path.display().to_string();
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) | MigrateError::VersionTooNew(..) => {
                Self::Newer { path }
            }
            MigrateError::Execute(e) if Self::from(&e) == Self::Full => Self::Full,
            other => Self::Open { path, reason: other.to_string() },
        }
    }

    pub(super) fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<&sqlx::Error> for StoreError {
    fn from(error: &sqlx::Error) -> Self {
        // 13: SQLITE_FULL; 778 and 4874: SQLITE_IOERR_WRITE and _SHMSIZE, which a full disk gives while the log or its
        // index is extended.
        match error.as_database_error().and_then(|e| e.code()).as_deref() {
            Some("13" | "778" | "4874") => Self::Full,
            _ => Self::Sql(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::from(&error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let hint = match error {
            StoreError::Full => "see `sandbank doctor` for what is used where",
            StoreError::Damaged(_) | StoreError::Sql(_) => "the server's log in the data dir says more",
            _ => "",
        };
        match error {
            StoreError::Closed => Self::unavailable("the server is ending").hint("try again"),
            other => Self::failed(other.to_string()).hint(hint),
        }
    }
}
