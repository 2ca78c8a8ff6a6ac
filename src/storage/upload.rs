//! The end of an upload: an object is what the *store* says it has, never what the mover says.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    bucket::Bucket,
    error::{ErrorKind, StorageError},
};
use crate::inside::mover::words::{Content, Digest, part_range};

/// Makes the object, if all its parts are there and are those that the file has.
///
/// # Errors
/// A part is missing or another one, or the requests'.
pub async fn complete(bucket: &Bucket, key: &str, upload: &str, content: &Content) -> Result<(), StorageError> {
    let action = "complete an upload";
    let parts = bucket.parts(action, key, upload).await?;
    let right = parts.len() == content.digests.len()
        && parts.iter().zip(&content.digests).zip(0..).all(|((there, digest), part)| {
            let range = part_range(content.size, part);
            there.number == part + 1
                && there.size == range.end - range.start
                // A store that keeps no digests has at least compared the one that was signed.
                && there.sha256.as_ref().is_none_or(|sha256| *sha256 == BASE64_STANDARD.encode(digest.0))
        });
    if !right {
        return Err(StorageError::new(ErrorKind::Damaged, action, format!("{key:?} is not there in all its parts")));
    }
    bucket.complete_upload(action, key, upload, parts).await
}

/// Whether an object is right; if not it is deleted. Nobody has read it: its version is not published.
///
/// # Errors
/// The requests'.
pub async fn right_or_away(bucket: &Bucket, key: &str, size: u64, digest: &Digest) -> Result<bool, StorageError> {
    let action = "look at a file that was sent";
    match bucket.holds(action, key, size, &digest.0).await? {
        Some(true) => Ok(true),
        Some(false) => bucket.delete(action, key).await.map(|()| false),
        None => Ok(false),
    }
}
