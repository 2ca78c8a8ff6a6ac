//! The routes of `/v1`. Each calls one function of the service.

mod commands;
mod events;
mod exec;
mod own;
mod sandboxes;
mod versions;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Uri,
    routing::{get, post},
};
use tokio_util::sync::CancellationToken;

use super::{activity::Activity, announce::Announce, answer::Failure};
use crate::{
    api::ApiError,
    service::{LocalPlace, Service},
};

/// The largest body is a prompt. The longest that a model reads is about 4 MB of text (a million tokens); JSON's
/// escapes can double it.
const MAX_BODY: usize = 8 << 20;

/// What routes work with.
pub(super) struct Shared {
    pub service: Service,
    pub local: Arc<dyn LocalPlace>,
    pub announce: Arc<Announce>,
    pub activity: Arc<Activity>,
    /// Ends streams and the server.
    pub stop: CancellationToken,
    /// What is under way is finished, nothing new is taken: a newer server waits.
    pub finishing: AtomicBool,
}

/// The state of all routes.
pub(super) type App = Arc<Shared>;

impl Shared {
    pub fn new(service: Service, local: Arc<dyn LocalPlace>, announce: Arc<Announce>) -> App {
        Arc::new(Self {
            service,
            local,
            announce,
            activity: Arc::default(),
            stop: CancellationToken::new(),
            finishing: AtomicBool::new(false),
        })
    }

    /// Whether there is something to tend without any client.
    pub fn busy(&self) -> bool {
        self.service.busy() || self.local.busy() > 0
    }

    /// Refuses new work while the last of the old is finished.
    fn open(&self) -> Result<(), ApiError> {
        if self.finishing.load(Ordering::SeqCst) {
            return Err(ApiError::unavailable("this server is about to be replaced by a newer one").hint("try again"));
        }
        Ok(())
    }
}

/// All routes.
pub(super) fn router(shared: App) -> Router {
    Router::new()
        .route("/v1/hello", post(own::hello))
        .route("/v1/status", get(own::status))
        .route("/v1/stop", post(own::stop))
        .route("/v1/doctor", get(own::doctor))
        .route("/v1/engine/status", get(own::engine_status))
        .route("/v1/engine/access", get(own::engine_access))
        .route("/v1/commands", post(commands::submit))
        .route("/v1/commands/{id}", get(commands::get))
        .route("/v1/commands/{id}/interrupt", post(commands::interrupt))
        .route("/v1/sandboxes", get(sandboxes::list))
        .route("/v1/sandboxes/{name}", get(sandboxes::get))
        .route("/v1/sandboxes/{name}/logs", get(sandboxes::logs))
        .route("/v1/sandboxes/{name}/transcript", get(sandboxes::transcript))
        .route("/v1/sandboxes/{name}/exec", get(exec::exec))
        .route("/v1/versions", get(versions::list))
        .route("/v1/versions/{version}", get(versions::get))
        .route("/v1/events", get(events::follow))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

async fn unknown(uri: Uri) -> Failure {
    ApiError::not_found(format!("this server has nothing at {}", uri.path()))
        .hint("client and server may be of different versions: run `sandbank serve stop`")
        .into()
}
