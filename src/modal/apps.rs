//! Apps and the environment they lie in.

use super::{
    connection::{Modal, PLAIN},
    error::{ErrorKind, ModalError},
};
use crate::proto::client::{AppGetOrCreateRequest, EnvironmentGetOrCreateRequest, ObjectCreationType};

impl Modal {
    /// The app of a name, made if missing: its id.
    ///
    /// # Errors
    /// The call's.
    pub async fn app(&self, name: &str) -> Result<String, ModalError> {
        let request = AppGetOrCreateRequest {
            app_name: name.to_owned(),
            environment_name: self.environment(),
            object_creation_type: ObjectCreationType::CreateIfMissing.into(),
        };
        let answer = self
            .call("open the app", PLAIN, request, |mut c, r| Box::pin(async move { c.app_get_or_create(r).await }))
            .await?;
        Ok(answer.app_id)
    }

    /// The app of a name, if there is one: lists must not make one.
    ///
    /// # Errors
    /// The call's.
    pub async fn existing_app(&self, name: &str) -> Result<Option<String>, ModalError> {
        let request = AppGetOrCreateRequest {
            app_name: name.to_owned(),
            environment_name: self.environment(),
            object_creation_type: ObjectCreationType::Unspecified.into(),
        };
        match self
            .call("look up the app", PLAIN, request, |mut c, r| Box::pin(async move { c.app_get_or_create(r).await }))
            .await
        {
            Ok(answer) => Ok(Some(answer.app_id)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The version of Modal's image builder that this environment uses; every build must name it.
    pub(super) async fn builder_version(&self) -> Result<String, ModalError> {
        let request = EnvironmentGetOrCreateRequest {
            deployment_name: self.environment(),
            object_creation_type: ObjectCreationType::Unspecified.into(),
        };
        let answer = self
            .call("open the environment", PLAIN, request, |mut c, r| {
                Box::pin(async move { c.environment_get_or_create(r).await })
            })
            .await?;
        Ok(answer.metadata.and_then(|m| m.settings).map(|s| s.image_builder_version).unwrap_or_default())
    }
}
