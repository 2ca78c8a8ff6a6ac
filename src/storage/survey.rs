//! Which versions an account has: what lies in its folder of the bucket.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    bucket::{Bucket, Listed},
    error::{ErrorKind, StorageError},
    keys::{Control, Keys},
    manifest::{self, HEAD_READ, Head, Kind},
};
use crate::core::VersionId;

/// Requests at a time when many small things are read.
pub(super) const AT_ONCE: usize = 32;

/// The names of an account's versions, by what is there of each.
#[derive(Debug, Default)]
pub struct Survey {
    claims: BTreeSet<VersionId>,
    manifests: BTreeMap<VersionId, Listed>,
    folders: BTreeSet<VersionId>,
}

/// Looks at what an account has: one list of claims and manifests, one of folders.
///
/// # Errors
/// The lists'.
pub async fn survey(bucket: &Bucket, keys: &Keys) -> Result<Survey, StorageError> {
    let action = format!("list the versions in the bucket {}", bucket.name());
    let (control, root) = (keys.control(), keys.root());
    let (objects, folders) =
        futures::try_join!(all(bucket, &action, &control, false), all(bucket, &action, root, true))?;
    let mut survey = Survey::default();
    for object in objects.objects {
        match keys.control_of(&object.key) {
            Some(Control::Claim(version)) => {
                survey.claims.insert(version);
            }
            Some(Control::Manifest(version)) => {
                survey.manifests.insert(version, object);
            }
            None => {}
        }
    }
    survey.folders = folders.folders.iter().filter_map(|folder| keys.version_of(folder)).collect();
    Ok(survey)
}

/// All pages of a list.
pub(super) async fn all(
    bucket: &Bucket,
    action: &str,
    prefix: &str,
    flat: bool,
) -> Result<super::bucket::Page, StorageError> {
    let mut whole = bucket.list(action, prefix, flat, None).await?;
    while let Some(next) = whole.next.take() {
        let page = bucket.list(action, prefix, flat, Some(next)).await?;
        whole.objects.extend(page.objects);
        whole.folders.extend(page.folders);
        whole.next = page.next;
    }
    Ok(whole)
}

impl Survey {
    /// The newest second that anything knows of; no later save may take an older one.
    pub fn newest_known(&self) -> Option<VersionId> {
        let newest = [self.claims.last(), self.manifests.keys().next_back(), self.folders.last()];
        newest.into_iter().flatten().max().copied()
    }

    /// Versions with a manifest (or a tombstone), newest first.
    pub fn manifests(&self) -> impl Iterator<Item = (VersionId, &Listed)> {
        self.manifests.iter().rev().map(|(version, object)| (*version, object))
    }

    /// Folders of other tools: a number, without claim, manifest or tombstone. Newest first.
    pub fn legacy(&self) -> impl Iterator<Item = VersionId> {
        let ours = |v: &VersionId| self.claims.contains(v) || self.manifests.contains_key(v);
        self.folders.iter().rev().filter(move |v| !ours(v)).copied()
    }

    /// Saves that did not end, or have not ended yet.
    pub fn unfinished(&self) -> impl Iterator<Item = VersionId> {
        self.claims.iter().rev().filter(|v| !self.manifests.contains_key(v)).copied()
    }

    /// What is there of one version.
    pub fn find(&self, version: VersionId) -> Option<Found<'_>> {
        match self.manifests.get(&version) {
            Some(object) => Some(Found::Manifest(object)),
            None if self.claims.contains(&version) => Some(Found::Unfinished),
            None => self.folders.contains(&version).then_some(Found::Legacy),
        }
    }
}

/// What is there of a version.
#[derive(Debug)]
pub enum Found<'a> {
    /// A manifest, or a tombstone.
    Manifest(&'a Listed),
    /// A claim alone.
    Unfinished,
    /// Objects alone.
    Legacy,
}

/// The head of a version, from the memory of the bucket or by one small request. `None` for a tombstone.
///
/// # Errors
/// It can't be read, or isn't the head of that version.
pub async fn head(
    bucket: &Bucket,
    keys: &Keys,
    version: VersionId,
    object: &Listed,
) -> Result<Option<Head>, StorageError> {
    let head = match bucket.heads().get(&object.key, &object.etag) {
        Some(head) => head,
        None => {
            let action = format!("read the version {version}");
            let (start, etag) = bucket.get_start(&action, &object.key, HEAD_READ).await?;
            let head = manifest::decode_head(&start)
                .map_err(|e| StorageError::new(ErrorKind::Damaged, &action, e.to_string()))?;
            check_head(keys, version, &head, &action)?;
            bucket.heads().put(&object.key, etag, head.clone());
            head
        }
    };
    Ok((head.kind != Kind::Tombstone).then_some(head))
}

/// A manifest says whose it is, so that one that was copied to another place is not taken for what it isn't.
pub(super) fn check_head(keys: &Keys, version: VersionId, head: &Head, action: &str) -> Result<(), StorageError> {
    if head.version != version || Keys::new(&head.account).root() != keys.root() {
        let message = format!("it is the manifest of version {} of {}", head.version, head.account);
        return Err(StorageError::new(ErrorKind::Damaged, action, message));
    }
    Ok(())
}

/// Heads of all versions, newest first. One that can't be read is left out with a line in the log: it must not hide
/// the others.
///
/// # Errors
/// The store can't be reached.
pub async fn heads(bucket: &Bucket, keys: &Keys, survey: &Survey) -> Result<Vec<Head>, StorageError> {
    let manifests: Vec<_> = survey.manifests().map(|(version, object)| (version, object.clone())).collect();
    stream::iter(manifests)
        .map(|(version, object)| async move {
            match head(bucket, keys, version, &object).await {
                Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::NotFound) => {
                    tracing::warn!(%version, %error, "a version is left out of the list");
                    Ok(None)
                }
                other => other,
            }
        })
        .buffered(AT_ONCE)
        .try_filter_map(async |head| Ok(head))
        .try_collect()
        .await
}

/// Files and bytes of a version of another tool, if one page of a list tells; else only the page's.
///
/// # Errors
/// The list's.
pub async fn legacy_counts(
    bucket: &Bucket,
    keys: &Keys,
    version: VersionId,
    whole: bool,
) -> Result<Option<(u64, u64)>, StorageError> {
    let action = format!("list the files of version {version}");
    let folder = keys.folder(version);
    let page = match whole {
        true => all(bucket, &action, &folder, false).await?,
        false => bucket.list(&action, &folder, false, None).await?,
    };
    if page.next.is_some() {
        return Ok(None);
    }
    let files = page.objects.iter().filter(|o| !o.key.ends_with('/'));
    Ok(Some(files.fold((0, 0), |(files, bytes), o| (files + 1, bytes + o.size))))
}

/// Files and bytes of all versions of other tools, newest first; (0, 0) for those that one page doesn't tell.
///
/// # Errors
/// The lists'.
pub async fn legacy(bucket: &Bucket, keys: &Keys, survey: &Survey) -> Result<Vec<(VersionId, u64, u64)>, StorageError> {
    stream::iter(survey.legacy())
        .map(|version| async move {
            let (files, bytes) = legacy_counts(bucket, keys, version, false).await?.unwrap_or_default();
            Ok((version, files, bytes))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}
