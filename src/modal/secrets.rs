//! Secrets: by name, or as values of one call.

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret, SecretString};

use super::{
    connection::{Modal, PLAIN},
    error::ModalError,
};
use crate::proto::client::{ObjectCreationType, SecretGetOrCreateRequest, SecretSource, StringMap, secret_source};

/// Variables whose values are secrets of one sandbox or one exec.
#[derive(Clone, Default)]
pub struct SecretValues(BTreeMap<String, SecretString>);

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for SecretValues {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        Self(values.into_iter().map(|(n, v)| (n.into(), SecretString::from(v.into()))).collect())
    }
}

impl SecretValues {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn source(&self) -> SecretSource {
        let contents = self.0.iter().map(|(n, v)| (n.clone(), v.expose_secret().to_owned())).collect();
        SecretSource { source: Some(secret_source::Source::Env(StringMap { contents })) }
    }
}

pub(super) fn named_source(id: &str) -> SecretSource {
    SecretSource { source: Some(secret_source::Source::SecretId(id.to_owned())) }
}

impl Modal {
    /// The id of a secret that exists.
    ///
    /// # Errors
    /// There is none of that name, or it lacks a key.
    pub async fn secret(&self, name: &str, required_keys: &[&str]) -> Result<String, ModalError> {
        let request = SecretGetOrCreateRequest {
            deployment_name: name.to_owned(),
            environment_name: self.environment(),
            object_creation_type: ObjectCreationType::Unspecified.into(),
            required_keys: required_keys.iter().map(|k| (*k).to_owned()).collect(),
            ..SecretGetOrCreateRequest::default()
        };
        let action = format!("find the secret {name}");
        let answer = self
            .call(&action, PLAIN, request, |mut c, r| Box::pin(async move { c.secret_get_or_create(r).await }))
            .await?;
        Ok(answer.secret_id)
    }
}
