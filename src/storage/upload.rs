//! What is sent, and what came of it: an object is what the *store* says it has, never what the mover says.

use std::fmt;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    bucket::Bucket,
    error::{ErrorKind, StorageError},
};
use crate::inside::mover::words::{Content, Digest, part_range};

/// An upload in parts that has begun. Cheap to clone.
#[derive(Clone)]
pub struct Upload {
    bucket: Bucket,
    key: String,
    id: String,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({:?})", self.key)
    }
}

/// A part, as the store has it.
struct Part {
    number: u32,
    size: u64,
    etag: String,
    /// If the store kept it.
    sha256: Option<String>,
}

impl Upload {
    /// Begins an upload of an object. Its parts have digests.
    ///
    /// # Errors
    /// The request's.
    pub async fn begin(bucket: &Bucket, key: String) -> Result<Self, StorageError> {
        let action = "begin an upload";
        let answer = bucket
            .client()
            .create_multipart_upload()
            .bucket(bucket.name())
            .key(&key)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .send()
            .await
            .map_err(|e| StorageError::from_sdk(action, &e))?;
        match answer.upload_id {
            Some(id) => Ok(Self { bucket: bucket.clone(), key, id }),
            None => Err(StorageError::new(ErrorKind::Other, action, "the store gave no id for the upload")),
        }
    }

    /// The store's name for it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes the object, if all its parts are there and are those that the file has.
    ///
    /// # Errors
    /// A part is missing or another one, or the requests'.
    pub async fn complete(&self, content: &Content) -> Result<(), StorageError> {
        let action = "complete an upload";
        let parts = self.parts(action).await?;
        let right = parts.len() == content.digests.len()
            && parts.iter().zip(&content.digests).zip(0..).all(|((there, digest), part)| {
                let range = part_range(content.size, part);
                there.number == part + 1
                    && there.size == range.end - range.start
                    // A store that keeps no digests has at least compared the one that was signed.
                    && there.sha256.as_ref().is_none_or(|sha256| *sha256 == BASE64_STANDARD.encode(digest.0))
            });
        if !right {
            let message = format!("{:?} is not there in all its parts", self.key);
            return Err(StorageError::new(ErrorKind::Damaged, action, message));
        }
        let parts = parts.into_iter().map(|part| {
            CompletedPart::builder()
                .set_part_number(part.number.try_into().ok())
                .e_tag(part.etag)
                .set_checksum_sha256(part.sha256)
                .build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let request = self.bucket.client().complete_multipart_upload().bucket(self.bucket.name()).key(&self.key);
        let answer = request.upload_id(&self.id).multipart_upload(parts).send().await;
        answer.map(drop).map_err(|e| StorageError::from_sdk(action, &e))
    }

    /// All parts that the store has, in order.
    async fn parts(&self, action: &str) -> Result<Vec<Part>, StorageError> {
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let request = self.bucket.client().list_parts().bucket(self.bucket.name()).key(&self.key);
            let answer = request
                .upload_id(&self.id)
                .set_part_number_marker(marker.take())
                .send()
                .await
                .map_err(|e| StorageError::from_sdk(action, &e))?;
            parts.extend(answer.parts.unwrap_or_default().into_iter().filter_map(|part| {
                Some(Part {
                    number: part.part_number?.try_into().ok()?,
                    size: part.size?.try_into().ok()?,
                    etag: part.e_tag?,
                    sha256: part.checksum_sha256,
                })
            }));
            match (answer.is_truncated, answer.next_part_number_marker) {
                (Some(true), Some(next)) => marker = Some(next),
                _ => return Ok(parts),
            }
        }
    }

    /// Gives it up: the store deletes its parts. What could not be given up is left there, and logged.
    pub async fn abort(&self) {
        let request = self.bucket.client().abort_multipart_upload().bucket(self.bucket.name()).key(&self.key);
        if let Err(error) = request.upload_id(&self.id).send().await {
            let error = StorageError::from_sdk("give up an upload", &error);
            tracing::warn!(%error, "an upload is left in the store");
        }
    }
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
