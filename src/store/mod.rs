//! What the server remembers: one SQLite database for each data dir.
//!
//! One connection writes, in group commits with `synchronous=FULL` (`writer`); others only read. A result is handed
//! back, and an event published, after its commit and never before. Each table has a file here with its rows and the
//! functions that read and change them; functions that change take a [`Tx`], so that several changes are one
//! transaction. No rule of the use cases lives here.

mod commands;
mod conversations;
mod error;
mod events;
mod execs;
mod sandboxes;
mod writer;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use commands::CommandRow;
pub use conversations::{ConversationRow, UsageRow};
pub use error::StoreError;
pub use events::EventPage;
pub use execs::{ExecRow, ExecState};
pub use sandboxes::SandboxRow;
pub use writer::{Pace, Tx};

use crate::{
    api::{Event, PlacedItem},
    core::AccountId,
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/store/migrations");

/// Readers wait for nothing but a checkpoint; more of them than this only cost memory.
const READERS: u32 = 4;

/// What a commit brought, for those who follow.
#[derive(Debug, Default)]
pub struct Commit {
    /// In their order.
    pub events: Vec<Event>,
    /// New and changed ones, with their accounts, in the order in which they were stored.
    pub items: Vec<(AccountId, PlacedItem)>,
}

impl Commit {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.items.is_empty()
    }
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    writer: writer::Writer,
    readers: SqlitePool,
    path: PathBuf,
}

impl Store {
    /// Opens or makes the database. `on_commit` gets what each commit brought, right after it and in order.
    ///
    /// # Errors
    /// It can't be opened or written, is damaged, or was made by a newer program.
    pub async fn open(path: &Path, on_commit: impl Fn(Commit) + Send + 'static) -> Result<Self, StoreError> {
        let open = |e: sqlx::Error| StoreError::opening(path, &e);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let mut connection = options.connect().await.map_err(open)?;
        MIGRATIONS.run(&mut connection).await.map_err(|e| StoreError::migrating(path, e))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .connect_lazy_with(options.read_only(true));
        Ok(Self { writer: writer::Writer::start(connection, on_commit), readers, path: path.to_owned() })
    }

    /// Changes something: `change` runs inside a transaction and its result comes back after the commit.
    ///
    /// # Errors
    /// Those of `change` (nothing of it is kept), or the commit's.
    pub async fn write<T, E, F>(&self, pace: Pace, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        self.writer.write(pace, change).await
    }

    /// Ends after everything written has been committed and the log folded into the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A time as rows have it.
fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A row's time; one that no clock can have made is the epoch.
fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// A document for a text column.
fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::damaged)
}

/// A document of a text column.
fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(StoreError::damaged)
}

/// A column that holds a checked type (an id, a state).
fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, StoreError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(StoreError::damaged)
}

/// An unsigned number as SQLite keeps it.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A stored number that is never negative.
fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

#[cfg(test)]
mod tests;
