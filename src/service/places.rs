//! The places at hand: clients of Modal and buckets, made when first needed and kept for as long as the same
//! environment asks for them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::place::{LocalPlace, Place};
use crate::{api::ApiError, config::Config, core::Profile, modal::Modal, storage::Bucket};

/// Different environments that are remembered. Each is another set of keys; nobody has so many, and one that is
/// forgotten is read again.
const MAX_ENVS: usize = 32;

/// What of a client's environment decides where its place is.
type Env = BTreeMap<String, String>;

/// Makes places and remembers them.
pub(super) struct Places {
    config: Config,
    local: Arc<dyn LocalPlace>,
    modals: Mutex<HashMap<Env, Modal>>,
    buckets: Mutex<HashMap<Env, Bucket>>,
}

/// Something about access to a place that only the user can supply is missing.
fn missing(message: String) -> ApiError {
    ApiError::not_configured(message).hint("`sandbank doctor` tells what is set and from where")
}

fn part(env: &Env, prefix: &str) -> Env {
    env.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// The value for an environment, made if it isn't there.
async fn cached<T, F>(cache: &Mutex<HashMap<Env, T>>, key: Env, make: impl FnOnce() -> F) -> Result<T, ApiError>
where
    T: Clone,
    F: Future<Output = Result<T, ApiError>>,
{
    let known = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    if let Some(value) = known {
        return Ok(value);
    }
    let value = make().await?;
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= MAX_ENVS {
        cache.clear();
    }
    Ok(cache.entry(key).or_insert(value).clone())
}

impl Places {
    pub(super) fn new(config: Config, local: Arc<dyn LocalPlace>) -> Self {
        Self { config, local, modals: Mutex::default(), buckets: Mutex::default() }
    }

    /// The engine, as far as this process is concerned.
    pub(super) fn local(&self) -> &dyn LocalPlace {
        &*self.local
    }

    /// The Modal of a profile, for a client's environment. Starts the engine when it is the local one.
    pub(super) async fn modal(&self, profile: Profile, env: &Env) -> Result<Modal, ApiError> {
        match profile {
            Profile::Local => {
                let access = self.local.access().await?.modal;
                // The engine of this process may have been started again somewhere else.
                let key = Env::from([("url".to_owned(), access.server_url.clone())]);
                cached(&self.modals, key, async || Ok(Modal::new(access)?)).await
            }
            Profile::Modal => {
                let key = part(env, "MODAL_");
                let (config, env) = (self.config.modal.clone(), key.clone());
                cached(&self.modals, key, async move || {
                    // Reads files, and perhaps runs a command that asks a password manager.
                    let access = tokio::task::spawn_blocking(move || config.access(&env));
                    let access = access.await.map_err(|e| ApiError::failed(e.to_string()))?.map_err(missing)?;
                    Ok(Modal::new(access)?)
                })
                .await
            }
        }
    }

    /// The place of a profile with its bucket.
    pub(super) async fn place(&self, profile: Profile, env: &Env) -> Result<Place, ApiError> {
        let modal = self.modal(profile, env).await?;
        let bucket = match profile {
            Profile::Local => {
                let access = self.local.access().await?.s3;
                let key = Env::from([("url".to_owned(), access.endpoint_url.clone().unwrap_or_default())]);
                cached(&self.buckets, key, async || Ok(Bucket::new(access).await?)).await?
            }
            Profile::Modal => {
                let key = part(env, "AWS_");
                let (config, env) = (self.config.s3.clone(), key.clone());
                cached(&self.buckets, key, async move || {
                    let access = tokio::task::spawn_blocking(move || config.access(&env));
                    let access = access.await.map_err(|e| ApiError::failed(e.to_string()))?.map_err(missing)?;
                    Ok(Bucket::new(access).await?)
                })
                .await?
            }
        };
        Ok(Place { profile, modal, bucket })
    }
}
