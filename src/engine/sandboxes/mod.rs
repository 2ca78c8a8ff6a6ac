//! Sandboxes: made, listed, waited for, ended; their keepers found again after a restart.
//!
//! ```text
//! definition   what is asked → what is made     live     those that run, and their ends
//! environment  the variables of a command       readers  who reads what a command writes
//! create       the making, once for each key    keys     what is withheld from a command
//! recover      after a start: found again       task     where its commands are reached
//! folders      what it has on disk              end      an end in Modal's words
//! rows         the table
//! ```
//!
//! What must stay true: a row is there before anything of its sandbox is; a keeper's folder has the last word about an
//! end; what is secret is encrypted in rows and gone when its sandbox has ended.

mod create;
mod definition;
mod end;
pub mod environment;
mod folders;
pub mod keys;
mod live;
mod readers;
mod recover;
mod rows;
mod task;

use std::{
    collections::HashMap,
    os::unix::fs::DirBuilderExt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::timeout;
use tonic::Status;

pub use self::{definition::check_path, live::Live, readers::Readers};
use self::{
    folders::keeper_dir,
    live::Running,
    rows::{Filter, Row},
    task::{sandbox_of, task_of},
};
use super::{
    EngineError, Settings, Shared,
    keeper::{KeeperError, KeeperHandle},
    proxy::Upstream,
    spec::End,
};
use crate::proto::client::{
    CommandRouterAccess, GenericResult, SandboxCreateV2Request, SandboxCreateV2Response,
    SandboxGetCommandRouterAccessRequest, SandboxGetCommandRouterAccessResponse, SandboxGetFromNameRequest,
    SandboxGetFromNameResponse, SandboxGetTaskIdRequest, SandboxGetTaskIdResponse, SandboxGetTunnelsRequest,
    SandboxGetTunnelsResponse, SandboxHandleMetadata, SandboxInfo, SandboxListRequest, SandboxListResponse, SandboxTag,
    SandboxTagsGetRequest, SandboxTagsGetResponse, SandboxTagsSetRequest, SandboxTerminateRequest,
    SandboxTerminateResponse, SandboxWaitRequest, SandboxWaitResponse, TaskInfo, generic_result::GenericStatus,
    sandbox_get_command_router_access_request::Target,
};

/// Longest hold of a question for an end: Modal's clients ask for 10 seconds, and 55 where they wait long.
const LONGEST_HOLD: f32 = 60.0;

/// Rows of one answer to a list, as Modal's other lists have them.
const PAGE: usize = 100;

/// All sandboxes of a data dir.
#[derive(Debug)]
pub struct Sandboxes {
    running: Running,
    /// The way to the API for withheld keys.
    pub upstream: Upstream,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl Sandboxes {
    /// Makes the folders; [`Self::recover`] then finds those that run.
    ///
    /// # Errors
    /// What could not be made.
    pub async fn open(settings: &Settings) -> Result<Self, EngineError> {
        for name in ["sandboxes", "scratch"] {
            let dir = settings.dir.join(name);
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .map_err(|e| EngineError::new(format!("cannot make {}: {e}", dir.display())))?;
        }
        let upstream = Upstream::new().map_err(EngineError::new)?;
        Ok(Self { running: Running::default(), upstream, turns: Mutex::default() })
    }

    /// Finds the keepers of an earlier engine again.
    ///
    /// # Errors
    /// The database's.
    pub async fn recover(shared: &Arc<Shared>) -> Result<(), EngineError> {
        recover::recover(shared).await
    }

    /// Lets go of all sandboxes, which go on: nothing is served or watched any more.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.count()
    }

    /// A running sandbox by its task.
    pub fn live(&self, task_id: &str) -> Option<Arc<Live>> {
        self.running.get(task_id)
    }

    /// What answers for a task, also when its sandbox has ended, as long as its output is kept.
    pub fn keeper(shared: &Shared, task_id: &str) -> Result<KeeperHandle, Status> {
        if let Some(live) = shared.sandboxes.live(task_id) {
            return Ok(live.keeper.clone());
        }
        let gone = || Status::not_found(format!("there is no task {task_id}, or its output is no longer kept"));
        // The id comes from a token that we signed, but it becomes a path.
        let id =
            sandbox_of(task_id).filter(|id| id[3..].bytes().all(|b| b.is_ascii_alphanumeric())).ok_or_else(gone)?;
        match KeeperHandle::open(&keeper_dir(shared, &id)) {
            Ok(keeper) => Ok(keeper),
            Err(KeeperError::Gone) => Err(gone()),
            Err(e) => Err(Status::internal(e.to_string())),
        }
    }

    /// Calls with one key come one after the other.
    fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(key.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Ends every sandbox of an app, as a client that disconnects asks.
    ///
    /// # Errors
    /// A keeper could not be told.
    pub async fn stop_app(shared: &Arc<Shared>, app_id: &str) -> Result<(), Status> {
        for live in shared.sandboxes.running.all() {
            if live.row.app_id == app_id {
                live.keeper.terminate().await.map_err(|e| Status::internal(e.to_string()))?;
            }
        }
        Ok(())
    }

    /// SandboxCreateV2. Answers are kept by idempotency key around this call; the key is given too, so that a sandbox
    /// that was made before a crash is found again.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, UNIMPLEMENTED, NOT_FOUND, ALREADY_EXISTS, or FAILED_PRECONDITION with why it does not start.
    pub async fn create(
        shared: &Arc<Shared>,
        request: SandboxCreateV2Request,
        idempotency_key: Option<String>,
        caller: &str,
    ) -> Result<SandboxCreateV2Response, Status> {
        create::create(shared, request, idempotency_key, caller).await
    }

    /// SandboxWaitV2.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn wait(shared: &Arc<Shared>, request: SandboxWaitRequest) -> Result<SandboxWaitResponse, Status> {
        if let Some(live) = shared.sandboxes.live(&task_of(&request.sandbox_id)) {
            let hold = Duration::try_from_secs_f32(request.timeout.clamp(0.0, LONGEST_HOLD)).unwrap_or_default();
            let mut ended = live.ended();
            let end = timeout(hold, ended.wait_for(Option::is_some)).await;
            let end = end.ok().and_then(Result::ok).and_then(|end| end.clone());
            let result = end.map(|end| end::result(&end, true));
            return Ok(SandboxWaitResponse { metadata: Some(metadata(&live.row, result.clone())), result });
        }
        let row = row(shared, &request.sandbox_id).await?;
        let result = result(&row);
        Ok(SandboxWaitResponse { metadata: Some(metadata(&row, result.clone())), result })
    }

    /// SandboxTerminateV2.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn terminate(
        shared: &Arc<Shared>,
        request: SandboxTerminateRequest,
    ) -> Result<SandboxTerminateResponse, Status> {
        if let Some(live) = shared.sandboxes.live(&task_of(&request.sandbox_id)) {
            live.keeper.terminate().await.map_err(|e| Status::internal(e.to_string()))?;
            return Ok(SandboxTerminateResponse::default());
        }
        let row = row(shared, &request.sandbox_id).await?;
        Ok(SandboxTerminateResponse { existing_result: result(&row) })
    }

    /// SandboxListV2.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(shared: &Arc<Shared>, request: SandboxListRequest) -> Result<SandboxListResponse, Status> {
        let filter = Filter {
            app_id: request.app_id,
            before: request.before_timestamp,
            ended_too: request.include_finished,
            tags: request.tags.into_iter().map(|t| (t.tag_name, t.tag_value)).collect(),
            limit: PAGE,
        };
        let rows = shared.state.call(move |db| rows::list(db, &filter)).await?;
        Ok(SandboxListResponse { sandboxes: rows.iter().map(info).collect() })
    }

    /// SandboxGetFromNameV2.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get_from_name(
        shared: &Arc<Shared>,
        request: SandboxGetFromNameRequest,
    ) -> Result<SandboxGetFromNameResponse, Status> {
        let what = format!("no sandbox named {} runs in the app {}", request.sandbox_name, request.app_name);
        let find = move |db: &mut rusqlite::Connection| {
            let SandboxGetFromNameRequest { sandbox_name, environment_name, app_name, include_terminated } = request;
            rows::by_name(db, &environment_name, &app_name, &sandbox_name, include_terminated)
        };
        let row = shared.state.call(find).await?.ok_or_else(|| Status::not_found(what))?;
        Ok(SandboxGetFromNameResponse { metadata: Some(metadata(&row, result(&row))), sandbox_id: row.id })
    }

    /// SandboxGetTaskIdV2.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get_task_id(
        shared: &Arc<Shared>,
        request: SandboxGetTaskIdRequest,
    ) -> Result<SandboxGetTaskIdResponse, Status> {
        let row = row(shared, &request.sandbox_id).await?;
        let task_id = row.started.then(|| task_of(&row.id));
        Ok(SandboxGetTaskIdResponse { task_id, task_result: result(&row) })
    }

    /// SandboxTagsGetV2.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn tags_get(
        shared: &Arc<Shared>,
        request: SandboxTagsGetRequest,
    ) -> Result<SandboxTagsGetResponse, Status> {
        Ok(SandboxTagsGetResponse { tags: tags(&row(shared, &request.sandbox_id).await?) })
    }

    /// SandboxTagsSetV2.
    ///
    /// # Errors
    /// NOT_FOUND, INVALID_ARGUMENT.
    pub async fn tags_set(shared: &Arc<Shared>, request: SandboxTagsSetRequest) -> Result<(), Status> {
        let (id, tags) = (request.sandbox_id.clone(), definition::tags(&request.tags)?);
        let found = shared.state.call(move |db| rows::set_tags(db, &id, &tags)).await?;
        if found { Ok(()) } else { Err(no_sandbox(&request.sandbox_id)) }
    }

    /// SandboxGetTunnelsV2: there are none, since a request for open ports is refused.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn get_tunnels(
        shared: &Arc<Shared>,
        request: SandboxGetTunnelsRequest,
    ) -> Result<SandboxGetTunnelsResponse, Status> {
        row(shared, &request.sandbox_id).await?;
        let result = GenericResult { status: GenericStatus::Success.into(), ..GenericResult::default() };
        Ok(SandboxGetTunnelsResponse { result: Some(result), tunnels: Vec::new() })
    }

    /// SandboxGetCommandRouterAccess, also for one that has ended: its output may still be read. `caller` is the
    /// caller's `x-modal-client-type`, by which the URL's scheme is chosen.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn command_router_access(
        shared: &Arc<Shared>,
        request: SandboxGetCommandRouterAccessRequest,
        caller: &str,
    ) -> Result<SandboxGetCommandRouterAccessResponse, Status> {
        let id = match request.target {
            Some(Target::SandboxId(id)) => id,
            Some(Target::TaskId(task)) => sandbox_of(&task).ok_or_else(|| no_sandbox(&task))?,
            None => return Err(Status::invalid_argument("which sandbox is not said")),
        };
        let task_id = task_of(&row(shared, &id).await?.id);
        let CommandRouterAccess { jwt, url } = task::access(shared, &task_id, caller);
        Ok(SandboxGetCommandRouterAccessResponse { jwt, url, ..SandboxGetCommandRouterAccessResponse::default() })
    }
}

fn no_sandbox(id: &str) -> Status {
    Status::not_found(format!("there is no sandbox {id}"))
}

async fn row(shared: &Shared, id: &str) -> Result<Row, Status> {
    let asked = id.to_owned();
    shared.state.call(move |db| rows::by_id(db, &asked)).await?.ok_or_else(|| no_sandbox(id))
}

fn result(row: &Row) -> Option<GenericResult> {
    row.ended.as_ref().map(|(_, end): &(f64, End)| end::result(end, row.started))
}

fn metadata(row: &Row, result: Option<GenericResult>) -> SandboxHandleMetadata {
    SandboxHandleMetadata { result, app_id: row.app_id.clone() }
}

fn tags(row: &Row) -> Vec<SandboxTag> {
    row.tags.iter().map(|(n, v)| SandboxTag { tag_name: n.clone(), tag_value: v.clone() }).collect()
}

fn info(row: &Row) -> SandboxInfo {
    let task = TaskInfo {
        id: task_of(&row.id),
        started_at: if row.started { row.created_at } else { 0.0 },
        finished_at: row.ended.as_ref().map_or(0.0, |(at, _)| *at),
        result: result(row),
        enqueued_at: row.created_at,
        sandbox_id: row.id.clone(),
        ..TaskInfo::default()
    };
    SandboxInfo {
        id: row.id.clone(),
        created_at: row.created_at,
        task_info: Some(task),
        app_id: row.app_id.clone(),
        tags: tags(row),
        name: row.name.clone().unwrap_or_default(),
        image_id: row.facts.image_id.clone(),
        timeout_secs: row.facts.timeout_secs,
        metadata: Some(metadata(row, result(row))),
        ..SandboxInfo::default()
    }
}
