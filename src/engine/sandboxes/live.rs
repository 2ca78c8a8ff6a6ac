//! Sandboxes that run: their keepers, what is served for them, and the task that waits for each one's end.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    definition,
    environment::Env,
    folders::clear_scratch,
    readers::Readers,
    rows::{self, Row},
    task::task_of,
};
use crate::engine::{
    Shared,
    keeper::{KeeperError, KeeperHandle},
    proxy::{Keys, Outside},
    spec::End,
};

/// A sandbox that runs.
pub struct Live {
    /// What is remembered of it.
    pub row: Row,
    /// Its one task.
    pub task_id: String,
    /// Its keeper.
    pub keeper: KeeperHandle,
    /// What its commands start with, defaults aside.
    pub env: Env,
    /// What it reaches.
    pub outside: Outside,
    readers: Mutex<HashMap<String, Arc<Readers>>>,
    end: watch::Sender<Option<End>>,
}

/// Its environment is not shown.
impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("row", &self.row).finish_non_exhaustive()
    }
}

impl Live {
    /// How it ended, when it does.
    pub fn ended(&self) -> watch::Receiver<Option<End>> {
        self.end.subscribe()
    }

    /// Who reads what a command writes.
    pub fn readers(&self, exec_id: &str) -> Arc<Readers> {
        let mut all = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(exec_id.to_owned()).or_default().clone()
    }
}

/// All that run, by task id.
#[derive(Debug, Default)]
pub struct Running {
    all: Mutex<HashMap<String, Arc<Live>>>,
    stop: CancellationToken,
}

impl Running {
    /// One by its task.
    pub fn get(&self, task_id: &str) -> Option<Arc<Live>> {
        self.lock().get(task_id).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.lock().values().cloned().collect()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Lets go of all of them; they go on without an engine.
    pub fn stop(&self) {
        self.stop.cancel();
        self.lock().clear();
    }

    /// Does something for a sandbox for as long as they are not let go of.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a sandbox whose keeper answers, with the keys of commands that run, and waits for its end.
pub async fn tend(
    shared: &Arc<Shared>,
    row: Row,
    keeper: KeeperHandle,
    env: Env,
    keys: BTreeMap<String, Keys>,
) -> Result<Arc<Live>, KeeperError> {
    let store = definition::port(&shared.access.s3_url);
    let outside = Outside::new(&row.id, &shared.sandboxes.upstream, store);
    for (exec_id, keys) in keys {
        outside.know_keys(&exec_id, keys);
    }
    match outside.pick_up(&keeper).await {
        // Its first command was quick: the watcher says so.
        Ok(()) | Err(KeeperError::Gone) => {}
        Err(e) => return Err(e),
    }
    let task_id = task_of(&row.id);
    let (end, _) = watch::channel(None);
    let live = Arc::new(Live { row, task_id: task_id.clone(), keeper, env, outside, readers: Mutex::default(), end });
    shared.sandboxes.running.lock().insert(task_id, live.clone());
    let (shared, waiting) = (shared.clone(), live.clone());
    tokio::spawn(async move {
        if let Some(end) = shared.sandboxes.running.unless_stopped(waiting.keeper.ended()).await {
            finish(&shared, &waiting, end).await;
        }
    });
    Ok(live)
}

async fn finish(shared: &Arc<Shared>, live: &Arc<Live>, end: End) {
    let id = live.row.id.clone();
    tracing::info!(sandbox = %id, ?end, "a sandbox has ended");
    commit_volumes(shared, &live.row).await;
    let (known, how) = (id.clone(), end.clone());
    if let Err(error) = shared.state.call(move |db| rows::ended(db, &known, &how)).await {
        // The keeper's folder says the same to the next engine.
        tracing::error!(sandbox = %id, %error, "a sandbox's end was not noted");
    }
    shared.sandboxes.running.lock().remove(&live.task_id);
    live.end.send_replace(Some(end));
    clear_scratch(shared, &id).await;
}

/// Makes durable what it wrote to its volumes.
pub async fn commit_volumes(shared: &Shared, row: &Row) {
    for volume in &row.facts.volumes {
        if let Err(error) = shared.volumes.commit(volume).await {
            tracing::warn!(sandbox = %row.id, %volume, %error, "a volume was not committed at a sandbox's end");
        }
    }
}
