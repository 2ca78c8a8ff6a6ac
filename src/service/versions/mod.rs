//! Saving a workspace as a version, listing versions, restoring one.
//!
//! The bytes go between sandbox and store; here it is decided which, and seen to that what was decided has happened.
//! [`save()`] and [`restore()`] are the whole of it for a place's sandbox; what they do is in `save.rs` and
//! `restore.rs`, for any [`Ground`] that a mover can work on.

mod conduit;
mod errors;
mod gaps;
mod ground;
mod listing;
mod restore;
mod save;
mod sending;
mod trouble;

pub use conduit::{Conduit, Input};
pub use ground::Ground;
pub use restore::Wish;

use super::{place::Place, run::Run};
use crate::{
    api::{
        ApiError,
        command::{Changes, Saved},
    },
    core::{AccountId, ExecId, UnfinishedSave, Version},
    modal::{ExecExit, ExecRequest, Modal, Sandbox},
    storage::Bucket,
};

/// A workspace as a sandbox has it.
#[derive(Debug, Clone, Copy)]
pub struct Workspace<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// Where its volume is mounted.
    pub root: &'a str,
}

impl Workspace<'_> {
    fn ground(&self) -> Ground {
        Ground::sandbox(self.sandbox, self.root)
    }
}

/// Saves a sandbox's workspace as the next version of its account.
///
/// # Errors
/// Why it could not be saved; no version was made then.
pub async fn save(
    place: &Place,
    workspace: &Workspace<'_>,
    account: &AccountId,
    note: &str,
    run: &Run,
) -> Result<Saved, ApiError> {
    commit(workspace, run).await;
    save_on(&place.bucket, account, &workspace.ground(), note, run).await
}

/// What an earlier attempt of this command saved, if a server died between that and its end.
///
/// # Errors
/// The store's.
pub async fn saved_by(place: &Place, account: &AccountId, run: &Run) -> Result<Option<Saved>, ApiError> {
    save::saved_by(&place.bucket, account, run).await
}

/// Makes a sandbox's workspace exactly what a version was, or tells what would change. Then the account's other
/// sandboxes are shown it.
///
/// # Errors
/// Why it could not be restored. The workspace is untouched then, unless the error says so.
pub async fn restore(
    place: &Place,
    workspace: &Workspace<'_>,
    account: &AccountId,
    wish: Wish<'_>,
    run: &Run,
) -> Result<Changes, ApiError> {
    let mut done = restore_on(&place.bucket, account, &workspace.ground(), wish, run).await?;
    if !wish.dry_run {
        done.errors.extend(commit(workspace, run).await);
        done.errors.extend(reload_others(&place.modal, workspace.sandbox, account).await);
    }
    Ok(done)
}

/// Shows the account's other sandboxes what was committed. Gives those that can't be shown it: one that has files open
/// refuses.
async fn reload_others(modal: &Modal, sandbox: &Sandbox, account: &AccountId) -> Vec<String> {
    let running = async { modal.sandboxes(&modal.app(&account.app()).await?, false).await };
    let others = match running.await {
        Ok(rows) => rows.into_iter().filter(|row| row.end.is_none() && row.id != sandbox.id),
        Err(error) => return vec![format!("other sandboxes may still see the files of before: {error}")],
    };
    let mut behind = Vec::new();
    for other in others {
        if let Err(error) = modal.sandbox(&other.id).reload_volumes().await {
            behind.push(format!("{} still sees the files of before: {error}", other.id));
        }
    }
    behind
}

/// All versions of an account, newest first.
///
/// # Errors
/// The store's.
pub async fn list(place: &Place, account: &AccountId) -> Result<Vec<Version>, ApiError> {
    listing::list(&place.bucket, account).await
}

/// Saves that have not ended, newest first.
///
/// # Errors
/// The store's.
pub async fn unfinished(place: &Place, account: &AccountId) -> Result<Vec<UnfinishedSave>, ApiError> {
    listing::unfinished(&place.bucket, account).await
}

/// One version by its seconds or `latest`.
///
/// # Errors
/// There is none, or the store's.
pub async fn show(place: &Place, account: &AccountId, name: &str) -> Result<Version, ApiError> {
    listing::show(&place.bucket, account, name).await
}

/// [`list`] in a bucket.
///
/// # Errors
/// The store's.
pub async fn list_in(bucket: &Bucket, account: &AccountId) -> Result<Vec<Version>, ApiError> {
    listing::list(bucket, account).await
}

/// [`unfinished`] in a bucket.
///
/// # Errors
/// The store's.
pub async fn unfinished_in(bucket: &Bucket, account: &AccountId) -> Result<Vec<UnfinishedSave>, ApiError> {
    listing::unfinished(bucket, account).await
}

/// [`show`] in a bucket.
///
/// # Errors
/// There is none, or the store's.
pub async fn show_in(bucket: &Bucket, account: &AccountId, name: &str) -> Result<Version, ApiError> {
    listing::show(bucket, account, name).await
}

/// [`save()`] from any ground.
///
/// # Errors
/// As there.
pub async fn save_on(
    bucket: &Bucket,
    account: &AccountId,
    ground: &Ground,
    note: &str,
    run: &Run,
) -> Result<Saved, ApiError> {
    save::save(bucket, account, ground, note, run).await
}

/// [`restore()`] on any ground.
///
/// # Errors
/// As there.
pub async fn restore_on(
    bucket: &Bucket,
    account: &AccountId,
    ground: &Ground,
    wish: Wish<'_>,
    run: &Run,
) -> Result<Changes, ApiError> {
    restore::restore(bucket, account, ground, wish, run).await
}

/// Commits the workspace's volume, as Modal's V2 volumes want it. A failure is told, given back and nothing more: the
/// mover reads and writes the sandbox's own view, and the volume is committed at the sandbox's end in any case.
async fn commit(workspace: &Workspace<'_>, run: &Run) -> Option<String> {
    run.step("committing the workspace");
    let committed = async {
        let exec = workspace.sandbox.exec(&ExecRequest::new(ExecId::new(), ["sync", workspace.root])).await?;
        exec.wait().await
    };
    let failed = match committed.await {
        Ok(ExecExit::Code(0)) => return None,
        Ok(exit) => format!("the workspace is not committed: sync ended with {}", exit.code()),
        Err(error) => format!("the workspace is not committed: {error}"),
    };
    run.step(&failed);
    Some(failed)
}
