//! SandboxCreateV2: a row before anything is made, so that a call sent again finds its sandbox whatever happened in
//! between; and a failed start leaves nothing.

use std::{collections::BTreeMap, fs, io, path::Path, sync::Arc};

use tokio::task::spawn_blocking;
use tonic::Status;

use super::{
    definition::Plan,
    environment::{defaults, merge},
    folders::{clear_scratch, keeper_dir, remove_keeper_dir, scratch_dir},
    live::tend,
    rows::{self, Row},
    task::{self, task_of},
};
use crate::{
    engine::{
        Shared, jail,
        keeper::{KeeperError, KeeperHandle},
        proxy::Keys,
        random, room,
        spec::SandboxSpec,
        state::now,
    },
    proto::client::{SandboxCreateV2Request, SandboxCreateV2Response, SandboxHandleMetadata},
};

/// Characters of an id: 22 would be read as the first kind of sandbox.
const ID_LENGTH: usize = 26;

/// Makes a sandbox, or finds the one that an earlier call with this key made.
pub async fn create(
    shared: &Arc<Shared>,
    request: SandboxCreateV2Request,
    key: Option<String>,
    caller: &str,
) -> Result<SandboxCreateV2Response, Status> {
    let app_id = request.app_id.clone();
    // A caller that hangs up must not leave half a sandbox: what has begun goes on.
    let making = tokio::spawn(make(shared.clone(), request, key));
    let id = making.await.map_err(|e| Status::internal(format!("making the sandbox was cut off: {e}")))??;
    let task_id = task_of(&id);
    let access = task::access(shared, &task_id, caller);
    Ok(SandboxCreateV2Response {
        sandbox_id: id,
        task_id,
        metadata: Some(SandboxHandleMetadata { app_id, ..SandboxHandleMetadata::default() }),
        command_router_access: Some(access),
        ..SandboxCreateV2Response::default()
    })
}

async fn make(shared: Arc<Shared>, request: SandboxCreateV2Request, key: Option<String>) -> Result<String, Status> {
    // One at a time for each key; calls with different ones don't wait for each other.
    let turn = key.as_ref().map(|key| shared.sandboxes.turn(key));
    let _turn = match &turn {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    let mut id = None;
    if let Some(key) = key.clone() {
        match shared.state.call(move |db| rows::by_key(db, &key)).await? {
            Some(row) if row.started => return Ok(row.id),
            // An engine stopped before it stood: the same id begins anew.
            Some(row) => id = Some(row.id),
            None => {}
        }
    }
    room::need(&shared)?;
    let plan = Plan::new(&shared, &request).await?;
    let id = match id {
        Some(id) => {
            clear(&shared, &id).await?;
            id
        }
        None => random::id("sb", ID_LENGTH).map_err(|e| Status::internal(format!("no random id: {e}")))?,
    };
    let row = Row {
        id: id.clone(),
        app_id: request.app_id,
        name: plan.name.clone(),
        created_at: now(),
        facts: plan.facts.clone(),
        tags: plan.tags.clone(),
        started: false,
        ended: None,
    };
    let (noted, env) = (row.clone(), shared.secrets.seal(&id, &plan.env)?);
    // Should the machine stop before it is on the disk, nothing that it stands for is left either.
    let is_new = shared.state.call_unflushed(move |db| rows::insert(db, &noted, &env, key.as_deref())).await?;
    if !is_new {
        let name = row.name.unwrap_or_default();
        return Err(Status::already_exists(format!("a sandbox named {name} already exists and runs in this app")));
    }
    match start(&shared, row, plan).await {
        Ok(()) => Ok(id),
        Err(why) => {
            clear(&shared, &id).await?;
            Err(why)
        }
    }
}

async fn start(shared: &Arc<Shared>, row: Row, plan: Plan) -> Result<(), Status> {
    let (id, task_id) = (row.id.clone(), task_of(&row.id));
    let scratch = scratch_dir(shared, &id);
    let env = plan.env.clone();
    let mut first = merge([defaults(&id, &task_id, plan.facts.network), env.clone()]);
    // The first command has no socket of its own.
    Keys::drop_all(&mut first, &shared.settings.withhold);
    let spec = plan.spec(shared, &id, &task_id, &scratch);
    let (of, made) = (spec.clone(), scratch.clone());
    spawn_blocking(move || make_scratch(&of, &made))
        .await
        .map_err(io::Error::other)
        .and_then(|done| done)
        .map_err(|e| Status::internal(format!("cannot make {} for the sandbox: {e}", scratch.display())))?;
    let dir = keeper_dir(shared, &id);
    let keeper =
        KeeperHandle::start(&shared.settings.program, &dir, &spec, &first).await.map_err(|e| not_started(&e))?;
    let noted = shared.state.call(move |db| rows::started(db, &id));
    let (noted, tended) = tokio::join!(noted, tend(shared, row, keeper, env, BTreeMap::new()));
    noted?;
    tended.map(|_| ()).map_err(|e| not_started(&e))
}

fn not_started(error: &KeeperError) -> Status {
    Status::failed_precondition(format!("the sandbox could not be started: {error}"))
}

/// What the sandbox writes goes below folders of its own root; the one above them is the engine's.
fn make_scratch(spec: &SandboxSpec, scratch: &Path) -> io::Result<()> {
    match fs::create_dir(scratch) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    spec.root
        .overlays
        .iter()
        .flat_map(|overlay| [&overlay.upper, &overlay.work])
        .try_for_each(|folder| jail::make_dir(&spec.ids, folder))
}

/// Nothing is left of it.
async fn clear(shared: &Arc<Shared>, id: &str) -> Result<(), Status> {
    remove_keeper_dir(shared, id).await;
    clear_scratch(shared, id).await;
    let id = id.to_owned();
    Ok(shared.state.call(move |db| rows::delete(db, &id)).await?)
}
