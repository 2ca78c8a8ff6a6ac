//! The use cases, the only thing that the server calls.

pub mod conversations;
pub mod place;
pub mod run;
pub mod versions;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::stream::BoxStream;
use uuid::Uuid;

pub use place::{LocalAccess, LocalPlace, Place};

use crate::{
    api::{
        ApiError, CommandAnswer, CommandRequest, Doctor, ExecClientFrame, ExecServerFrame, ExecStart, PlacedItem,
        Published, SandboxDetail, Scope,
    },
    config::{Config, DataDir},
    core::{AccountId, ConversationId, RequestId, SandboxInfo, Version},
};

/// What a client's hello left: its shell's variables (keys; memory only) and where it has `claude`.
#[derive(Clone, Default)]
pub struct ClientEnv {
    /// Variables whose names [`crate::api::hello::is_override`].
    pub env: BTreeMap<String, String>,
    /// The `claude` of its PATH.
    pub claude: Option<PathBuf>,
}

/// The use cases over one database. Cheap to clone.
#[derive(Clone)]
pub struct Service {}

/// An exec that a client follows.
pub struct ExecSession {
    /// Output, and what is said once; ends after `Ended` or `Error`.
    pub output: BoxStream<'static, ExecServerFrame>,
    /// Where the client's frames go; dropping it ends nothing (the client may come again).
    pub input: tokio::sync::mpsc::Sender<ExecClientFrame>,
}

impl Service {
    /// Opens the database and takes up unfinished work of the server before.
    pub async fn open(config: Config, data: DataDir, local: Arc<dyn LocalPlace>) -> Result<Self, ApiError> {
        let _ = (config, data, local);
        Ok(Self {})
    }

    /// Remembers a client. Its id stands in each of its later requests.
    pub fn hello(&self, client: ClientEnv) -> Uuid {
        let _ = client;
        Uuid::new_v4()
    }

    /// Calls, turns and commands under way.
    pub fn running(&self) -> usize {
        0
    }

    /// Whether anything has to be tended: what runs, and local sandboxes.
    pub fn busy(&self) -> bool {
        false
    }

    /// Takes a command: a row first, then it is begun in the background. A known id gives what is known of it; the
    /// same id with another body is a conflict.
    pub async fn submit(&self, client: Option<Uuid>, request: CommandRequest) -> Result<CommandAnswer, ApiError> {
        let _ = (client, request);
        Err(ApiError::failed("not there"))
    }

    /// What is known of a command.
    pub async fn command(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        Err(ApiError::not_found(id.to_string()))
    }

    /// Asks a command to stop; it ends as `interrupted` when it has.
    pub async fn interrupt(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        Err(ApiError::not_found(id.to_string()))
    }

    /// Sandboxes, newest first; those that ended too when the scope says `all`.
    pub async fn sandboxes(&self, client: Option<Uuid>, scope: &Scope) -> Result<Vec<SandboxInfo>, ApiError> {
        let _ = (client, scope);
        Ok(Vec::new())
    }

    /// One sandbox by id, name, or a prefix that fits one.
    pub async fn sandbox(&self, client: Option<Uuid>, scope: &Scope, name: &str) -> Result<SandboxDetail, ApiError> {
        let _ = (client, scope);
        Err(ApiError::not_found(name))
    }

    /// What a sandbox's first command wrote, so far or, with `follow`, until its end.
    pub async fn logs(
        &self,
        client: Option<Uuid>,
        scope: &Scope,
        name: &str,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, ApiError>>, ApiError> {
        let _ = (client, scope, follow);
        Err(ApiError::not_found(name))
    }

    /// Starts a command in a sandbox, or finds the one that was started under this id, and follows it.
    pub async fn exec(&self, client: Option<Uuid>, sandbox: &str, start: ExecStart) -> Result<ExecSession, ApiError> {
        let _ = (client, start);
        Err(ApiError::not_found(sandbox))
    }

    /// Versions, newest first.
    pub async fn versions(&self, client: Option<Uuid>, scope: &Scope) -> Result<Vec<Version>, ApiError> {
        let _ = (client, scope);
        Ok(Vec::new())
    }

    /// One version by its seconds or `latest`.
    pub async fn version(&self, client: Option<Uuid>, scope: &Scope, name: &str) -> Result<Version, ApiError> {
        let _ = (client, scope);
        Err(ApiError::not_found(name))
    }

    /// A conversation so far: the named one, or the sandbox's latest.
    pub async fn transcript(
        &self,
        client: Option<Uuid>,
        scope: &Scope,
        sandbox: &str,
        conversation: Option<ConversationId>,
    ) -> Result<Vec<PlacedItem>, ApiError> {
        let _ = (client, scope, conversation);
        Err(ApiError::not_found(sandbox))
    }

    /// The account's events: stored ones after the cursor (from now on when absent), a keyframe, then what happens.
    /// Ends when the follower is too slow: it comes again with its cursor.
    pub async fn follow(
        &self,
        account: &AccountId,
        after: Option<u64>,
    ) -> Result<BoxStream<'static, Published>, ApiError> {
        let _ = (account, after);
        Ok(Box::pin(futures::stream::empty()))
    }

    /// What is in order and what isn't, for this client's environment.
    pub async fn doctor(&self, client: Option<Uuid>, scope: &Scope) -> Doctor {
        let _ = (client, scope);
        Doctor::default()
    }

    /// Stores what is under way and lets go: nothing that was accepted is lost, the next server takes it up.
    pub async fn close(&self) {}
}
