//! The local engine: Modal's protocol and S3 on loopback, sandboxes by Linux namespaces.
//!
//! ```text
//! grpc       the control plane's RPCs          proxy    a sandbox's way out, and its withheld keys
//! router     exec and its bytes                keeper   parent of one sandbox, and the engine's handle on it
//! sandboxes  made, listed, ended, found again  jail     namespaces, limits, filters around hostile programs
//! images volumes  what one is made from        s3       the store, which knows nothing of the rest
//! checks     what doctor asks                  room     what stays free on the disk
//! ```
//!
//! Arrows point from the left to the right and down, but for [`Shared`], which has all of them. `spec` is what keeper
//! and jail are told; `frames` is how they talk.

use std::{
    ffi::OsString,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, PoisonError, RwLock},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod access;
mod checks;
mod frames;
mod grpc;
mod images;
pub mod jail;
mod json_file;
pub mod keeper;
mod names;
mod proxy;
mod random;
mod room;
mod router;
pub mod s3;
mod sandboxes;
pub mod settings;
pub mod spec;
mod state;
mod tokens;
mod volumes;

pub use checks::{Check, checks};
pub use settings::{Access, Settings};

/// Why the engine does not start: a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(String);

impl EngineError {
    /// With this sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl From<state::StateError> for EngineError {
    fn from(e: state::StateError) -> Self {
        Self(e.to_string())
    }
}

/// What all parts of a running engine share.
#[derive(Debug)]
pub(in crate::engine) struct Shared {
    pub settings: Settings,
    pub access: Access,
    pub ids: spec::IdMap,
    pub state: state::State,
    pub tokens: tokens::Tokens,
    pub answers: grpc::answers::Answers,
    pub activity: Arc<grpc::Activity>,
    pub images: images::Images,
    pub volumes: volumes::Volumes,
    pub mounts: grpc::mounts::Mounts,
    pub secrets: grpc::secrets::Secrets,
    pub sandboxes: sandboxes::Sandboxes,
    pub claude: images::Claude,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    store: Arc<s3::Store>,
    stop: CancellationToken,
    serving: TaskTracker,
}

/// Folders of a data dir's engine.
const FOLDERS: [&str; 7] = ["sandboxes", "scratch", "volumes", "mounts", "blobs", "layers", "builds"];

impl Engine {
    /// Opens the state, finds the keepers of an earlier engine again, binds both ports and serves.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn start(settings: Settings) -> Result<Self, EngineError> {
        let dir = settings.dir.clone();
        Self::open(settings).await.map_err(|e| EngineError(room::explain(&dir, e.0)))
    }

    async fn open(settings: Settings) -> Result<Self, EngineError> {
        for folder in FOLDERS.iter().map(|name| settings.dir.join(name)).chain([settings.cache.clone()]) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(|e| EngineError::new(format!("cannot make {}: {e}", folder.display())))?;
        }
        checks::file_system(&settings.dir).map_err(EngineError::new)?;
        let ids = jail::choose(&settings.cache, &settings.data_dir).map_err(EngineError::new)?;
        let bound = access::bind(&settings).await?;
        let store = s3::Store::open(s3::Settings {
            dir: settings.dir.join("s3"),
            access_key_id: bound.access.access_key_id.clone(),
            secret_access_key: bound.access.secret_access_key.clone(),
            region: bound.access.region.clone(),
        });
        let store = Arc::new(store.await.map_err(EngineError::new)?);
        store.make_bucket(&settings.bucket).await.map_err(EngineError::new)?;
        let key = access::key(&settings.dir)?;
        let state = state::State::open(&settings.dir.join("engine.db"))?;
        let claude = images::Claude::new(RwLock::new(settings.claude.clone()));
        let program = settings.program.clone();
        let shared = Arc::new(Shared {
            tokens: tokens::Tokens::new(access::derive(&key, "tokens")),
            answers: grpc::answers::Answers::open(state.clone()).await?,
            activity: Arc::default(),
            images: images::Images::new(state.clone(), &settings, &ids, Arc::clone(&claude)),
            volumes: volumes::Volumes::new(state.clone(), settings.dir.join("volumes"), program, ids.clone()),
            mounts: grpc::mounts::Mounts::new(state.clone(), settings.dir.join("mounts")),
            secrets: grpc::secrets::Secrets::open(state.clone(), access::derive(&key, "secrets")).await?,
            sandboxes: sandboxes::Sandboxes::open(&settings).await?,
            access: bound.access,
            settings,
            ids,
            state,
            claude,
        });
        images::clean(&shared).await.map_err(|e| EngineError::new(format!("cannot clean up old builds: {e}")))?;
        sandboxes::Sandboxes::recover(&shared).await?;
        let (stop, serving) = (CancellationToken::new(), TaskTracker::new());
        serving.spawn(grpc::serve(Arc::clone(&shared), bound.modal, stop.clone()));
        let (watched, until) = (Arc::clone(&shared), stop.clone());
        serving.spawn(async move { until.run_until_cancelled(room::watch(watched)).await });
        let (objects, until) = (Arc::clone(&store), stop.clone());
        serving.spawn(async move { objects.serve(bound.s3, until).await });
        Ok(Self { shared, store, stop, serving })
    }

    /// Where it listens, and what it asks callers for.
    pub fn access(&self) -> &Access {
        &self.shared.access
    }

    /// The Claude CLI that sandboxes made from now on get.
    pub fn set_claude(&self, path: Option<PathBuf>) {
        *self.shared.claude.write().unwrap_or_else(PoisonError::into_inner) = path;
    }

    /// Programs other than the server itself that were active in the last minute, and sandboxes that run.
    pub fn busy(&self) -> usize {
        self.shared.activity.count() + self.store.outside() + self.shared.sandboxes.running()
    }

    fn let_go(&self) {
        self.stop.cancel();
        self.shared.sandboxes.stop();
        self.shared.images.builds.cut_off();
    }

    /// Stops serving and ends builds; keepers and sandboxes go on.
    pub async fn stop(self) {
        self.let_go();
        self.serving.close();
        self.serving.wait().await;
        self.shared.images.builds.ended().await;
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Entry of the engine's small processes (`engine keep DIR`, `engine helper …`).
pub fn small(args: &[OsString]) -> ExitCode {
    let word = |i: usize| args.get(i).and_then(|a| a.to_str()).unwrap_or_default();
    match (word(0), word(1)) {
        ("keep", _) => keeper::main(&args[1..]),
        ("helper", word) => {
            let rest = args.get(2..).unwrap_or_default();
            let done = jail::helper::words(word, rest).or_else(|| images::skeleton::words(word, rest));
            done.unwrap_or(ExitCode::from(2))
        }
        _ => ExitCode::from(2),
    }
}
