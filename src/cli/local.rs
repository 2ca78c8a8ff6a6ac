//! The engine as the service knows it: started when first needed.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::{
    api::{ApiError, DoctorCheck, EngineStatus, VERSION},
    client,
    config::{Config, DataDir, ModalAccess, S3Access},
    engine::{self, Access, Engine, Settings},
    service::{LocalAccess, LocalPlace},
};

/// Variables that stay outside sandboxes of this machine: the engine's proxy puts them into requests to the API.
const WITHHELD: [&str; 1] = ["ANTHROPIC_API_KEY"];

/// The engine of one data dir.
pub(super) struct Local {
    settings: Settings,
    /// Held while it starts, so that it starts once.
    starting: tokio::sync::Mutex<()>,
    running: RwLock<Option<Engine>>,
    /// The CLI that sandboxes get, as the configuration or the last client named it.
    claude: Mutex<Option<PathBuf>>,
    claude_is_fixed: bool,
}

impl Local {
    /// Nothing is started.
    pub fn new(config: &Config, data: &DataDir) -> Result<Arc<Self>, ApiError> {
        let program = std::env::current_exe()
            .map_err(|e| ApiError::failed(format!("the program's own file can't be found: {e}")))?;
        let cache = directories::ProjectDirs::from("", "", "sandbank")
            .map(|dirs| dirs.cache_dir().to_owned())
            .ok_or_else(|| ApiError::not_configured("there is no home directory").hint("set HOME or XDG_CACHE_HOME"))?;
        let claude = config.engine.host.claude.clone();
        let settings = Settings {
            dir: data.engine(),
            cache,
            data_dir: data.path().to_owned(),
            program,
            modal_port: config.engine.modal_port,
            s3_port: config.engine.s3_port,
            bucket: config.local.bucket.clone().unwrap_or_else(|| "sandbank".to_owned()),
            stand_ins: config.engine.images.stand_ins.clone(),
            extra: config.engine.host.extra.clone(),
            claude: claude.clone(),
            disk_floor: 0,
            withhold: WITHHELD.map(str::to_owned).to_vec(),
        };
        Ok(Arc::new(Self {
            settings,
            starting: tokio::sync::Mutex::default(),
            running: RwLock::default(),
            claude_is_fixed: claude.is_some(),
            // Until a client says which is its own: a command that is taken up has none.
            claude: Mutex::new(claude.or_else(client::claude)),
        }))
    }

    /// Stops serving; sandboxes and their keepers go on.
    pub async fn stop(&self) {
        let engine = self.running.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(engine) = engine {
            engine.stop().await;
        }
    }

    fn with<T>(&self, read: impl FnOnce(&Engine) -> T) -> Option<T> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }

    /// Where it is, started if it wasn't.
    async fn started(&self) -> Result<Access, ApiError> {
        let _one = self.starting.lock().await;
        if let Some(access) = self.with(|engine| engine.access().clone()) {
            return Ok(access);
        }
        let claude = self.claude.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let settings = Settings { claude, ..self.settings.clone() };
        let engine = Engine::start(settings).await.map_err(|e| {
            tracing::error!(error = %e, "the engine does not start");
            ApiError::failed(format!("the local engine does not start: {e}")).hint("`sandbank doctor` looks closer")
        })?;
        let access = engine.access().clone();
        tracing::info!(modal = access.modal_url, s3 = access.s3_url, "the engine serves");
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
        Ok(access)
    }
}

impl LocalPlace for Local {
    fn access(&self) -> BoxFuture<'_, Result<LocalAccess, ApiError>> {
        Box::pin(async {
            let access = self.started().await?;
            Ok(LocalAccess {
                modal: ModalAccess {
                    server_url: access.modal_url,
                    token_id: access.token_id,
                    token_secret: SecretString::from(access.token_secret),
                    environment: String::new(),
                },
                s3: S3Access {
                    bucket: self.settings.bucket.clone(),
                    region: Some(access.region),
                    endpoint_url: Some(access.s3_url),
                    profile: None,
                    keys: Some((access.access_key_id, SecretString::from(access.secret_access_key), None)),
                },
            })
        })
    }

    fn status(&self) -> EngineStatus {
        self.with(|engine| EngineStatus {
            running: true,
            pid: Some(std::process::id()),
            version: Some(VERSION.to_owned()),
            modal_url: Some(engine.access().modal_url.clone()),
            s3_url: Some(engine.access().s3_url.clone()),
        })
        .unwrap_or_default()
    }

    fn variables(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, ApiError>> {
        Box::pin(async {
            let access = self.started().await?;
            Ok([
                ("MODAL_SERVER_URL", access.modal_url),
                ("MODAL_TOKEN_ID", access.token_id),
                ("MODAL_TOKEN_SECRET", access.token_secret),
                ("AWS_ENDPOINT_URL_S3", access.s3_url),
                ("AWS_ACCESS_KEY_ID", access.access_key_id),
                ("AWS_SECRET_ACCESS_KEY", access.secret_access_key),
                ("AWS_REGION", access.region),
                ("SANDBANK_BUCKET", self.settings.bucket.clone()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec())
        })
    }

    fn set_claude(&self, path: Option<PathBuf>) {
        if self.claude_is_fixed {
            return;
        }
        self.claude.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&path);
        self.with(|engine| engine.set_claude(path));
    }

    fn checks(&self) -> BoxFuture<'_, Vec<DoctorCheck>> {
        Box::pin(async {
            let checks = engine::checks(&self.settings, self.with(|_| ()).is_some()).await;
            let told = |c: engine::Check| DoctorCheck { name: c.name, ok: c.ok, detail: c.detail, remedy: c.remedy };
            checks.into_iter().map(told).collect()
        })
    }

    fn busy(&self) -> usize {
        self.with(Engine::busy).unwrap_or_default()
    }
}
