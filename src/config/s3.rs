//! Which bucket holds the versions, and with which keys, when the place is Modal.
//!
//! Keys that neither the environment nor the configuration names are left to AWS's own chain (profiles, sign-in,
//! instance roles), which the storage client asks.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{S3, Secret};

/// Everything that a client of the bucket needs.
#[derive(Debug, Clone)]
pub struct S3Access {
    /// The bucket.
    pub bucket: String,
    /// Its region; AWS's chain decides when absent.
    pub region: Option<String>,
    /// Where the store is, if not AWS.
    pub endpoint_url: Option<String>,
    /// Profile of `~/.aws` for AWS's chain.
    pub profile: Option<String>,
    /// Id and secret of a key, and a session's token; AWS's chain decides when absent.
    pub keys: Option<(String, SecretString, Option<SecretString>)>,
}

impl S3 {
    /// The key's secret as the configuration has it.
    pub fn secret_access_key(&self) -> Secret {
        Secret::new(
            "s3.secret_access_key",
            &self.secret_access_key,
            &self.secret_access_key_file,
            &self.secret_access_key_command,
        )
    }

    /// What a client of the bucket needs, from a client's environment and the configuration.
    ///
    /// # Errors
    /// No bucket, or a file or command that gives no key.
    pub fn access(&self, env: &BTreeMap<String, String>) -> Result<S3Access, String> {
        let var = |name: &str| env.get(name).filter(|v| !v.is_empty()).cloned();
        let bucket = self
            .bucket
            .clone()
            .ok_or("no bucket for versions: set [s3] bucket in the configuration (profile modal needs one)")?;
        let keys = match (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                Some((id, SecretString::from(secret), var("AWS_SESSION_TOKEN").map(SecretString::from)))
            }
            _ => match (&self.access_key_id, self.secret_access_key().get().map_err(|e| e.to_string())?) {
                (Some(id), Some(secret)) => Some((id.clone(), secret, None)),
                _ => None,
            },
        };
        Ok(S3Access {
            bucket,
            region: var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION")).or_else(|| self.region.clone()),
            endpoint_url: var("AWS_ENDPOINT_URL_S3")
                .or_else(|| var("AWS_ENDPOINT_URL"))
                .or_else(|| self.endpoint_url.clone()),
            profile: var("AWS_PROFILE").or_else(|| self.profile.clone()),
            keys,
        })
    }
}
