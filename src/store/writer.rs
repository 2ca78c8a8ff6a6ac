//! The one connection that writes.
//!
//! Changes come through a queue; those that wait together are committed together (a commit with `synchronous=FULL`
//! costs a disk flush). Each runs in a savepoint: one that fails takes nothing of the others with it. Results are
//! handed back, and events and items published, only when the commit has succeeded.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use futures::future::BoxFuture;
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Commit, StoreError};

/// How long a change may wait for others to be committed with it: 20 flushes a second at most, and nobody notices a
/// twentieth of a second between a word on the screen and its row.
const GROUP: Duration = Duration::from_millis(50);

/// A group has at most this many changes, so that one commit stays short.
const MAX_GROUP: usize = 512;

/// How soon a change must be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Somebody waits for it.
    Now,
    /// Within 50 ms, together with others.
    Grouped,
}

/// A transaction that is open, and what it will publish.
#[derive(Debug)]
pub struct Tx {
    connection: SqliteConnection,
    pub(super) commit: Commit,
}

impl Deref for Tx {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// Tells the caller of a change how it went; `Some` is a commit that failed.
type Deliver = Box<dyn FnOnce(Option<StoreError>) + Send>;

/// Runs a change; says whether to keep it, and how to deliver its result after the commit.
type Change = Box<dyn for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, (bool, Deliver)> + Send>;

enum Job {
    Change(Pace, Change),
    Close(oneshot::Sender<()>),
}

/// The door to the writing task. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection, on_commit: impl Fn(Commit) + Send + 'static) -> Self {
        let (jobs, queue) = mpsc::channel(MAX_GROUP);
        tokio::spawn(run(Tx { connection, commit: Commit::default() }, queue, on_commit));
        Self { jobs }
    }

    pub(super) async fn write<T, E, F>(&self, pace: Pace, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel::<Result<T, E>>();
        let change: Change = Box::new(move |tx| {
            Box::pin(async move {
                let result = change(tx).await;
                let keep = result.is_ok();
                let deliver: Deliver = Box::new(move |failed| {
                    // A caller that went away doesn't need its result; the change is made all the same.
                    let _ = sender.send(match failed {
                        Some(error) if result.is_ok() => Err(error.into()),
                        _ => result,
                    });
                });
                (keep, deliver)
            })
        });
        self.jobs.send(Job::Change(pace, change)).await.map_err(|_| StoreError::Closed)?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn close(&self) {
        let (sender, done) = oneshot::channel();
        if self.jobs.send(Job::Close(sender)).await.is_ok() {
            // An error means that the task has ended, which is what was asked for.
            let _ = done.await;
        }
    }
}

async fn run(mut tx: Tx, mut queue: mpsc::Receiver<Job>, on_commit: impl Fn(Commit)) {
    let mut closing = None;
    while closing.is_none() {
        let (first, rest) = match queue.recv().await {
            Some(Job::Change(pace, change)) => (pace, vec![change]),
            Some(Job::Close(done)) => {
                closing = Some(done);
                continue;
            }
            None => break,
        };
        let mut group = rest;
        let deadline = Instant::now() + GROUP;
        let mut pace = first;
        while group.len() < MAX_GROUP && closing.is_none() {
            let next = match pace {
                Pace::Now => queue.try_recv().ok(),
                Pace::Grouped => tokio::time::timeout_at(deadline, queue.recv()).await.ok().flatten(),
            };
            match next {
                Some(Job::Change(Pace::Now, change)) => {
                    pace = Pace::Now;
                    group.push(change);
                }
                Some(Job::Change(Pace::Grouped, change)) => group.push(change),
                Some(Job::Close(done)) => closing = Some(done),
                None => break,
            }
        }
        let (delivers, failed) = commit(&mut tx, group).await;
        let brought = std::mem::take(&mut tx.commit);
        if let Some(error) = &failed {
            tracing::error!(%error, "a commit failed");
        } else if !brought.is_empty() {
            on_commit(brought);
        }
        for deliver in delivers {
            deliver(failed.clone());
        }
    }
    if let Err(error) = tx.connection.close().await {
        tracing::warn!(%error, "the database was not closed in order; its log is read at the next start");
    }
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// Runs a group in one transaction. A failed commit is told to each of its changes.
async fn commit(tx: &mut Tx, group: Vec<Change>) -> (Vec<Deliver>, Option<StoreError>) {
    let mut delivers = Vec::with_capacity(group.len());
    let mut failed = tx.execute("BEGIN IMMEDIATE").await.err().map(StoreError::from);
    for change in group {
        // Without a transaction a change must not run: its statements would be kept one by one.
        if failed.is_some() {
            delivers.push(refused(change));
            continue;
        }
        if let Err(e) = tx.execute("SAVEPOINT one").await {
            failed = Some(e.into());
            delivers.push(refused(change));
            continue;
        }
        let (events, items) = (tx.commit.events.len(), tx.commit.items.len());
        let (keep, deliver) = change(tx).await;
        delivers.push(deliver);
        if !keep {
            tx.commit.events.truncate(events);
            tx.commit.items.truncate(items);
            failed = tx.execute("ROLLBACK TO one").await.err().map(StoreError::from);
        }
        if failed.is_none() {
            failed = tx.execute("RELEASE one").await.err().map(StoreError::from);
        }
    }
    if failed.is_none() {
        failed = tx.execute("COMMIT").await.err().map(StoreError::from);
    }
    if failed.is_some() {
        // There may be no transaction left to roll back; that is as good.
        let _ = tx.execute("ROLLBACK").await;
    }
    (delivers, failed)
}

/// A change that was never run: dropping it tells its caller.
fn refused(change: Change) -> Deliver {
    Box::new(move |_| drop(change))
}
