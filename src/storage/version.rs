//! One version: its tree read, or its manifest written.

use std::{collections::HashMap, io};

use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest as _, Sha256};

use super::{
    bucket::{Bucket, Listed},
    claim::create_once,
    error::{ErrorKind, StorageError},
    keys::Keys,
    manifest::{self, Head, Holder, MAX_MANIFEST, Manifest, Record},
    survey::{AT_ONCE, all, check_head},
};
use crate::{
    core::VersionId,
    inside::mover::{
        path::{TreeCheck, compare, components, join},
        words::{Content, Digest, Entry, Kind, part_size},
    },
};

/// Modes of what other tools saved: they keep none.
const LEGACY_FILE: u32 = 0o644;
const LEGACY_FOLDER: u32 = 0o755;

/// Opens the manifest of a version.
///
/// # Errors
/// It isn't there, or isn't a manifest of that version.
pub async fn open(bucket: &Bucket, keys: &Keys, version: VersionId) -> Result<Manifest, StorageError> {
    let action = format!("read the version {version}");
    let (bytes, _) = bucket.get(&action, &keys.manifest(version), MAX_MANIFEST).await?;
    let manifest = Manifest::decode(bytes, keys.clone())
        .map_err(|e| StorageError::new(ErrorKind::Damaged, &action, e.to_string()))?;
    check_head(keys, version, &manifest.head, &action)?;
    Ok(manifest)
}

/// Publishes a version: its manifest, once.
///
/// # Errors
/// [`ErrorKind::Exists`] when the claim was fenced: somebody gave this save up.
pub async fn publish(bucket: &Bucket, keys: &Keys, head: &Head, records: &[Record]) -> Result<(), StorageError> {
    let action = format!("write the manifest of version {}", head.version);
    let bytes = manifest::encode(head, records)
        .map_err(|e: io::Error| StorageError::new(ErrorKind::Other, &action, e.to_string()))?;
    let key = keys.manifest(head.version);
    match create_once(bucket, &action, &key, bytes).await {
        Err(error) if error.kind == ErrorKind::Exists => {
            // Ours, if the answer to a first try was lost.
            let (there, _) = bucket.get_start(&action, &key, manifest::HEAD_READ).await?;
            match manifest::decode_head(&there) {
                Ok(there) if there.saver == head.saver => Ok(()),
                _ => Err(error),
            }
        }
        other => other,
    }
}

/// Looks whether the store has each file of a version of its own folder, in one list, and notes the ETags. What the
/// mover said about it counts for nothing: only requests with the right length and digest could make these objects.
///
/// # Errors
/// A file isn't there, or the list's.
pub async fn stored(
    bucket: &Bucket,
    keys: &Keys,
    version: VersionId,
    records: &mut [Record],
) -> Result<(), StorageError> {
    let action = format!("check the files of version {version}");
    let objects = all(bucket, &action, &keys.folder(version), false).await?.objects;
    let mut there: HashMap<String, (u64, String)> =
        objects.into_iter().map(|object| (object.key, (object.size, object.etag))).collect();
    for record in records {
        let (Some(key), Some(content)) = (record.key(keys), record.content()) else { continue };
        match there.remove(&key) {
            Some((size, etag)) if size == content.size => record.etag = etag,
            _ => {
                let message = format!("the store doesn't have {key:?} as it was sent");
                return Err(StorageError::new(ErrorKind::Damaged, &action, message));
            }
        }
    }
    Ok(())
}

/// The tree of a version that another tool made, from the keys of its objects. Such objects have no digest that a
/// mover could verify, so each is read once here.
///
/// # Errors
/// A key that is no path, two that exclude each other, or the requests'.
pub async fn legacy(bucket: &Bucket, keys: &Keys, version: VersionId) -> Result<Vec<Record>, StorageError> {
    let action = format!("read the version {version}");
    let damaged = |why: String| StorageError::new(ErrorKind::Damaged, &action, why);
    let objects = all(bucket, &action, &keys.folder(version), false).await?.objects;
    let mut folders = Vec::new();
    let mut files = Vec::new();
    for object in objects {
        let marker = object.key.ends_with('/');
        let name = object.key.trim_end_matches('/');
        if name.len() < keys.folder(version).len() {
            continue;
        }
        let path = keys
            .legacy_path(version, name)
            .ok_or_else(|| damaged(format!("the key {:?} is no path of a file", object.key)))?;
        let mut above = Vec::new();
        for name in components(&path) {
            if !above.is_empty() {
                folders.push(above.clone());
            }
            above = join(&above, name);
        }
        match marker {
            true => folders.push(path),
            false => files.push((path, object)),
        }
    }
    let mut records: Vec<Record> = stream::iter(files)
        .map(|(path, object)| legacy_file(bucket, &action, path, object))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    folders.sort();
    folders.dedup();
    records.extend(folders.into_iter().map(|path| record(path, Kind::Folder, LEGACY_FOLDER, None, String::new())));
    records.sort_by(|a, b| compare(&a.entry.path, &b.entry.path));
    let mut check = TreeCheck::default();
    for record in &records {
        check.push(&record.entry).map_err(|e| damaged(e.to_string()))?;
    }
    Ok(records)
}

async fn legacy_file(bucket: &Bucket, action: &str, path: Vec<u8>, object: Listed) -> Result<Record, StorageError> {
    let digests = bucket.digests(action, &object.key, object.size, part_size(object.size)).await?;
    let content = Content { size: object.size, digests, inode: None };
    Ok(record(path, Kind::File(content), LEGACY_FILE, Some(Holder::Key(object.key)), object.etag))
}

fn record(path: Vec<u8>, kind: Kind, mode: u32, holder: Option<Holder>, etag: String) -> Record {
    Record { entry: Entry { path, kind, mode, uid: 0, gid: 0, mtime_ns: 0 }, holder, etag }
}

impl Bucket {
    /// Reads an object of a known size and digests it by parts.
    async fn digests(&self, action: &str, key: &str, size: u64, part: u64) -> Result<Vec<Digest>, StorageError> {
        let mut body = self.stream(action, key).await?;
        let (mut digests, mut hash, mut read) = (Vec::new(), Sha256::new(), 0_u64);
        while let Some(piece) = body.next().await {
            let mut piece = piece?;
            while !piece.is_empty() {
                let room = part - read % part;
                let taken = piece.split_to(usize::try_from(room).unwrap_or(usize::MAX).min(piece.len()));
                hash.update(&taken);
                read += taken.len() as u64;
                if read % part == 0 {
                    digests.push(Digest(hash.finalize_reset().into()));
                }
            }
        }
        if read % part != 0 || read == 0 {
            digests.push(Digest(hash.finalize().into()));
        }
        if read != size {
            return Err(StorageError::new(ErrorKind::Damaged, action, format!("{key:?} changed while it was read")));
        }
        Ok(digests)
    }
}
