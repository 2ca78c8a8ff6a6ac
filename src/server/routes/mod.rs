//! The routes of `/v1`. Each calls one function of the service.

mod commands;
mod events;
mod exec;
mod own;
mod sandboxes;
mod versions;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Uri,
    routing::{get, post},
};

use super::{answer::Failure, app::App};
use crate::api::ApiError;

/// The largest body is a prompt. The longest that a model reads is about 4 MB of text (a million tokens); JSON's
/// escapes can double it.
const MAX_BODY: usize = 8 << 20;

/// All routes.
pub(super) fn router(shared: App) -> Router {
    Router::new()
        .route("/v1/hello", post(own::hello))
        .route("/v1/status", get(own::status))
        .route("/v1/stop", post(own::stop))
        .route("/v1/doctor", get(own::doctor))
        .route("/v1/engine/status", get(own::engine_status))
        .route("/v1/engine/access", get(own::engine_access))
        .route("/v1/commands", get(commands::list).post(commands::submit))
        .route("/v1/commands/{id}", get(commands::get))
        .route("/v1/commands/{id}/interrupt", post(commands::interrupt))
        .route("/v1/sandboxes", get(sandboxes::list))
        .route("/v1/sandboxes/{name}", get(sandboxes::get))
        .route("/v1/sandboxes/{name}/logs", get(sandboxes::logs))
        .route("/v1/sandboxes/{name}/transcript", get(sandboxes::transcript))
        .route("/v1/sandboxes/{name}/conversation", get(sandboxes::conversation))
        .route("/v1/sandboxes/{name}/search", get(sandboxes::search))
        .route("/v1/sandboxes/{name}/exec", get(exec::exec))
        .route("/v1/usage", get(own::usage))
        .route("/v1/versions", get(versions::list))
        .route("/v1/versions/unfinished", get(versions::unfinished))
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
