//! The local engine: Modal's protocol and S3 on loopback, sandboxes by Linux namespaces.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, PoisonError, RwLock},
};

mod checks;
mod grpc;
mod images;
pub mod jail;
pub mod keeper;
mod proxy;
mod random;
mod router;
pub mod s3;
mod sandboxes;
pub mod settings;
pub mod spec;
mod state;
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
    pub tokens: grpc::auth::Tokens,
    pub images: images::Images,
    pub volumes: volumes::Volumes,
    pub mounts: grpc::mounts::Mounts,
    pub secrets: grpc::secrets::Secrets,
    pub sandboxes: sandboxes::Sandboxes,
    pub claude: RwLock<Option<PathBuf>>,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Opens the state, finds the keepers of an earlier engine again, binds both ports and serves.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn start(_settings: Settings) -> Result<Self, EngineError> {
        Err(EngineError::new("the engine is not there yet"))
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
        self.shared.sandboxes.running()
    }

    /// Stops serving; keepers and sandboxes go on.
    pub async fn stop(self) {}
}

/// Entry of the engine's small processes (`engine keep DIR`, `engine helper …`).
pub fn small(args: &[OsString]) -> ExitCode {
    let word = |i: usize| args.get(i).and_then(|a| a.to_str()).unwrap_or_default();
    match (word(0), word(1)) {
        ("keep", _) => keeper::main(&args[1..]),
        ("helper", word) => jail::helper::words(word, args.get(2..).unwrap_or_default()).unwrap_or(ExitCode::from(2)),
        _ => ExitCode::from(2),
    }
}
