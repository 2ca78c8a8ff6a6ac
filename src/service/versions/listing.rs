//! Lists and names of versions.

use jiff::Timestamp;

use crate::{
    api::ApiError,
    core::{AccountId, RequestId, UnfinishedSave, Version, VersionId},
    storage::{
        Bucket, Keys,
        claim::{Claim, claims},
        manifest::Head,
        survey::{Found, Survey, head, heads, legacy, legacy_counts, survey},
    },
};

/// A version as lists show it.
pub fn version_of(head: &Head) -> Version {
    Version {
        version: head.version,
        account_id: head.account.clone(),
        created_at: time_of(head.version),
        files: head.files,
        bytes: head.bytes,
        note: head.note.clone(),
        complete: head.complete,
        left_out: head.left_out,
        legacy: false,
    }
}

fn legacy_version(account: &AccountId, version: VersionId, files: u64, bytes: u64) -> Version {
    Version {
        version,
        account_id: account.clone(),
        created_at: time_of(version),
        files,
        bytes,
        note: String::new(),
        complete: true,
        left_out: 0,
        legacy: true,
    }
}

/// A version's second. Folders of others may have numbers that are no times.
fn time_of(version: VersionId) -> Timestamp {
    i64::try_from(version.0).ok().and_then(|secs| Timestamp::from_second(secs).ok()).unwrap_or(Timestamp::MAX)
}

/// All versions, newest first.
///
/// # Errors
/// The store's.
pub async fn list(bucket: &Bucket, account: &AccountId) -> Result<Vec<Version>, ApiError> {
    let keys = Keys::new(account);
    let found = survey(bucket, &keys).await?;
    let (heads, others) = futures::try_join!(heads(bucket, &keys, &found), legacy(bucket, &keys, &found))?;
    let mut versions: Vec<Version> = heads.iter().map(version_of).collect();
    versions.extend(others.into_iter().map(|(version, files, bytes)| legacy_version(account, version, files, bytes)));
    versions.sort_by_key(|version| std::cmp::Reverse(version.version));
    Ok(versions)
}

/// Saves that claimed a second and published nothing, newest first.
///
/// # Errors
/// The store's.
pub async fn unfinished(bucket: &Bucket, account: &AccountId) -> Result<Vec<UnfinishedSave>, ApiError> {
    let keys = Keys::new(account);
    let found = survey(bucket, &keys).await?;
    let claims = claims(bucket, &keys, &found).await?;
    let save = |(version, claim): (VersionId, Option<Claim>)| UnfinishedSave {
        version,
        account_id: account.clone(),
        created_at: time_of(version),
        saver: claim.as_ref().map(|claim| RequestId(claim.saver)),
        parent: claim.as_ref().and_then(|claim| claim.base),
        sandbox_id: claim.and_then(|claim| claim.sandbox),
    };
    Ok(claims.into_iter().map(save).collect())
}

/// One version, by its seconds or `latest`, with all that is known of it.
///
/// # Errors
/// There is none of this name, or the store's.
pub async fn show(bucket: &Bucket, account: &AccountId, name: &str) -> Result<Version, ApiError> {
    let keys = Keys::new(account);
    let found = survey(bucket, &keys).await?;
    match named(bucket, account, &keys, &found, name).await? {
        Named::Saved(head) => Ok(version_of(&head)),
        Named::Legacy(version) => {
            let (files, bytes) = legacy_counts(bucket, &keys, version, true).await?.unwrap_or_default();
            Ok(legacy_version(account, version, files, bytes))
        }
    }
}

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Named {
    /// A version with a manifest.
    Saved(Box<Head>),
    /// A folder of another tool.
    Legacy(VersionId),
}

/// Finds a version by its name.
pub(super) async fn named(
    bucket: &Bucket,
    account: &AccountId,
    keys: &Keys,
    found: &Survey,
    name: &str,
) -> Result<Named, ApiError> {
    if name == "latest" {
        return latest(bucket, keys, found)
            .await?
            .ok_or_else(|| ApiError::not_found(format!("the account {account} has no versions yet")));
    }
    let version: VersionId = name.parse().map_err(ApiError::usage)?;
    let none = || {
        ApiError::not_found(format!("the account {account} has no version {version}"))
            .hint("`sandbank version list` shows those there are")
    };
    match found.find(version) {
        Some(Found::Manifest(object)) => {
            head(bucket, keys, version, object).await?.map(|head| Named::Saved(Box::new(head))).ok_or_else(none)
        }
        Some(Found::Legacy) => Ok(Named::Legacy(version)),
        Some(Found::Unfinished) => Err(ApiError::not_found(format!(
            "the save of version {version} did not finish; there is nothing to restore"
        ))
        .hint(
            "`sandbank version list` shows those that are whole; their files are still in the workspace, save again",
        )),
        None => Err(none()),
    }
}

/// The newest version that can be restored.
async fn latest(bucket: &Bucket, keys: &Keys, found: &Survey) -> Result<Option<Named>, ApiError> {
    let other = found.legacy().next();
    for (version, object) in found.manifests() {
        if other.is_some_and(|other| other > version) {
            break;
        }
        if let Some(head) = head(bucket, keys, version, object).await? {
            return Ok(Some(Named::Saved(Box::new(head))));
        }
    }
    Ok(other.map(Named::Legacy))
}
