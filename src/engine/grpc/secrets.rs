//! Secrets: their values lie encrypted in the database, under a key file beside it.

use std::collections::BTreeMap;

use tonic::Status;

/// All secrets of a data dir.
#[derive(Debug)]
pub struct Secrets {}

impl Secrets {
    /// The values of a secret.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn values(&self, secret_id: &str) -> Result<BTreeMap<String, String>, Status> {
        Err(Status::not_found(format!("there is no secret {secret_id}")))
    }
}
