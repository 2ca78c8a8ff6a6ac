//! What a sandbox has on disk beside its volumes: its keeper's folder, and what it wrote over its image.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::task::spawn_blocking;

use crate::engine::{Shared, jail, keeper::KeeperHandle};

/// Its keeper's folder.
pub fn keeper_dir(shared: &Shared, sandbox_id: &str) -> PathBuf {
    shared.settings.dir.join("sandboxes").join(sandbox_id)
}

/// Where it writes.
pub fn scratch_dir(shared: &Shared, sandbox_id: &str) -> PathBuf {
    shared.settings.dir.join("scratch").join(sandbox_id)
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
