//! After a start: the keepers of an earlier engine are found again, what has none ends, what nobody needs goes.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::Arc,
};

use futures::future::join_all;
use tonic::Status;

use super::{
    environment::Env,
    folders::{clear_scratch, keeper_dir, remove_keeper_dir},
    keys,
    live::{commit_volumes, tend},
    rows::{self, Row},
};
use crate::engine::{
    EngineError, Shared,
    keeper::{KeeperError, KeeperHandle},
    proxy::Keys,
    spec::End,
    state::now,
};

/// How long what an ended sandbox wrote to its outputs is kept.
const KEPT: f64 = 7.0 * 24.0 * 3600.0;

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
            let mut known = BTreeMap::new();
            for (exec_id, sealed) in shared.state.call(read).await? {
                let values = unseal(shared, &keys::sealed_for(&row.id, &exec_id), &sealed)?;
                known.insert(exec_id, Keys::from_values(values));
            }
            let with_keys: Vec<String> = known.keys().cloned().collect();
            let live = tend(shared, row, keeper, env, known).await.map_err(|e| Status::internal(e.to_string()))?;
            for exec_id in with_keys {
                keys::forget_at_end(shared, &live, exec_id);
            }
            Ok(())
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

fn unseal(shared: &Shared, row: &str, sealed: &[u8]) -> Result<Env, Status> {
    let lost = || Status::data_loss(format!("what is encrypted of {row} can't be read with the engine's key file"));
    shared.secrets.unseal(row, sealed).ok_or_else(lost)
}
