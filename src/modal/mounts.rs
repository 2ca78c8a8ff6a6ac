//! Files of this machine that appear in sandboxes: sent once by content, then named by digest.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use reqwest::StatusCode;
use sha2::Sha256;

use super::{
    connection::{Modal, PLAIN},
    error::{ErrorKind, ModalError},
};
use crate::proto::client::{
    BlobCreateRequest, MountBatchedCheckExistenceRequest, MountFile, MountGetOrCreateRequest, MountPutFileRequest,
    ObjectCreationType,
    blob_create_response::{UploadTypeOneof, UploadTypesOneof},
    mount_put_file_request::DataOneof,
};

/// Digests in one question, as Modal's clients ask.
const BATCH: usize = 64;

/// From this size on a file goes by a blob.
const INLINE: usize = 4 << 20;

/// A set of files that can be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountId(pub String);

/// One file to be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is here.
    pub source: PathBuf,
    /// Absolute path in the sandbox.
    pub target: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Permissions in the sandbox.
    pub mode: u32,
}

impl Modal {
    /// Makes a mount of files; sends those that aren't there yet. `sent` hears of each file that is uploaded.
    ///
    /// # Errors
    /// A file that can't be read or changed meanwhile, or the calls'.
    pub async fn mount(
        &self,
        app_id: &str,
        files: &[LocalFile],
        sent: &(dyn Fn(&LocalFile) + Sync),
    ) -> Result<MountId, ModalError> {
        for batch in files.chunks(BATCH) {
            let request = MountBatchedCheckExistenceRequest {
                sha256_hex_hashes: batch.iter().map(|f| f.sha256.clone()).collect(),
            };
            let action = "ask which files are there";
            let answer = self
                .call(action, PLAIN, request, |mut c, r| {
                    Box::pin(async move { c.mount_batched_check_existence(r).await })
                })
                .await?;
            for file in batch.iter().filter(|f| answer.missing_sha256_hex_hashes.contains(&f.sha256)) {
                self.send_file(file).await?;
                sent(file);
            }
        }
        let request = MountGetOrCreateRequest {
            object_creation_type: ObjectCreationType::AnonymousOwnedByApp.into(),
            app_id: app_id.to_owned(),
            environment_name: self.environment(),
            files: files
                .iter()
                .map(|f| MountFile {
                    filename: f.target.clone(),
                    sha256_hex: f.sha256.clone(),
                    size: Some(f.size),
                    mode: Some(f.mode),
                })
                .collect(),
            ..MountGetOrCreateRequest::default()
        };
        let answer = self
            .call("make a mount", PLAIN, request, |mut c, r| Box::pin(async move { c.mount_get_or_create(r).await }))
            .await?;
        Ok(MountId(answer.mount_id))
    }

    async fn send_file(&self, file: &LocalFile) -> Result<(), ModalError> {
        let action = format!("send {}", file.target);
        let fail = |message: String| ModalError::new(ErrorKind::Other, &action, message);
        let path = file.source.clone();
        let read = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::read(path)?;
            let digest = Sha256::digest(&bytes);
            Ok::<_, std::io::Error>((bytes, digest))
        });
        let (bytes, digest) = read.await.map_err(|e| fail(e.to_string()))?.map_err(|e| fail(e.to_string()))?;
        if hex::encode(digest) != file.sha256 {
            return Err(fail("the file changed while it was being sent".to_owned()));
        }
        let data = if bytes.len() < INLINE {
            DataOneof::Data(bytes)
        } else {
            DataOneof::DataBlobId(self.blob(&action, bytes, &digest).await?)
        };
        let request = MountPutFileRequest { sha256_hex: file.sha256.clone(), data_oneof: Some(data) };
        let answer =
            self.call(&action, PLAIN, request, |mut c, r| Box::pin(async move { c.mount_put_file(r).await })).await?;
        if answer.exists { Ok(()) } else { Err(fail("it was sent and is not there".to_owned())) }
    }

    /// Uploads bytes; the blob's id.
    async fn blob(&self, action: &str, bytes: Vec<u8>, sha256: &[u8]) -> Result<String, ModalError> {
        let md5 = Md5::digest(&bytes);
        let request = BlobCreateRequest {
            content_md5: STANDARD.encode(md5),
            content_sha256_base64: STANDARD.encode(sha256),
            content_length: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        };
        let answer =
            self.call(action, PLAIN, request, |mut c, r| Box::pin(async move { c.blob_create(r).await })).await?;
        // Alternatives come in order of preference, each with the id of its blob; older servers give one.
        let single = match (answer.upload_types_oneof, answer.upload_type_oneof) {
            (Some(UploadTypesOneof::UploadUrls(urls)), _) => urls.items.into_iter().next(),
            (None, Some(UploadTypeOneof::UploadUrl(url))) => Some(url),
            _ => None,
        };
        let id = answer.blob_ids.into_iter().next().unwrap_or(answer.blob_id);
        let Some(url) = single else {
            let message = "the server wants it in parts, which is needed only above 1 GiB";
            return Err(ModalError::new(ErrorKind::Unimplemented, action, message));
        };
        let bytes = bytes::Bytes::from(bytes);
        // Modal's clients try an upload 11 times, half a second and doubling apart.
        let mut pause = std::time::Duration::from_millis(500);
        for attempt in 0.. {
            let sent = self
                .http()
                .put(&url)
                .header("content-type", "application/octet-stream")
                .header("content-md5", STANDARD.encode(md5))
                .body(bytes.clone())
                .send()
                .await;
            // Of the local engine, which says what to do. A full disk stays so however often it is asked.
            let sent = match sent {
                Ok(no) if no.status() == StatusCode::INSUFFICIENT_STORAGE => {
                    return Err(ModalError::new(ErrorKind::Exhausted, action, no.text().await.unwrap_or_default()));
                }
                sent => sent.and_then(reqwest::Response::error_for_status),
            };
            match sent {
                Ok(response) => {
                    let etag = response.headers().get("etag").and_then(|v| v.to_str().ok()).unwrap_or_default();
                    if etag.trim_matches('"') == hex::encode(md5) {
                        break;
                    }
                    let message = "what arrived is not what was sent";
                    return Err(ModalError::new(ErrorKind::Other, action, message));
                }
                Err(error) if attempt < 10 && error.status().is_none_or(|s| s.is_server_error()) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                // The address is signed: it must not stand in an error.
                Err(error) => {
                    return Err(ModalError::new(ErrorKind::Unavailable, action, error.without_url().to_string()));
                }
            }
        }
        Ok(id)
    }
}
