//! The client of the bucket: the few S3 operations that versions need, each with what failed on what.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::BehaviorVersion;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, ConfigBag, Intercept, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        RuntimeComponents,
        endpoint::{DefaultResolver, Params, ResolveEndpoint},
        interceptors::BeforeTransmitInterceptorContextMut,
        retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::BoxError,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::stream::BoxStream;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::{
    clock::StoreClock,
    error::{ErrorKind, StorageError},
    manifest::Head,
    presign::Signer,
};
use crate::{
    config::S3Access,
    inside::mover::{
        http::{Fault, Hope, Http, repeat},
        words::Request,
    },
};

/// S3 answers the longest of our requests, a copy of 5 GB, within a minute or so.
const ATTEMPT: Duration = Duration::from_secs(120);

/// What AWS's own tools take.
const ATTEMPTS: u32 = 5;

/// Region of signatures for stores that have none.
const NO_REGION: &str = "us-east-1";

/// Heads of manifests that are kept: 2 KiB each at most, and more than anybody's versions.
const MAX_HEADS: usize = 20_000;

/// Says who asks. The engine's store tells its own server from other programs by it.
#[derive(Debug)]
struct OurName;

impl Intercept for OurName {
    fn name(&self) -> &'static str {
        "OurName"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Not signed, so it may be set last.
        let name = concat!("sandbank/", env!("CARGO_PKG_VERSION"));
        context.request_mut().headers_mut().insert("user-agent", name);
        Ok(())
    }
}

/// A bucket of versions, with keys of its own. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    client: Client,
    credentials: SharedCredentialsProvider,
    region: String,
    /// Where its objects are: scheme, host, and the bucket if it stands in the path.
    base: String,
    clock: StoreClock,
    http: Http,
    /// Headers of manifests by key and ETag, which never change.
    heads: Mutex<HashMap<(String, String), Head>>,
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

/// A part of an upload, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedPart {
    /// Its number, from 1.
    pub number: u32,
    /// Its size.
    pub size: u64,
    /// Its ETag.
    pub etag: String,
    /// Its digest, if the store kept it.
    pub sha256: Option<String>,
}

impl Bucket {
    /// A client of a bucket. Without keys in `access`, AWS's own chain is asked for some.
    ///
    /// # Errors
    /// No keys, or no place that such a bucket could be at.
    pub async fn new(access: S3Access) -> Result<Self, StorageError> {
        let action = format!("open the bucket {}", access.bucket);
        let clock = StoreClock::default();
        let (config, credentials, region) = match &access.keys {
            Some((id, secret, token)) => {
                let token = token.as_ref().map(|t| t.expose_secret().to_owned());
                let keys = Credentials::new(id, secret.expose_secret(), token, None, "sandbank");
                let region = access.region.clone().unwrap_or_else(|| NO_REGION.to_owned());
                (
                    Builder::new().behavior_version(BehaviorVersion::latest()),
                    SharedCredentialsProvider::new(keys),
                    region,
                )
            }
            None => {
                let mut chain = aws_config::defaults(BehaviorVersion::latest());
                if let Some(profile) = &access.profile {
                    chain = chain.profile_name(profile);
                }
                if let Some(region) = &access.region {
                    chain = chain.region(Region::new(region.clone()));
                }
                let found = chain.load().await;
                let none = || StorageError::new(ErrorKind::NotConfigured, &action, "there are no keys for the store");
                let keys = found.credentials_provider().ok_or_else(none)?;
                keys.provide_credentials().await.map_err(|_| none())?;
                let region = found.region().map_or(NO_REGION, |r| r.as_ref()).to_owned();
                (Builder::from(&found), keys, region)
            }
        };
        // Stores other than AWS have no names for their buckets in DNS.
        let path_style = access.endpoint_url.is_some();
        let params = Params::builder()
            .bucket(access.bucket.clone())
            .region(region.clone())
            .set_endpoint(access.endpoint_url.clone())
            .force_path_style(path_style)
            .use_fips(false)
            .use_dual_stack(false)
            .build()
            .map_err(|e| StorageError::new(ErrorKind::Other, &action, e.to_string()))?;
        let endpoint = DefaultResolver::new()
            .resolve_endpoint(&params)
            .await
            .map_err(|e| StorageError::new(ErrorKind::Other, &action, e.to_string()))?;
        let mut config = config.force_path_style(path_style);
        config.set_endpoint_url(access.endpoint_url.clone());
        let config = config
            .credentials_provider(credentials.clone())
            .region(Region::new(region.clone()))
            .interceptor(clock.clone())
            .interceptor(OurName)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
            // Checksums are ours (SHA-256); the SDK's own trailers are more than some stores can read.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Ok(Self {
            inner: Arc::new(Inner {
                name: access.bucket,
                client: Client::from_conf(config),
                credentials,
                region,
                base: endpoint.url().trim_end_matches('/').to_owned(),
                clock,
                http: Http::default(),
                heads: Mutex::default(),
            }),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Seconds since 1970 by the store's clock.
    pub fn now(&self) -> u64 {
        self.inner.clock.now()
    }

    /// A maker of URLs for this moment.
    ///
    /// # Errors
    /// No keys.
    pub async fn signer(&self) -> Result<Signer, StorageError> {
        let credentials =
            self.inner.credentials.provide_credentials().await.map_err(|_| {
                StorageError::new(ErrorKind::NotConfigured, "sign URLs", "there are no keys for the store")
            })?;
        Ok(Signer {
            bucket: self.inner.name.clone(),
            base: self.inner.base.clone(),
            region: self.inner.region.clone(),
            credentials,
            now: self.inner.clock.time(),
        })
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

    fn object(&self, key: &str) -> aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder {
        self.inner.client.get_object().bucket(self.name()).key(key)
    }

    /// Writes an object that isn't there yet.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`], also when this very request was repeated after a lost answer; or the request's.
    pub async fn create(&self, action: &str, key: &str, content: Bytes) -> Result<(), StorageError> {
        let digest = BASE64_STANDARD.encode(Sha256::digest(&content));
        self.inner
            .client
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
        let head = self.inner.client.head_object().bucket(self.name()).key(key).checksum_mode(ChecksumMode::Enabled);
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
        let delete = self.inner.client.delete_object().bucket(self.name()).key(key);
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
            .inner
            .client
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

    /// Begins an upload in parts with digests: its id.
    ///
    /// # Errors
    /// The request's.
    pub async fn begin_upload(&self, action: &str, key: &str) -> Result<String, StorageError> {
        let answer = self
            .inner
            .client
            .create_multipart_upload()
            .bucket(self.name())
            .key(key)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .send()
            .await
            .map_err(|e| StorageError::from_sdk(action, &e))?;
        answer
            .upload_id
            .ok_or_else(|| StorageError::new(ErrorKind::Other, action, "the store gave no id for the upload"))
    }

    /// All parts that the store has of an upload, in order.
    ///
    /// # Errors
    /// The request's.
    pub async fn parts(&self, action: &str, key: &str, upload: &str) -> Result<Vec<UploadedPart>, StorageError> {
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let answer = self
                .inner
                .client
                .list_parts()
                .bucket(self.name())
                .key(key)
                .upload_id(upload)
                .set_part_number_marker(marker.take())
                .send()
                .await
                .map_err(|e| StorageError::from_sdk(action, &e))?;
            parts.extend(answer.parts.unwrap_or_default().into_iter().filter_map(|p| {
                Some(UploadedPart {
                    number: p.part_number?.try_into().ok()?,
                    size: p.size?.try_into().ok()?,
                    etag: p.e_tag?,
                    sha256: p.checksum_sha256,
                })
            }));
            match (answer.is_truncated, answer.next_part_number_marker) {
                (Some(true), Some(next)) => marker = Some(next),
                _ => return Ok(parts),
            }
        }
    }

    /// Makes an object of an upload's parts.
    ///
    /// # Errors
    /// The request's.
    pub async fn complete_upload(
        &self,
        action: &str,
        key: &str,
        upload: &str,
        parts: Vec<UploadedPart>,
    ) -> Result<(), StorageError> {
        let parts = parts
            .into_iter()
            .map(|p| {
                CompletedPart::builder()
                    .set_part_number(p.number.try_into().ok())
                    .e_tag(p.etag)
                    .set_checksum_sha256(p.sha256)
                    .build()
            })
            .collect();
        self.inner
            .client
            .complete_multipart_upload()
            .bucket(self.name())
            .key(key)
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .map(drop)
            .map_err(|e| StorageError::from_sdk(action, &e))
    }

    /// Gives an upload up; its parts are deleted by the store.
    ///
    /// # Errors
    /// The request's.
    pub async fn abort_upload(&self, action: &str, key: &str, upload: &str) -> Result<(), StorageError> {
        self.inner
            .client
            .abort_multipart_upload()
            .bucket(self.name())
            .key(key)
            .upload_id(upload)
            .send()
            .await
            .map(drop)
            .map_err(|e| StorageError::from_sdk(action, &e))
    }

    /// A manifest's head that was read before.
    pub(super) fn known_head(&self, object: &Listed) -> Option<Head> {
        let heads = self.inner.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.get(&(object.key.clone(), object.etag.clone())).cloned()
    }

    /// Remembers a manifest's head.
    pub(super) fn remember_head(&self, object: &Listed, head: Head) {
        let mut heads = self.inner.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= MAX_HEADS {
            heads.clear();
        }
        heads.insert((object.key.clone(), object.etag.clone()), head);
    }
}

async fn body(
    action: &str,
    answer: aws_sdk_s3::operation::get_object::GetObjectOutput,
) -> Result<(Bytes, String), StorageError> {
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let bytes = answer.body.collect().await.map_err(|_| broken(action))?;
    Ok((bytes.into_bytes(), etag))
}

fn broken(action: &str) -> StorageError {
    StorageError::new(ErrorKind::Unavailable, action, "the store's answer broke off before its end")
}
