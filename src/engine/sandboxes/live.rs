//! Sandboxes that run: their keepers, what is served for them, and the task that waits for each one's end.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::join_all;
use tokio::{sync::watch, task::spawn_blocking};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    definition,
    environment::Env,
    rows::{self, Row},
    task_of,
};
use crate::engine::{
    EngineError, Shared, jail,
    keeper::{KeeperError, KeeperHandle},
    proxy::{Keys, Outside},
    router::Readers,
    spec::{End, ExecEnd},
    state::now,
};

/// How long what an ended sandbox wrote to its outputs is kept.
const KEPT: f64 = 7.0 * 24.0 * 3600.0;

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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Folders of a sandbox.
pub fn keeper_dir(shared: &Shared, sandbox_id: &str) -> PathBuf {
    shared.settings.dir.join("sandboxes").join(sandbox_id)
}

/// Where it writes.
pub fn scratch_dir(shared: &Shared, sandbox_id: &str) -> PathBuf {
    shared.settings.dir.join("scratch").join(sandbox_id)
}

/// Serves a sandbox whose keeper answers, and waits for its end.
pub async fn tend(
    shared: &Arc<Shared>,
    row: Row,
    keeper: KeeperHandle,
    env: Env,
    keys: BTreeMap<String, Keys>,
) -> Result<(), KeeperError> {
    let store = definition::port(&shared.access.s3_url);
    let outside = Outside::new(&row.id, &shared.sandboxes.upstream, store);
    let with_keys: Vec<String> = keys.keys().cloned().collect();
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
    for exec_id in with_keys {
        drop_keys_at_end(shared, &live, exec_id);
    }
    let (shared, stop) = (shared.clone(), shared.sandboxes.running.stop.clone());
    tokio::spawn(async move {
        if let Some(end) = stop.run_until_cancelled(live.keeper.ended()).await {
            finish(&shared, &live, end).await;
        }
    });
    Ok(())
}

/// Forgets a command's keys when it ends.
pub fn drop_keys_at_end(shared: &Arc<Shared>, live: &Arc<Live>, exec_id: String) {
    let (shared, live) = (shared.clone(), live.clone());
    let stop = shared.sandboxes.running.stop.clone();
    tokio::spawn(async move {
        // An answer of any kind but a broken line is an end; the sandbox's own end takes the rest.
        let Some(Ok(ExecEnd::Code(_) | ExecEnd::Signal(_)) | Err(KeeperError::NoSuchExec)) =
            stop.run_until_cancelled(live.keeper.wait(&exec_id)).await
        else {
            return;
        };
        live.outside.forget_keys(&exec_id);
        let id = live.row.id.clone();
        if let Err(error) = shared.state.call(move |db| rows::delete_keys(db, &id, &exec_id)).await {
            tracing::warn!(sandbox = %live.row.id, %error, "the keys of an ended command were not forgotten");
        }
    });
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

async fn commit_volumes(shared: &Shared, row: &Row) {
    for volume in &row.facts.volumes {
        if let Err(error) = shared.volumes.commit(volume).await {
            tracing::warn!(sandbox = %row.id, %volume, %error, "a volume was not committed at a sandbox's end");
        }
    }
}

/// Removes what a sandbox wrote beside its volumes.
pub async fn clear_scratch(shared: &Arc<Shared>, sandbox_id: &str) {
    let (owned, scratch) = (shared.clone(), scratch_dir(shared, sandbox_id));
    let cleared = spawn_blocking(move || remove_scratch(&owned, &scratch)).await.map_err(io::Error::other);
    if let Err(error) = cleared.and_then(|done| done) {
        tracing::warn!(sandbox = %sandbox_id, %error, "what an ended sandbox wrote was not removed; the next start tries again");
    }
}

/// The folder belongs to the engine's user, those in it to the sandboxes' root.
fn remove_scratch(shared: &Shared, scratch: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(scratch) {
        Ok(entries) => entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let trees: Vec<&Path> = entries.iter().map(PathBuf::as_path).collect();
    jail::remove_tree(&shared.settings.program, &shared.ids, &trees)?;
    std::fs::remove_dir(scratch)
}

/// Finds the keepers of an earlier engine again, ends what has none, and clears what nobody needs.
pub async fn recover(shared: &Arc<Shared>) -> Result<(), EngineError> {
    let running = shared.state.call(|db| rows::running(db)).await?;
    join_all(running.into_iter().map(|(row, env)| async move {
        let id = row.id.clone();
        if let Err(error) = find(shared, row, &env).await {
            // Left as it is: an engine that can read it finds it.
            tracing::error!(sandbox = %id, %error, "a sandbox of an earlier engine can't be reached");
        }
    }))
    .await;
    sweep(shared).await;
    Ok(())
}

async fn find(shared: &Arc<Shared>, row: Row, sealed: &[u8]) -> Result<(), Status> {
    let dir = keeper_dir(shared, &row.id);
    let id = row.id.clone();
    match KeeperHandle::attach(&dir).await {
        Ok(keeper) => {
            let env = unseal(shared, &id, sealed)?;
            let read = move |db: &mut rusqlite::Connection| {
                rows::started(db, &id)?;
                rows::keys(db, &id)
            };
            let mut keys = BTreeMap::new();
            for (exec_id, sealed) in shared.state.call(read).await? {
                let values = unseal(shared, &keys_row(&row.id, &exec_id), &sealed)?;
                keys.insert(exec_id, Keys::from_values(values));
            }
            tend(shared, row, keeper, env, keys).await.map_err(|e| Status::internal(e.to_string()))
        }
        Err(KeeperError::Gone) => {
            let end = if row.started {
                KeeperHandle::reap(&dir).await
            } else {
                End::Failed { reason: "the engine stopped while the sandbox was made: make it again".to_owned() }
            };
            commit_volumes(shared, &row).await;
            shared.state.call(move |db| rows::ended(db, &id, &end)).await?;
            Ok(())
        }
        Err(e) => Err(Status::internal(e.to_string())),
    }
}

/// Folders of sandboxes that ended long ago or never were, and what ended ones wrote.
async fn sweep(shared: &Arc<Shared>) {
    let known = match shared.state.call(|db| rows::ended_before(db, now() - KEPT)).await {
        Ok(known) => known,
        Err(error) => return tracing::warn!(%error, "nothing was cleared"),
    };
    let live: HashSet<String> = shared.sandboxes.running.all().iter().map(|l| l.row.id.clone()).collect();
    let open = match shared.state.call(|db| rows::running(db)).await {
        Ok(open) => open.into_iter().map(|(row, _)| row.id).collect::<HashSet<_>>(),
        Err(error) => return tracing::warn!(%error, "nothing was cleared"),
    };
    let in_use = |id: &String| live.contains(id) || open.contains(id);
    for id in names(&shared.settings.dir.join("scratch")) {
        // Others may have folders there too.
        if id.starts_with("sb-") && !in_use(&id) {
            clear_scratch(shared, &id).await;
        }
    }
    for id in names(&shared.settings.dir.join("sandboxes")) {
        if !in_use(&id) && known.get(&id).is_none_or(|old| *old) {
            remove_keeper_dir(shared, &id).await;
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().into_string().ok()).collect()
}

/// Removes a sandbox's folder, and ends it if something still runs there.
pub async fn remove_keeper_dir(shared: &Arc<Shared>, sandbox_id: &str) {
    let dir = keeper_dir(shared, sandbox_id);
    if let Ok(keeper) = KeeperHandle::attach(&dir).await {
        let _ = keeper.terminate().await;
    }
    KeeperHandle::reap(&dir).await;
    if let Err(error) = tokio::fs::remove_dir_all(&dir).await
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(sandbox = %sandbox_id, %error, "the folder of a sandbox was not removed");
    }
}

/// What a command's keys are encrypted for, so that rows can't be exchanged.
pub fn keys_row(sandbox_id: &str, exec_id: &str) -> String {
    format!("{sandbox_id}/{exec_id}")
}

fn unseal(shared: &Shared, row: &str, sealed: &[u8]) -> Result<Env, Status> {
    let lost = || Status::data_loss(format!("what is encrypted of {row} can't be read with the engine's key file"));
    shared.secrets.unseal(row, sealed).ok_or_else(lost)
}
