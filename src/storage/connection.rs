//! How a store is reached: its address, keys and clock, and the SDK's client made of them.

use std::time::Duration;

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
};
use secrecy::ExposeSecret;

use super::{
    clock::StoreClock,
    error::{ErrorKind, StorageError},
};
use crate::config::S3Access;

/// S3 answers the longest of our requests, a copy of 5 GB, within a minute or so.
const ATTEMPT: Duration = Duration::from_secs(120);

/// What AWS's own tools take.
const ATTEMPTS: u32 = 5;

/// Region of signatures for stores that have none.
const NO_REGION: &str = "us-east-1";

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

/// A way to one bucket of a store.
pub(super) struct Connection {
    /// For requests of our own.
    pub client: Client,
    /// Where its objects are: scheme, host, and the bucket if it stands in the path.
    pub base: String,
    /// Of signatures.
    pub region: String,
    /// The store's time.
    pub clock: StoreClock,
    keys: SharedCredentialsProvider,
}

impl Connection {
    /// Asks for nothing yet. Without keys in `access`, AWS's own chain is asked for some.
    ///
    /// # Errors
    /// No keys, or no place that such a bucket could be at.
    pub async fn new(access: &S3Access) -> Result<Self, StorageError> {
        let action = format!("open the bucket {}", access.bucket);
        let (config, keys, region) = known_keys(access, &action).await?;
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
        let clock = StoreClock::default();
        let mut config = config.force_path_style(path_style);
        config.set_endpoint_url(access.endpoint_url.clone());
        let config = config
            .credentials_provider(keys.clone())
            .region(Region::new(region.clone()))
            .interceptor(clock.clone())
            .interceptor(OurName)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
            // Checksums are ours (SHA-256); the SDK's own trailers are more than some stores can read.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let base = endpoint.url().trim_end_matches('/').to_owned();
        Ok(Self { client: Client::from_conf(config), base, region, clock, keys })
    }

    /// The keys of this moment.
    ///
    /// # Errors
    /// There are none.
    pub async fn keys(&self, action: &str) -> Result<Credentials, StorageError> {
        self.keys.provide_credentials().await.map_err(|_| no_keys(action))
    }
}

/// The keys that were configured, or those of AWS's chain; with what the chain knows beside, and the region.
async fn known_keys(
    access: &S3Access,
    action: &str,
) -> Result<(Builder, SharedCredentialsProvider, String), StorageError> {
    if let Some((id, secret, token)) = &access.keys {
        let token = token.as_ref().map(|t| t.expose_secret().to_owned());
        let keys = Credentials::new(id, secret.expose_secret(), token, None, "sandbank");
        let region = access.region.clone().unwrap_or_else(|| NO_REGION.to_owned());
        let config = Builder::new().behavior_version(BehaviorVersion::latest());
        return Ok((config, SharedCredentialsProvider::new(keys), region));
    }
    let mut chain = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = &access.profile {
        chain = chain.profile_name(profile);
    }
    if let Some(region) = &access.region {
        chain = chain.region(Region::new(region.clone()));
    }
    let found = chain.load().await;
    let keys = found.credentials_provider().ok_or_else(|| no_keys(action))?;
    keys.provide_credentials().await.map_err(|_| no_keys(action))?;
    let region = found.region().map_or(NO_REGION, |r| r.as_ref()).to_owned();
    Ok((Builder::from(&found), keys, region))
}

fn no_keys(action: &str) -> StorageError {
    StorageError::new(ErrorKind::NotConfigured, action, "there are no keys for the store")
}
