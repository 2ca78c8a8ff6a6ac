//! A save, in the order that makes it safe: claim, objects, manifest. Killed anywhere before the last, it leaves
//! nothing that a list would show.

use std::time::Duration;

use super::{
    conduit::{Mover, unexpected},
    ground::Ground,
    listing::version_of,
    sending::{Sending, Sent},
    trouble::{Patience, Trouble, interrupted, unless_stopped},
};
use crate::{
    api::{ApiError, command::Saved},
    core::{AccountId, SyncStats, VersionId},
    fault,
    inside::mover::words::{Frame, Phase},
    service::run::Run,
    storage::{
        Bucket, Keys,
        claim::claim,
        manifest::{Head, Manifest},
        survey::{Survey, head, heads, survey},
        version::{open, publish, stored},
    },
};

const WHAT: &str = "the save";

/// Saves a workspace as the account's next version.
///
/// # Errors
/// A note that is too long, a workspace in the middle of a restore, the store's, the mover's.
pub async fn save(
    bucket: &Bucket,
    account: &AccountId,
    ground: &Ground,
    note: &str,
    run: &Run,
) -> Result<Saved, ApiError> {
    let start = std::time::Instant::now();
    Head::check_note(note).map_err(ApiError::usage)?;
    let keys = Keys::new(account);
    let found = unless_stopped(&run.cancel, WHAT, survey(bucket, &keys)).await?;
    if let Some(done) = of_run(bucket, &keys, &found, run).await? {
        return Ok(done);
    }
    let mut patience = Patience::new("save the workspace");
    let mut ready = loop {
        match whole(ground).await {
            Ok(mover) => break Some(mover),
            Err(trouble) => patience.bear(trouble)?,
        }
    };
    run.step("claiming a version");
    let parent = newest(bucket, &keys, &found).await?;
    let saver = run.request_id.0;
    let base = parent.as_ref().map(|head| head.version);
    let claim = claim(bucket, &keys, &found, saver, base, ground.sandbox.clone()).await?;
    let mut sending = Sending::new(bucket, &keys, claim.version, run);
    let sent = loop {
        match send(&mut sending, ready.take(), ground, base_of(bucket, &keys, base).await).await {
            Ok(sent) => break sent,
            Err(trouble) => {
                sending.give_up().await;
                patience.bear(trouble)?;
            }
        }
    };
    run.step("checking what the store has");
    let Sent { mut records, mut stats, root, complete } = sent;
    stored(bucket, &keys, claim.version, &mut records).await?;
    if run.cancel.is_cancelled() {
        return Err(interrupted(WHAT));
    }
    let head = Head {
        parent: claim.base,
        sandbox: claim.sandbox.clone(),
        complete,
        root,
        sent: stats.bytes_transferred,
        took_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        note: note.to_owned(),
        ..Head::of(claim.version, account.clone(), claim.saver, &records)
    };
    fault::point("publishing");
    publish(bucket, &keys, &head, &records).await?;
    fault::point("published");
    stats.files_processed = head.files;
    stats.duration = start.elapsed();
    Ok(Saved { version: version_of(&head), stats })
}

async fn send(
    sending: &mut Sending<'_>,
    ready: Option<Mover>,
    ground: &Ground,
    base: Option<Manifest>,
) -> Result<Sent, Trouble> {
    let mover = match ready {
        Some(mover) => mover,
        None => ground.mover().await?,
    };
    sending.run(mover, base).await
}

/// What an earlier attempt of this command has published, before it could say so.
pub async fn saved_by(bucket: &Bucket, account: &AccountId, run: &Run) -> Result<Option<Saved>, ApiError> {
    let keys = Keys::new(account);
    let found = survey(bucket, &keys).await?;
    of_run(bucket, &keys, &found, run).await
}

async fn of_run(bucket: &Bucket, keys: &Keys, found: &Survey, run: &Run) -> Result<Option<Saved>, ApiError> {
    if run.attempts <= 1 {
        return Ok(None);
    }
    let ours = heads(bucket, keys, found).await?.into_iter().find(|head| head.saver == run.request_id.0);
    Ok(ours.map(|head| Saved {
        version: version_of(&head),
        stats: SyncStats {
            files_processed: head.files,
            bytes_transferred: head.sent,
            duration: Duration::from_millis(head.took_ms),
            // Which paths they were is not kept beside the version, only how many.
            errors: Vec::new(),
        },
    }))
}

/// The newest version that a save can be planned against. One that can't be read is none: everything is sent then.
async fn newest(bucket: &Bucket, keys: &Keys, found: &Survey) -> Result<Option<Head>, ApiError> {
    for (version, object) in found.manifests() {
        match head(bucket, keys, version, object).await {
            Ok(Some(head)) => return Ok(Some(head)),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%version, %error, "not taken as the base of a save");
                return Ok(None);
            }
        }
    }
    Ok(None)
}

async fn base_of(bucket: &Bucket, keys: &Keys, base: Option<VersionId>) -> Option<Manifest> {
    match open(bucket, keys, base?).await {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            tracing::warn!(%error, "the save is planned without a base");
            None
        }
    }
}

/// A mover on a workspace that isn't half one version and half another.
async fn whole(ground: &Ground) -> Result<Mover, Trouble> {
    let mut mover = ground.mover().await?;
    mover.send(Frame::Status).await?;
    match mover.next().await? {
        Frame::Journal { unfinished: Some(restore) } if restore.phase == Phase::Apply => {
            let target = restore.target;
            Err(ApiError::refused(format!("a restore of version {target} into this workspace is not finished"))
                .hint(format!("finish it (version restore SANDBOX {target}) or restore another version, then save"))
                .into())
        }
        Frame::Journal { .. } => Ok(mover),
        _ => Err(unexpected("a question for its journal").into()),
    }
}
