//! Keys that are withheld from a command: the proxy knows them while it runs, a row has them sealed for the next engine,
//! and both forget them at its end.

use std::sync::Arc;

use tonic::Status;

use super::{live::Live, rows};
use crate::engine::{Shared, keeper::KeeperError, proxy::Keys, spec::ExecEnd, state::StateError};

/// What a command's keys are encrypted for, so that rows can't be exchanged.
pub fn sealed_for(sandbox_id: &str, exec_id: &str) -> String {
    format!("{sandbox_id}/{exec_id}")
}

/// Makes the keys of a command known that is about to be started, to the next engine first.
///
/// # Errors
/// No randomness, or the database's.
pub async fn know(shared: &Shared, live: &Live, exec_id: &str, keys: Keys) -> Result<(), Status> {
    let (id, exec) = (live.row.id.clone(), exec_id.to_owned());
    let sealed = shared.secrets.seal(&sealed_for(&id, exec_id), &keys.to_values())?;
    shared.state.call(move |db| rows::put_keys(db, &id, &exec, &sealed)).await?;
    live.outside.know_keys(exec_id, keys);
    Ok(())
}

/// Forgets the keys of a command that has ended or did not start.
///
/// # Errors
/// The database's.
pub async fn forget(shared: &Shared, live: &Live, exec_id: &str) -> Result<(), StateError> {
    live.outside.forget_keys(exec_id);
    let (id, exec) = (live.row.id.clone(), exec_id.to_owned());
    shared.state.call(move |db| rows::delete_keys(db, &id, &exec)).await
}

/// Forgets a command's keys when it ends.
pub fn forget_at_end(shared: &Arc<Shared>, live: &Arc<Live>, exec_id: String) {
    let (shared, live) = (shared.clone(), live.clone());
    tokio::spawn(async move {
        let end = shared.sandboxes.running.unless_stopped(live.keeper.wait(&exec_id)).await;
        // An answer of any kind but a broken line is an end; the sandbox's own end takes the rest.
        let Some(Ok(ExecEnd::Code(_) | ExecEnd::Signal(_)) | Err(KeeperError::NoSuchExec)) = end else { return };
        if let Err(error) = forget(&shared, &live, &exec_id).await {
            tracing::warn!(sandbox = %live.row.id, %error, "the keys of an ended command were not forgotten");
        }
    });
}
