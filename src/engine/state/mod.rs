//! The engine's memory: one SQLite file, one connection. Calls are short, so one at a time is enough.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::Connection;
use tonic::Status;

/// Raised when an older engine could no longer read the tables.
const VERSION: i64 = 1;

/// Why a call to the state failed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database.
    #[error("the engine's database: {0}")]
    Db(rusqlite::Error),
    /// No room for it.
    #[error("the engine's database: No space left on device")]
    Full,
    /// Its file.
    #[error("the engine's database {0} can't be made: {1}")]
    File(String, io::Error),
    /// What it holds can't be read.
    #[error("the engine's database holds {0}")]
    Damaged(String),
    /// A newer engine wrote it.
    #[error("the engine's database is of a newer version ({0}): upgrade this binary, or use another --data-dir")]
    Newer(i64),
    /// The call panicked or was cut off.
    #[error("the engine's database call was cut off")]
    Cut,
}

impl From<rusqlite::Error> for StateError {
    fn from(e: rusqlite::Error) -> Self {
        use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
        // The last two come from a full disk while the log or its index is extended.
        match e.sqlite_error().map(|e| e.extended_code) {
            Some(SQLITE_FULL | SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE) => Self::Full,
            _ => Self::Db(e),
        }
    }
}

impl From<serde_json::Error> for StateError {
    fn from(e: serde_json::Error) -> Self {
        Self::Damaged(format!("a damaged row: {e}"))
    }
}

impl From<StateError> for Status {
    fn from(e: StateError) -> Self {
        Self::internal(e.to_string())
    }
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct State(Arc<Mutex<Connection>>);

impl State {
    /// Opens or makes `path` with all tables.
    ///
    /// # Errors
    /// It can't be opened, or is of a newer version.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        private(path).map_err(|e| StateError::File(path.display().to_string(), e))?;
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // A caller has been told: it must not be lost with the power.
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > VERSION {
            return Err(StateError::Newer(version));
        }
        db.execute_batch(include_str!("schema.sql"))?;
        db.execute_batch(include_str!("../sandboxes/schema.sql"))?;
        db.pragma_update(None, "user_version", VERSION)?;
        Ok(Self(Arc::new(Mutex::new(db))))
    }

    /// Runs `f` with the connection on a thread that may block.
    ///
    /// # Errors
    /// Those of `f`.
    pub async fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let db = Arc::clone(&self.0);
        let run = move || f(&mut db.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(run).await.map_err(|_| StateError::Cut)?
    }

    /// The same without waiting for the disk: for what nobody has been told yet. It outlives the engine; when the machine
    /// stops it may be lost, until the next [`Self::call`] that changes something.
    ///
    /// # Errors
    /// Those of `f`.
    pub async fn call_unflushed<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        self.call(move |db| {
            db.pragma_update(None, "synchronous", "NORMAL")?;
            let done = f(db);
            db.pragma_update(None, "synchronous", "FULL")?;
            done
        })
        .await
    }
}

/// Makes the file so that only its owner may read it; SQLite gives its log the same mode.
fn private(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map(drop)
}

/// Now, as rows and messages have it.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
