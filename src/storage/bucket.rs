//! The client of the bucket: the few S3 operations that versions need, each with what failed on what.

use std::{fmt, sync::Arc};

use aws_sdk_s3::{
    Client,
    operation::get_object::{GetObjectOutput, builders::GetObjectFluentBuilder},
    primitives::ByteStream,
    types::ChecksumMode,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::stream::BoxStream;
use sha2::{Digest, Sha256};

use super::{
    connection::Connection,
    error::{ErrorKind, StorageError},
    heads::Heads,
    presign::Signer,
};
use crate::{
    config::S3Access,
    inside::mover::{
        http::{Fault, Hope, Http, repeat},
        words::Request,
    },
};

/// A bucket of versions, with keys of its own. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    store: Connection,
    http: Http,
    heads: Heads,
}

/// Keys stay unshown.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.inner.name)
    }
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size.
    pub size: u64,
    /// Its ETag, as the store writes it.
    pub etag: String,
}

/// One page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Objects.
    pub objects: Vec<Listed>,
    /// Folders, when the list is of one folder only.
    pub folders: Vec<String>,
    /// What the next page begins with; `None` after the last.
    pub next: Option<String>,
}

impl Bucket {
    /// A client of a bucket. Without keys in `access`, AWS's own chain is asked for some.
    ///
    /// # Errors
    /// No keys, or no place that such a bucket could be at.
    pub async fn new(access: S3Access) -> Result<Self, StorageError> {
        let store = Connection::new(&access).await?;
        let inner = Inner { name: access.bucket, store, http: Http::default(), heads: Heads::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Seconds since 1970 by the store's clock.
    pub fn now(&self) -> u64 {
        self.inner.store.clock.now()
    }

    /// A maker of URLs for this moment.
    ///
    /// # Errors
    /// No keys.
    pub async fn signer(&self) -> Result<Signer, StorageError> {
        let store = &self.inner.store;
        Ok(Signer {
            bucket: self.inner.name.clone(),
            base: store.base.clone(),
            region: store.region.clone(),
            credentials: store.keys("sign URLs").await?,
            now: store.clock.time(),
        })
    }

    /// The SDK's client, for requests that have a file of their own.
    pub(super) fn client(&self) -> &Client {
        &self.inner.store.client
    }

    /// Heads of its manifests that were read before.
    pub(super) fn heads(&self) -> &Heads {
        &self.inner.heads
    }

    /// Reads a whole object of at most `limit` bytes, with its ETag.
    ///
    /// # Errors
    /// It isn't there, is longer, or the request's.
    pub async fn get(&self, action: &str, key: &str, limit: u64) -> Result<(Bytes, String), StorageError> {
        let answer = self.object(key).send().await.map_err(|e| StorageError::from_sdk(action, &e))?;
        let length = answer.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX);
        if length > limit {
            let message = format!("it has {length} bytes; at most {limit} are allowed");
            return Err(StorageError::new(ErrorKind::Damaged, action, message));
        }
        body(action, answer).await
    }

    /// Reads the first bytes of an object.
    ///
    /// # Errors
    /// It isn't there, or the request's.
    pub async fn get_start(&self, action: &str, key: &str, bytes: u64) -> Result<(Bytes, String), StorageError> {
        let range = format!("bytes=0-{}", bytes.saturating_sub(1));
        let answer = self.object(key).range(range).send().await.map_err(|e| StorageError::from_sdk(action, &e))?;
        body(action, answer).await
    }

    /// Reads an object piece by piece.
    pub(super) async fn stream(
        &self,
        action: &str,
        key: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        let answer = self.object(key).send().await.map_err(|e| StorageError::from_sdk(action, &e))?;
        let broken = broken(action);
        Ok(Box::pin(futures::stream::try_unfold(answer.body, move |mut body| {
            let broken = broken.clone();
            async move { Ok(body.try_next().await.map_err(|_| broken)?.map(|piece| (piece, body))) }
        })))
    }

    fn object(&self, key: &str) -> GetObjectFluentBuilder {
        self.client().get_object().bucket(self.name()).key(key)
    }

    /// Writes an object that isn't there yet.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`], also when this very request was repeated after a lost answer; or the request's.
    pub async fn create(&self, action: &str, key: &str, content: Bytes) -> Result<(), StorageError> {
        let digest = BASE64_STANDARD.encode(Sha256::digest(&content));
        self.client()
            .put_object()
            .bucket(self.name())
            .key(key)
            .if_none_match("*")
            .checksum_sha256(digest)
            .body(ByteStream::from(content))
            .send()
            .await
            .map(drop)
            .map_err(|e| StorageError::from_sdk(action, &e))
    }

    /// Whether an object is this content; `None` if there is none. A store that keeps no digest holds nothing for sure.
    ///
    /// # Errors
    /// The request's.
    pub async fn holds(&self, action: &str, key: &str, size: u64, digest: &[u8]) -> Result<Option<bool>, StorageError> {
        let head = self.client().head_object().bucket(self.name()).key(key).checksum_mode(ChecksumMode::Enabled);
        match head.send().await.map_err(|e| StorageError::from_sdk(action, &e)) {
            Ok(there) => {
                let same = there.content_length().and_then(|n| u64::try_from(n).ok()) == Some(size)
                    && there.checksum_sha256() == Some(BASE64_STANDARD.encode(digest).as_str());
                Ok(Some(same))
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes an object, if it is there.
    ///
    /// # Errors
    /// The request's.
    pub async fn delete(&self, action: &str, key: &str) -> Result<(), StorageError> {
        let delete = self.client().delete_object().bucket(self.name()).key(key);
        delete.send().await.map(drop).map_err(|e| StorageError::from_sdk(action, &e))
    }

    /// Copies an object inside the bucket, by a request of [`Signer::copy`]. A version has thousands of copies, and
    /// the SDK's own work for one takes longer than the store's.
    ///
    /// # Errors
    /// It is gone or another one ([`ErrorKind::Exists`], [`ErrorKind::Unsupported`]), or the request's.
    pub async fn copy(&self, action: &str, request: &Request) -> Result<(), StorageError> {
        repeat(|| self.inner.http.copy(request)).await.map_err(|Fault { hope, reason }| {
            let kind = match hope {
                Hope::Exists => ErrorKind::Exists,
                Hope::Refused => ErrorKind::Unsupported,
                Hope::NewUrl => ErrorKind::Denied,
                Hope::Repeat => ErrorKind::Unavailable,
                Hope::None => ErrorKind::Other,
            };
            StorageError::new(kind, action, reason)
        })
    }

    /// One page of what begins with a prefix; of one folder only when `flat`.
    ///
    /// # Errors
    /// The request's.
    pub async fn list(
        &self,
        action: &str,
        prefix: &str,
        flat: bool,
        from: Option<String>,
    ) -> Result<Page, StorageError> {
        let answer = self
            .client()
            .list_objects_v2()
            .bucket(self.name())
            .prefix(prefix)
            .set_delimiter(flat.then(|| "/".to_owned()))
            .set_continuation_token(from)
            .send()
            .await
            .map_err(|e| StorageError::from_sdk(action, &e))?;
        let objects = answer
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|o| {
                let size = o.size.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
                Some(Listed { key: o.key?, size, etag: o.e_tag.unwrap_or_default() })
            })
            .collect();
        let folders = answer.common_prefixes.unwrap_or_default().into_iter().filter_map(|p| p.prefix).collect();
        let next = answer.is_truncated.unwrap_or(false).then_some(answer.next_continuation_token).flatten();
        Ok(Page { objects, folders, next })
    }
}

async fn body(action: &str, answer: GetObjectOutput) -> Result<(Bytes, String), StorageError> {
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let bytes = answer.body.collect().await.map_err(|_| broken(action))?;
    Ok((bytes.into_bytes(), etag))
}

fn broken(action: &str) -> StorageError {
    StorageError::new(ErrorKind::Unavailable, action, "the store's answer broke off before its end")
}
