//! Apps and environments: names under which sandboxes and images lie.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use tonic::Status;

use crate::{
    engine::{
        Shared, names, random,
        sandboxes::Sandboxes,
        state::{StateError, now},
    },
    proto::client::{
        AppClientDisconnectRequest, AppCreateRequest, AppCreateResponse, AppGetOrCreateRequest, AppGetOrCreateResponse,
        AppHandleMetadata, AppHeartbeatRequest, AppLifecycle, AppListRequest, AppListResponse, AppPublishRequest,
        AppPublishResponse, AppState, AppStopRequest, EnvironmentGetOrCreateRequest, EnvironmentGetOrCreateResponse,
        EnvironmentMetadata, EnvironmentSettings, ObjectCreationType, app_list_response::AppListItem,
    },
};

/// The oldest version of Modal's image builder whose first layer installs nothing of Modal: all that this engine needs
/// to be.
pub const BUILDER: &str = "2025.06";

/// Apps in one list: more than a person makes.
const LIST_MAX: u32 = 1_000;

struct App {
    id: String,
    environment: String,
    name: Option<String>,
    description: String,
    state: i32,
    created_at: f64,
    stopped_at: Option<f64>,
}

const COLUMNS: &str = "app_id, environment, name, description, state, created_at, stopped_at";

impl App {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            environment: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            state: row.get(4)?,
            created_at: row.get(5)?,
            stopped_at: row.get(6)?,
        })
    }

    fn metadata(&self) -> AppHandleMetadata {
        AppHandleMetadata {
            description: self.description.clone(),
            app_id: self.id.clone(),
            environment_name: self.environment.clone(),
            lifecycle: Some(AppLifecycle {
                app_state: self.state,
                created_at: self.created_at,
                stopped_at: self.stopped_at.unwrap_or_default(),
                ..AppLifecycle::default()
            }),
        }
    }
}

/// AppGetOrCreate: by name, or by id in the same field.
pub async fn get_or_create(
    shared: Arc<Shared>,
    request: AppGetOrCreateRequest,
) -> Result<AppGetOrCreateResponse, Status> {
    let create = names::creation(request.object_creation_type)? != ObjectCreationType::Unspecified;
    if create {
        names::check("an app", &request.app_name)?;
    }
    let environment = names::environment(&request.environment_name);
    let (name, id) = (request.app_name.clone(), new_id()?);
    let find_or_make = move |db: &mut Connection| {
        let found = find(db, &environment, &name)?;
        if found.is_some() || !create {
            return Ok(found);
        }
        insert(db, &id, &environment, Some(&name), &name, AppState::Deployed)?;
        find(db, &environment, &name)
    };
    let app = shared.state.call(find_or_make).await?;
    let app = app.ok_or_else(|| names::missing("app", &request.app_name))?;
    Ok(AppGetOrCreateResponse { handle_metadata: Some(app.metadata()), app_id: app.id })
}

/// AppCreate: an app without a name, for as long as its client is there.
pub async fn create(shared: Arc<Shared>, request: AppCreateRequest) -> Result<AppCreateResponse, Status> {
    let (environment, id) = (names::environment(&request.environment_name), new_id()?);
    let app_id = id.clone();
    let make =
        move |db: &mut Connection| insert(db, &id, &environment, None, &request.description, AppState::Ephemeral);
    shared.state.call(make).await?;
    Ok(AppCreateResponse { app_id, ..AppCreateResponse::default() })
}

/// AppPublish: functions are not served here; an app of sandboxes has none.
pub async fn publish(shared: Arc<Shared>, request: AppPublishRequest) -> Result<AppPublishResponse, Status> {
    if !request.function_ids.is_empty() || !request.class_ids.is_empty() {
        return Err(Status::unimplemented("the local engine runs sandboxes, not functions or classes"));
    }
    names::app(&shared.state, &request.app_id).await?;
    Ok(AppPublishResponse { deployed_at: now(), ..AppPublishResponse::default() })
}

/// AppHeartbeat.
pub async fn heartbeat(shared: Arc<Shared>, request: AppHeartbeatRequest) -> Result<(), Status> {
    names::app(&shared.state, &request.app_id).await
}

/// AppClientDisconnect: an ephemeral app ends with its client, and its sandboxes with it.
pub async fn disconnect(shared: Arc<Shared>, request: AppClientDisconnectRequest) -> Result<(), Status> {
    end(&shared, request.app_id).await
}

/// AppStop.
pub async fn stop(shared: Arc<Shared>, request: AppStopRequest) -> Result<(), Status> {
    end(&shared, request.app_id).await
}

/// AppList, newest first.
pub async fn list(shared: Arc<Shared>, request: AppListRequest) -> Result<AppListResponse, Status> {
    let environment = names::environment(&request.environment_name);
    let read = move |db: &mut Connection| {
        let sql = format!("SELECT {COLUMNS} FROM apps WHERE environment = ?1 ORDER BY created_at DESC LIMIT ?2");
        let mut rows = db.prepare_cached(&sql)?;
        Ok(rows.query_map((environment, LIST_MAX), App::read)?.collect::<Result<Vec<_>, _>>()?)
    };
    let apps = shared.state.call(read).await?.into_iter().map(|app| AppListItem {
        metadata: Some(app.metadata()),
        app_id: app.id,
        description: app.description,
        state: app.state,
        created_at: app.created_at,
        stopped_at: app.stopped_at.unwrap_or_default(),
        name: app.name.unwrap_or_default(),
        n_running_tasks: 0,
    });
    Ok(AppListResponse { apps: apps.collect() })
}

/// EnvironmentGetOrCreate. Nobody administers a local engine: an environment is there when it is named.
pub async fn environment(
    shared: Arc<Shared>,
    request: EnvironmentGetOrCreateRequest,
) -> Result<EnvironmentGetOrCreateResponse, Status> {
    let name = names::environment(&request.deployment_name);
    names::check("an environment", &name)?;
    let (id, row) = (random::id("en", 22)?, name.clone());
    let find_or_make = move |db: &mut Connection| {
        db.execute("INSERT INTO environments VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", (id, &row))?;
        Ok(db.query_row("SELECT environment_id FROM environments WHERE name = ?1", [&row], |r| r.get(0))?)
    };
    let environment_id = shared.state.call(find_or_make).await?;
    let settings = EnvironmentSettings { image_builder_version: BUILDER.to_owned(), ..EnvironmentSettings::default() };
    let metadata = EnvironmentMetadata { name, settings: Some(settings), ..EnvironmentMetadata::default() };
    Ok(EnvironmentGetOrCreateResponse { environment_id, metadata: Some(metadata) })
}

async fn end(shared: &Arc<Shared>, app_id: String) -> Result<(), Status> {
    names::app(&shared.state, &app_id).await?;
    Sandboxes::stop_app(shared, &app_id).await?;
    let stop = move |db: &mut Connection| {
        let sql = "UPDATE apps SET state = ?2, stopped_at = ?3 WHERE app_id = ?1 AND state <> ?2";
        Ok(db.execute(sql, (app_id, AppState::Stopped as i32, now()))?)
    };
    shared.state.call(stop).await?;
    Ok(())
}

fn new_id() -> Result<String, Status> {
    Ok(random::id("ap", 22)?)
}

fn find(db: &Connection, environment: &str, name: &str) -> Result<Option<App>, StateError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM apps WHERE (environment = ?1 AND name = ?2 AND state <> ?3) OR app_id = ?2 LIMIT 1"
    );
    Ok(db.query_row(&sql, (environment, name, AppState::Stopped as i32), App::read).optional()?)
}

fn insert(
    db: &Connection,
    id: &str,
    environment: &str,
    name: Option<&str>,
    description: &str,
    state: AppState,
) -> Result<(), StateError> {
    let sql = "INSERT INTO apps VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)";
    db.execute(sql, (id, environment, name, description, state as i32, now()))?;
    Ok(())
}
