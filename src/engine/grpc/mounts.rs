//! Mounts: sets of files that clients send, kept by their SHA-256.

use tonic::Status;

use crate::engine::spec::Bind;

/// All mounts of a data dir.
#[derive(Debug)]
pub struct Mounts {}

impl Mounts {
    /// Read-only binds of a mount's files.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn binds(&self, mount_id: &str) -> Result<Vec<Bind>, Status> {
        Err(Status::not_found(format!("there is no mount {mount_id}")))
    }
}
