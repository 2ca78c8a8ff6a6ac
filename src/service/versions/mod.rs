//! Saving a workspace as a version, listing versions, restoring one.
//!
//! The bytes go between sandbox and store; here it is decided which, and seen to that what was decided has happened.
//! [`save()`] and [`restore()`] are the whole of it for a place's sandbox; what they do is in `save.rs` and
//! `restore.rs`, for any [`Ground`] that a mover can work on.

mod conduit;
mod ground;
mod listing;
mod restore;
mod save;
mod sending;
mod trouble;

pub use conduit::{Conduit, Input};
pub use ground::Ground;

use super::{place::Place, run::Run};
use crate::{
    api::{
        ApiError,
        command::{Changes, Saved},
    },
    core::{AccountId, ExecId, Version, WORKSPACE},
    modal::{ExecExit, ExecRequest, Modal, Sandbox},
    storage::Bucket,
};

/// Saves a sandbox's workspace as the next version of its account.
///
/// # Errors
/// Why it could not be saved; no version was made then.
pub async fn save(
    place: &Place,
    sandbox: &Sandbox,
    account: &AccountId,
    note: &str,
    run: &Run,
) -> Result<Saved, ApiError> {
    commit(sandbox, run).await;
    save_on(&place.bucket, account, &Ground::sandbox(sandbox), note, run).await
}

/// Makes a sandbox's workspace exactly what a version was, or tells what would change. Then the account's other
/// sandboxes are shown it.
///
/// # Errors
/// Why it could not be restored. The workspace is untouched then, unless the error says so.
pub async fn restore(
    place: &Place,
    sandbox: &Sandbox,
    account: &AccountId,
    version: &str,
    dry_run: bool,
    run: &Run,
) -> Result<Changes, ApiError> {
    let done = restore_on(&place.bucket, account, &Ground::sandbox(sandbox), version, dry_run, run).await?;
    if !dry_run {
        commit(sandbox, run).await;
        reload_others(&place.modal, sandbox, account, run).await;
    }
    Ok(done)
}

/// Shows the account's other sandboxes what was committed. One that has files open refuses, and is told as a step.
async fn reload_others(modal: &Modal, sandbox: &Sandbox, account: &AccountId, run: &Run) {
    let running = async { modal.sandboxes(&modal.app(&account.app()).await?, false).await };
    let others = match running.await {
        Ok(rows) => rows.into_iter().filter(|row| row.end.is_none() && row.id != sandbox.id),
        Err(error) => return run.step(&format!("other sandboxes may still see the files of before: {error}")),
    };
    for other in others {
        if let Err(error) = modal.sandbox(&other.id).reload_volumes().await {
            run.step(&format!("{} still sees the files of before: {error}", other.id));
        }
    }
}

/// All versions of an account, newest first.
///
/// # Errors
/// The store's.
pub async fn list(place: &Place, account: &AccountId) -> Result<Vec<Version>, ApiError> {
    listing::list(&place.bucket, account).await
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
    version: &str,
    dry_run: bool,
    run: &Run,
) -> Result<Changes, ApiError> {
    restore::restore(bucket, account, ground, version, dry_run, run).await
}

/// Commits the workspace's volume, as Modal's V2 volumes want it. A failure is told and nothing more: the mover reads
/// and writes the sandbox's own view, and the volume is committed at the sandbox's end in any case.
async fn commit(sandbox: &Sandbox, run: &Run) {
    run.step("committing the workspace");
    let committed = async {
        let exec = sandbox.exec(&ExecRequest::new(ExecId::new(), ["sync", WORKSPACE])).await?;
        exec.wait().await
    };
    match committed.await {
        Ok(ExecExit::Code(0)) => {}
        Ok(exit) => run.step(&format!("the workspace is not committed: sync ended with {}", exit.code())),
        Err(error) => run.step(&format!("the workspace is not committed: {error}")),
    }
}
