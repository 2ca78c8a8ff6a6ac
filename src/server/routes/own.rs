//! The server about itself, its engine and what was spent.

use std::sync::atomic::Ordering;

use axum::{Json, extract::State};

use super::{
    super::{
        answer::{Answer, Body, Caller, Params},
        stop_when_finished,
    },
    App,
};
use crate::{
    api::{
        BUILD, Doctor, EngineAccess, EngineStatus, Hello, PROTOCOL, Scope, ServerStatus, Stop, UsageQuery, VERSION,
        Welcome, hello::is_override,
    },
    core::Usage,
    service::ClientEnv,
};

pub(super) async fn hello(State(app): State<App>, Body(hello): Body<Hello>) -> Answer<Welcome> {
    let env = hello.env.into_iter().filter(|(name, _)| is_override(name)).collect();
    let client_id = app.service.hello(ClientEnv { env, claude: hello.claude });
    Ok(Json(Welcome {
        client_id,
        protocol: PROTOCOL,
        version: VERSION.to_owned(),
        build: BUILD.to_owned(),
        running: app.service.running(),
    }))
}

pub(super) async fn status(State(app): State<App>) -> Answer<ServerStatus> {
    Ok(Json(own_status(&app)))
}

fn own_status(app: &App) -> ServerStatus {
    ServerStatus {
        running: true,
        pid: Some(std::process::id()),
        version: Some(VERSION.to_owned()),
        socket: app.announce.socket(),
        url: None,
    }
}

/// Answers before it ends.
pub(super) async fn stop(State(app): State<App>, Body(stop): Body<Stop>) -> Answer<ServerStatus> {
    let status = own_status(&app);
    if stop.finish {
        if !app.finishing.swap(true, Ordering::SeqCst) {
            stop_when_finished(app);
        }
    } else {
        app.stop.cancel();
    }
    Ok(Json(status))
}

pub(super) async fn doctor(
    State(app): State<App>,
    Caller(client): Caller,
    Params(scope): Params<Scope>,
) -> Answer<Doctor> {
    Ok(Json(app.service.doctor(client, &scope).await))
}

pub(super) async fn usage(State(app): State<App>, Params(query): Params<UsageQuery>) -> Answer<Usage> {
    Ok(Json(app.service.usage(&query).await?))
}

pub(super) async fn engine_status(State(app): State<App>) -> Answer<EngineStatus> {
    Ok(Json(app.local.status()))
}

pub(super) async fn engine_access(State(app): State<App>) -> Answer<EngineAccess> {
    Ok(Json(EngineAccess { variables: app.local.variables().await? }))
}
