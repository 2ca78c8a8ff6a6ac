//! The calls, one function for each.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::BodyExt;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Client,
    http::{self, Call, segment},
};
use crate::{
    api::{
        ApiError, CommandAnswer, CommandRequest, CommandSummary, ConversationPage, Doctor, EngineAccess, LogsQuery,
        PageQuery, PlacedItem, SandboxDetail, Scope, SearchQuery, TranscriptQuery, UsageQuery,
    },
    core::{RequestId, SandboxInfo, UnfinishedSave, Usage, Version},
};

impl Client {
    async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ApiError> {
        self.call(call, http::json).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, ApiError> {
        self.json(&Call::get(path).query(query)).await
    }

    /// Hands a command over.
    ///
    /// # Errors
    /// It can't be taken, or the id was used for something else.
    pub async fn submit(&self, request: &CommandRequest) -> Result<CommandAnswer, ApiError> {
        self.json(&Call::post("/v1/commands", request)).await
    }

    /// What is known of a command.
    ///
    /// # Errors
    /// Nothing is known of it.
    pub async fn command(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        self.json(&Call::get(format!("/v1/commands/{id}"))).await
    }

    /// Asks a command to stop.
    ///
    /// # Errors
    /// Nothing is known of it; if it was on its way, it never begins.
    pub async fn interrupt(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        self.json(&Call::post(format!("/v1/commands/{id}/interrupt"), &())).await
    }

    /// Sandboxes, newest first.
    ///
    /// # Errors
    /// The place can't be asked.
    pub async fn sandboxes(&self, scope: &Scope) -> Result<Vec<SandboxInfo>, ApiError> {
        self.get("/v1/sandboxes", scope).await
    }

    /// One sandbox by id, name, or a prefix that fits one.
    ///
    /// # Errors
    /// None or several fit.
    pub async fn sandbox(&self, scope: &Scope, name: &str) -> Result<SandboxDetail, ApiError> {
        self.get(&sandbox_path(name, "")?, scope).await
    }

    /// What a sandbox's first command wrote. Not taken up again when it breaks: its bytes have no offsets.
    ///
    /// # Errors
    /// There is no such sandbox.
    pub async fn logs(
        &self,
        query: &LogsQuery,
        name: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, ApiError>> + Unpin + use<>, ApiError> {
        let call = Call::get(sandbox_path(name, "/logs")?).query(query);
        let body = self.call(&call, async |answer| Ok(answer.into_body())).await?;
        let broke = |e: hyper::Error| ApiError::unavailable(format!("the log broke off: {e}")).hint("ask again");
        Ok(body.into_data_stream().map(move |piece| piece.map_err(broke)))
    }

    /// A conversation so far.
    ///
    /// # Errors
    /// There is no such sandbox or conversation.
    pub async fn transcript(&self, query: &TranscriptQuery, name: &str) -> Result<Vec<PlacedItem>, ApiError> {
        self.get(&sandbox_path(name, "/transcript")?, query).await
    }

    /// Versions, newest first.
    ///
    /// # Errors
    /// The bucket can't be asked.
    pub async fn versions(&self, scope: &Scope) -> Result<Vec<Version>, ApiError> {
        self.get("/v1/versions", scope).await
    }

    /// Saves that have not ended, newest first.
    ///
    /// # Errors
    /// The bucket can't be asked.
    pub async fn unfinished_saves(&self, scope: &Scope) -> Result<Vec<UnfinishedSave>, ApiError> {
        self.get("/v1/versions/unfinished", scope).await
    }

    /// One version by its seconds or `latest`.
    ///
    /// # Errors
    /// There is none.
    pub async fn version(&self, scope: &Scope, version: &str) -> Result<Version, ApiError> {
        if version.is_empty() {
            return Err(ApiError::usage("the version must not be empty: Unix seconds, or `latest`"));
        }
        self.get(&format!("/v1/versions/{}", segment(version)), scope).await
    }

    /// Commands that have not ended, oldest first.
    ///
    /// # Errors
    /// The server can't be asked.
    pub async fn commands(&self, scope: &Scope) -> Result<Vec<CommandSummary>, ApiError> {
        self.get("/v1/commands", scope).await
    }

    /// A part of a sandbox's latest conversation.
    ///
    /// # Errors
    /// There is no such sandbox.
    pub async fn conversation(&self, query: &PageQuery, sandbox: &str) -> Result<ConversationPage, ApiError> {
        self.get(&sandbox_path(sandbox, "/conversation")?, query).await
    }

    /// Positions of the items of a sandbox's latest conversation that hold a text.
    ///
    /// # Errors
    /// There is no such sandbox.
    pub async fn search(&self, query: &SearchQuery, sandbox: &str) -> Result<Vec<u64>, ApiError> {
        self.get(&sandbox_path(sandbox, "/search")?, query).await
    }

    /// What an account has spent.
    ///
    /// # Errors
    /// The server can't be asked.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Usage, ApiError> {
        self.get("/v1/usage", query).await
    }

    /// What is in order and what isn't.
    ///
    /// # Errors
    /// The server can't be asked.
    pub async fn doctor(&self, scope: &Scope) -> Result<Doctor, ApiError> {
        self.get("/v1/doctor", scope).await
    }

    /// Variables for other programs. Starts the engine.
    ///
    /// # Errors
    /// The engine can't be started.
    pub async fn engine_access(&self) -> Result<EngineAccess, ApiError> {
        self.json(&Call::get("/v1/engine/access")).await
    }
}

/// The path of a sandbox, and what is asked of it.
pub(super) fn sandbox_path(name: &str, what: &str) -> Result<String, ApiError> {
    if name.is_empty() {
        return Err(ApiError::usage("the sandbox must not be empty: an id, a name, or the beginning of one"));
    }
    Ok(format!("/v1/sandboxes/{}{what}", segment(name)))
}
