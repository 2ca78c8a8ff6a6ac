//! Volumes.

use super::{
    connection::{Modal, PLAIN},
    error::ModalError,
};
use crate::proto::client::{ObjectCreationType, VolumeFsVersion, VolumeGetOrCreateRequest};

impl Modal {
    /// The volume of a name, made as V2 if missing: its id. One that exists as V1 is taken as it is, with a warning in
    /// the log: V1 is for fewer than 50,000 files and commits differently.
    ///
    /// # Errors
    /// The call's.
    pub async fn volume(&self, name: &str) -> Result<String, ModalError> {
        let request = VolumeGetOrCreateRequest {
            deployment_name: name.to_owned(),
            environment_name: self.environment(),
            object_creation_type: ObjectCreationType::CreateIfMissing.into(),
            version: VolumeFsVersion::V2.into(),
            ..VolumeGetOrCreateRequest::default()
        };
        let action = format!("open the volume {name}");
        let answer = self
            .call(&action, PLAIN, request, |mut c, r| Box::pin(async move { c.volume_get_or_create(r).await }))
            .await?;
        if answer.metadata.is_some_and(|m| m.version() == VolumeFsVersion::V1) {
            tracing::warn!(volume = name, "this volume is of Modal's first version");
        }
        Ok(answer.volume_id)
    }
}
