//! The claim: the first object of a save. It takes a second for good, so that no two savers ever write into one
//! folder, and no folder is ever written to again.
//!
//! An unfinished save has a claim and no manifest. Its multipart uploads are not named in it, since a claim is never
//! written twice: the store lists them by the folder's prefix.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    bucket::Bucket,
    error::{ErrorKind, StorageError},
    keys::Keys,
    survey::{AT_ONCE, Survey},
};
use crate::core::{SandboxId, VersionId};

/// Longest claim that is read.
const MAX_CLAIM: u64 = 64 << 10;

/// Savers of one account that may claim at the same moment; each takes the next second.
const MAX_TRIES: u32 = 100;

/// Repetitions of a write that meets another one (409).
const MAX_BUSY: u32 = 6;

/// A second that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The second.
    pub version: VersionId,
    /// Which save has it.
    pub saver: Uuid,
    /// The version that it is planned against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<VersionId>,
    /// Whose workspace is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxId>,
}

/// Claims the next second.
///
/// # Errors
/// The store's.
pub async fn claim(
    bucket: &Bucket,
    keys: &Keys,
    survey: &Survey,
    saver: Uuid,
    base: Option<VersionId>,
    sandbox: Option<SandboxId>,
) -> Result<Claim, StorageError> {
    let after = survey.newest_known().map_or(0, |newest| newest.0.saturating_add(1));
    let mut claim = Claim { version: VersionId(bucket.now().max(after)), saver, base, sandbox };
    for _ in 0..MAX_TRIES {
        if create(bucket, keys, &claim).await? {
            return Ok(claim);
        }
        claim.version.0 += 1;
    }
    Err(StorageError::new(ErrorKind::Busy, "claim a version", "too many others are saving at this moment"))
}

/// Whether the second is ours now.
async fn create(bucket: &Bucket, keys: &Keys, claim: &Claim) -> Result<bool, StorageError> {
    let action = format!("claim the version {}", claim.version);
    let key = keys.claim(claim.version);
    let json = serde_json::to_vec(claim).map_err(|e| StorageError::new(ErrorKind::Other, &action, e.to_string()))?;
    match create_once(bucket, &action, &key, json.into()).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind == ErrorKind::Exists => {
            // It may be our own: the answer to a first try was lost, and the client repeated it.
            let (there, _) = bucket.get(&action, &key, MAX_CLAIM).await?;
            Ok(serde_json::from_slice::<Claim>(&there).is_ok_and(|there| there.saver == claim.saver))
        }
        Err(error) => Err(error),
    }
}

/// The claims of all unfinished saves, newest first; nothing for one that can't be read: it counts all the same.
///
/// # Errors
/// The store can't be reached.
pub async fn claims(
    bucket: &Bucket,
    keys: &Keys,
    survey: &Survey,
) -> Result<Vec<(VersionId, Option<Claim>)>, StorageError> {
    let unfinished: Vec<_> = survey.unfinished().collect();
    stream::iter(unfinished)
        .map(|version| async move {
            match bucket.get(&format!("read the claim {version}"), &keys.claim(version), MAX_CLAIM).await {
                Ok((claim, _)) => Ok((version, serde_json::from_slice(&claim).ok())),
                Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::NotFound) => Ok((version, None)),
                Err(error) => Err(error),
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// Creates an object; repeats what meets another writer, since that one may fail.
pub(super) async fn create_once(
    bucket: &Bucket,
    action: &str,
    key: &str,
    content: bytes::Bytes,
) -> Result<(), StorageError> {
    let mut busy = 0;
    loop {
        match bucket.create(action, key, content.clone()).await {
            Err(error) if error.kind == ErrorKind::Busy && busy < MAX_BUSY => {
                tokio::time::sleep(Duration::from_millis(20) * 2_u32.pow(busy)).await;
                busy += 1;
            }
            other => return other,
        }
    }
}
