//! The index: one SQLite database, one thread that writes, some connections that read.
//!
//! Changes that wait together are committed together: a commit with `synchronous=FULL` costs a disk flush, and 64
//! uploads under way then share one. Each runs in a savepoint, so one that fails takes nothing of the others with it.
//! A caller hears of its change after the commit. Conditions (`If-None-Match`) are looked at inside the change: one
//! thread writes, so nothing can come between.

use std::{
    collections::HashSet,
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use s3s::S3Result;
use tokio::{sync::oneshot, task::spawn_blocking};

use super::{
    fault::Fault,
    files::{Files, NewFile},
};

/// Changes in one commit: enough for every request that is under way at once, few enough to keep it short.
const MAX_GROUP: usize = 256;

/// With nothing to write for so long, the store gives disk space back.
const IDLE: Duration = Duration::from_secs(2);

/// Pages given back at a time (4 MiB), so that a request that comes meanwhile waits some milliseconds at most.
const VACUUM_PAGES: u32 = 1024;

/// Reading connections that are kept: more don't help on a few cores, and each holds a cache.
const MAX_READERS: usize = 8;

/// A change under way.
pub(super) struct Tx<'c> {
    pub(super) db: &'c Connection,
    /// New files that it names.
    pub(super) landed: Vec<NewFile>,
    /// Files that nothing needs after it.
    pub(super) freed: Vec<String>,
}

/// Tells the caller of a change how it went; the argument is a commit that failed.
type Deliver = Box<dyn FnOnce(Option<Fault>) + Send>;

/// Runs a change; says whether to keep it, and how to deliver its result.
type Job = Box<dyn FnOnce(&mut Tx<'_>) -> (bool, Deliver) + Send>;

/// The door to the index.
#[derive(Debug)]
pub(super) struct Index {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    readers: Arc<Mutex<Vec<Connection>>>,
}

impl Index {
    /// Opens `dir/index.db`, removes files that no row names, and starts the writing thread. `lock` is held until that
    /// thread has ended.
    pub(super) fn open(dir: &Path, files: Files, lock: File) -> Result<Self, Fault> {
        let path = dir.join("index.db");
        let db = Connection::open(&path)?;
        prepare(&db)?;
        let mut live = HashSet::new();
        let mut named = db.prepare("SELECT file FROM blob WHERE file IS NOT NULL")?;
        for name in named.query_map([], |row| row.get(0))? {
            live.insert(name?);
        }
        drop(named);
        files.sweep(&live)?;
        let (jobs, queue) = mpsc::channel();
        let work = move || {
            run(&db, &queue, &files);
            drop(db);
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("s3-index".into()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), path, readers: Arc::default() })
    }

    /// Makes a change; returns when it is on disk. It is made even if the caller goes away meanwhile.
    pub(super) async fn write<T, F>(&self, change: F) -> S3Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel::<Result<T, Fault>>();
        let job: Job = Box::new(move |tx| {
            let result = change(tx);
            let keep = result.is_ok();
            let deliver: Deliver = Box::new(move |failed| {
                let _ = sender.send(match failed {
                    Some(fault) if result.is_ok() => Err(fault),
                    _ => result,
                });
            });
            (keep, deliver)
        });
        let jobs = self.jobs.as_ref().ok_or(Fault::Closed)?;
        jobs.send(job).map_err(|_| Fault::Closed)?;
        Ok(receiver.await.map_err(|_| Fault::Closed)??)
    }

    /// Reads one consistent state.
    pub(super) async fn read<T, F>(&self, look: F) -> S3Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (path, readers) = (self.path.clone(), Arc::clone(&self.readers));
        let work = move || {
            let kept = readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let db = kept.map_or_else(|| reader(&path), Ok)?;
            let state = db.unchecked_transaction()?;
            let found = look(&state);
            state.finish()?;
            let mut readers = readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < MAX_READERS {
                readers.push(db);
            }
            found
        };
        Ok(spawn_blocking(work).await.map_err(|_| Fault::Closed)??)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It ends with the group that it is at. A panic in it has been reported by now.
            let _ = thread.join();
        }
    }
}

fn prepare(db: &Connection) -> Result<(), Fault> {
    // Before the first table: it can't be changed later without rewriting the file.
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 => {
            let schema = include_str!("schema.sql");
            db.execute_batch(&format!("BEGIN; {schema} PRAGMA user_version = 1; COMMIT;"))?;
            Ok(())
        }
        1 => Ok(()),
        newer => Err(std::io::Error::other(format!(
            "index.db has format {newer}, made by a newer sandbank; this one knows format 1. Use the newer one."
        ))
        .into()),
    }
}

fn reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

fn run(db: &Connection, queue: &mpsc::Receiver<Job>, files: &Files) {
    // Whatever an earlier run left to give back is given back at the first rest.
    let mut tidy = false;
    loop {
        let first =
            if tidy { queue.recv().map_err(|_| RecvTimeoutError::Disconnected) } else { queue.recv_timeout(IDLE) };
        match first {
            Ok(job) => {
                let group = std::iter::once(job).chain(queue.try_iter().take(MAX_GROUP - 1)).collect();
                commit(db, group, files);
                tidy = false;
            }
            Err(RecvTimeoutError::Timeout) => tidy = rest(db),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Runs a group in one transaction.
fn commit(db: &Connection, group: Vec<Job>, files: &Files) {
    let mut tx = Tx { db, landed: Vec::new(), freed: Vec::new() };
    let mut delivers = Vec::with_capacity(group.len());
    let mut failed = db.execute_batch("BEGIN IMMEDIATE").err();
    for job in group {
        // Without a transaction a change must not run: its statements would be kept one by one. Dropping it tells its
        // caller.
        if failed.is_none() {
            failed = db.execute_batch("SAVEPOINT one").err();
        }
        if failed.is_some() {
            continue;
        }
        let (landed, freed) = (tx.landed.len(), tx.freed.len());
        let (keep, deliver) = job(&mut tx);
        delivers.push(deliver);
        if !keep {
            tx.landed.truncate(landed);
            tx.freed.truncate(freed);
            failed = db.execute_batch("ROLLBACK TO one").err();
        }
        if failed.is_none() {
            failed = db.execute_batch("RELEASE one").err();
        }
    }
    if failed.is_none() {
        failed = db.execute_batch("COMMIT").err();
    }
    // Also after a failed commit: its frames may lie in the log whole, and then count after a crash.
    tx.landed.drain(..).for_each(NewFile::keep);
    match &failed {
        None => files.remove(tx.freed),
        Some(error) => {
            tracing::error!(%error, "a commit to the S3 store's index failed");
            // There may be no transaction left to roll back; that is as good.
            let _ = db.execute_batch("ROLLBACK");
        }
    }
    for deliver in delivers {
        deliver(failed.as_ref().map(|e| Fault::Commit {
            full: e.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            message: e.to_string(),
        }));
    }
}

/// Gives disk space back, a little at a time; true when there is no more. Deleted objects would keep it otherwise.
fn rest(db: &Connection) -> bool {
    let step = || -> rusqlite::Result<bool> {
        let free: u32 = db.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        if free > 0 {
            // One row for each page; they must all be stepped through.
            let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
            let mut rows = vacuum.query([])?;
            while rows.next()?.is_some() {}
        }
        if free > VACUUM_PAGES {
            return Ok(false);
        }
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(true)
    };
    step().unwrap_or_else(|error| {
        tracing::warn!(%error, "the S3 store's index gave no space back");
        true
    })
}
