//! What changes something: a row before anything happens.

use axum::{Json, extract::State};

use super::{
    super::answer::{Answer, Body, Caller, Name, Params},
    App,
};
use crate::{
    api::{CommandAnswer, CommandRequest, CommandSummary, Scope},
    core::RequestId,
};

pub(super) async fn submit(
    State(app): State<App>,
    Caller(client): Caller,
    Body(request): Body<CommandRequest>,
) -> Answer<CommandAnswer> {
    app.open()?;
    Ok(Json(app.service.submit(client, request).await?))
}

pub(super) async fn list(State(app): State<App>, Params(scope): Params<Scope>) -> Answer<Vec<CommandSummary>> {
    Ok(Json(app.service.commands(&scope).await?))
}

pub(super) async fn get(State(app): State<App>, Name(id): Name<RequestId>) -> Answer<CommandAnswer> {
    Ok(Json(app.service.command(id).await?))
}

pub(super) async fn interrupt(State(app): State<App>, Name(id): Name<RequestId>) -> Answer<CommandAnswer> {
    Ok(Json(app.service.interrupt(id).await?))
}
