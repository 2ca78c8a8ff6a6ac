//! What can be asked of sandboxes.

use axum::{Json, body::Body, extract::State, response::Response};
use futures::StreamExt;

use super::{
    super::answer::{Answer, Caller, Failure, Name, Params},
    App,
};
use crate::{
    api::{ConversationPage, LogsQuery, PageQuery, PlacedItem, SandboxDetail, Scope, SearchQuery, TranscriptQuery},
    core::SandboxInfo,
};

pub(super) async fn list(
    State(app): State<App>,
    Caller(client): Caller,
    Params(scope): Params<Scope>,
) -> Answer<Vec<SandboxInfo>> {
    Ok(Json(app.service.sandboxes(client, &scope).await?))
}

pub(super) async fn get(
    State(app): State<App>,
    Caller(client): Caller,
    Name(name): Name<String>,
    Params(scope): Params<Scope>,
) -> Answer<SandboxDetail> {
    Ok(Json(app.service.sandbox(client, &scope, &name).await?))
}

/// Bytes as they come. An error on the way breaks the body off, so that a client can't take a part for the whole.
pub(super) async fn logs(
    State(app): State<App>,
    Caller(client): Caller,
    Name(name): Name<String>,
    Params(query): Params<LogsQuery>,
) -> Result<Response, Failure> {
    let scope = Scope { account: query.account, profile: query.profile, all: true };
    let stream = app.service.logs(client, &scope, &name, query.follow).await?;
    let stop = app.stop.clone().cancelled_owned();
    Ok(Response::new(Body::from_stream(stream.take_until(stop))))
}

pub(super) async fn transcript(
    State(app): State<App>,
    Caller(client): Caller,
    Name(name): Name<String>,
    Params(query): Params<TranscriptQuery>,
) -> Answer<Vec<PlacedItem>> {
    let scope = Scope { account: query.account, profile: query.profile, all: true };
    Ok(Json(app.service.transcript(client, &scope, &name, query.conversation).await?))
}

pub(super) async fn conversation(
    State(app): State<App>,
    Caller(client): Caller,
    Name(name): Name<String>,
    Params(query): Params<PageQuery>,
) -> Answer<ConversationPage> {
    Ok(Json(app.service.conversation(client, &query, &name).await?))
}

pub(super) async fn search(
    State(app): State<App>,
    Caller(client): Caller,
    Name(name): Name<String>,
    Params(query): Params<SearchQuery>,
) -> Answer<Vec<u64>> {
    Ok(Json(app.service.search(client, &query, &name).await?))
}
