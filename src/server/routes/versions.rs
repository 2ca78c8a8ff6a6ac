//! What can be asked of versions.

use axum::{Json, extract::State};

use super::{
    super::answer::{Answer, Caller, Name, Params},
    App,
};
use crate::{
    api::Scope,
    core::{UnfinishedSave, Version},
};

pub(super) async fn list(
    State(app): State<App>,
    Caller(client): Caller,
    Params(scope): Params<Scope>,
) -> Answer<Vec<Version>> {
    Ok(Json(app.service.versions(client, &scope).await?))
}

pub(super) async fn unfinished(
    State(app): State<App>,
    Caller(client): Caller,
    Params(scope): Params<Scope>,
) -> Answer<Vec<UnfinishedSave>> {
    Ok(Json(app.service.unfinished_saves(client, &scope).await?))
}

pub(super) async fn get(
    State(app): State<App>,
    Caller(client): Caller,
    Name(version): Name<String>,
    Params(scope): Params<Scope>,
) -> Answer<Version> {
    Ok(Json(app.service.version(client, &scope, &version).await?))
}
