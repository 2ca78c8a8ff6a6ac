//! Volumes: one folder each, owned by the sandboxes' root and bound into them.

use std::path::PathBuf;

use tonic::Status;

use super::state::State;

/// All volumes of a data dir.
#[derive(Debug)]
pub struct Volumes {
    state: State,
    dir: PathBuf,
}

impl Volumes {
    /// Volumes below `dir`.
    pub fn new(state: State, dir: PathBuf) -> Self {
        Self { state, dir }
    }

    /// The folder to bind for a volume.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn folder(&self, volume_id: &str) -> Result<PathBuf, Status> {
        let id = volume_id.to_owned();
        let known =
            self.state.call(move |db| Ok(db.prepare("SELECT 1 FROM volumes WHERE volume_id = ?1")?.exists([id])?));
        if known.await? {
            Ok(self.dir.join(volume_id))
        } else {
            Err(Status::not_found(format!("there is no volume {volume_id}")))
        }
    }

    /// Makes what sandboxes wrote durable and visible to others.
    ///
    /// # Errors
    /// NOT_FOUND, or the disk's.
    pub async fn commit(&self, volume_id: &str) -> Result<(), Status> {
        self.folder(volume_id).await.map(|_| ())
    }

    /// Shows what others committed: a bind mount always does.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn reload(&self, volume_id: &str) -> Result<(), Status> {
        self.folder(volume_id).await.map(|_| ())
    }
}
