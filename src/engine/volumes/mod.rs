//! Volumes: one folder each, owned by the sandboxes' root and bound into them. Their files carry ids of sandboxes, so
//! the engine works on them only through a helper that is root over just those ids.
//!
//! Every volume is of Modal's second version. A bind mount is live, so a commit only makes it durable.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension};
use tonic::Status;

use super::{
    Shared, jail, names, random,
    spec::IdMap,
    state::{State, StateError, now},
};
use crate::proto::client::{
    CreationInfo, ObjectCreationType, VolumeCommitRequest, VolumeCommitResponse, VolumeDeleteRequest, VolumeFsVersion,
    VolumeGetOrCreateRequest, VolumeGetOrCreateResponse, VolumeHeartbeatRequest, VolumeListItem, VolumeListRequest,
    VolumeListResponse, VolumeMetadata, VolumeReloadRequest,
};

/// All volumes of a data dir.
#[derive(Debug)]
pub struct Volumes {
    state: State,
    dir: PathBuf,
    program: PathBuf,
    ids: IdMap,
}

impl Volumes {
    /// Volumes below `dir`, whose files belong to `ids`; `program` is started as helper.
    pub fn new(state: State, dir: PathBuf, program: PathBuf, ids: IdMap) -> Self {
        Self { state, dir, program, ids }
    }

    /// The folder to bind for a volume; made with it, and again if its row outlived it.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn folder(&self, volume_id: &str) -> Result<PathBuf, Status> {
        let id = volume_id.to_owned();
        let sql = "SELECT 1 FROM volumes WHERE volume_id = ?1";
        if !self.state.call(move |db| Ok(db.prepare_cached(sql)?.exists([id])?)).await? {
            return Err(names::missing("volume", volume_id));
        }
        let path = self.dir.join(volume_id);
        jail::make_dir(&self.ids, &path)?;
        Ok(path)
    }

    /// Makes what sandboxes wrote durable. Others see it already.
    ///
    /// # Errors
    /// NOT_FOUND, or the disk's.
    pub async fn commit(&self, volume_id: &str) -> Result<(), Status> {
        self.folder(volume_id).await?;
        // Of the file system that all of them lie on: a sandbox may have closed its own folder to the engine's user.
        let dir = self.dir.clone();
        let sync = move || rustix::fs::syncfs(std::fs::File::open(dir)?).map_err(std::io::Error::from);
        tokio::task::spawn_blocking(sync).await.map_err(|e| Status::internal(e.to_string()))??;
        Ok(())
    }

    /// Shows what others committed: a bind mount always does.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn reload(&self, volume_id: &str) -> Result<(), Status> {
        self.folder(volume_id).await.map(|_| ())
    }

    /// Deletes the row first: a folder that is left over is only disk, a row without files would be a loss.
    async fn delete(&self, volume_id: &str) -> Result<(), Status> {
        let path = self.folder(volume_id).await?;
        let id = volume_id.to_owned();
        self.state.call(move |db| Ok(db.execute("DELETE FROM volumes WHERE volume_id = ?1", [id])?)).await?;
        let (program, ids) = (self.program.clone(), self.ids.clone());
        let remove = move || jail::remove_tree(&program, &ids, &[Path::new(&path)]);
        tokio::task::spawn_blocking(remove).await.map_err(|e| Status::internal(e.to_string()))??;
        Ok(())
    }
}

struct Row {
    id: String,
    name: Option<String>,
    created_at: f64,
}

const COLUMNS: &str = "volume_id, name, created_at";

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)? })
    }

    fn metadata(&self) -> VolumeMetadata {
        VolumeMetadata {
            version: VolumeFsVersion::V2.into(),
            name: self.name.clone().unwrap_or_default(),
            creation_info: Some(CreationInfo { created_at: self.created_at, ..CreationInfo::default() }),
        }
    }
}

/// VolumeGetOrCreate.
pub async fn get_or_create(
    shared: Arc<Shared>,
    request: VolumeGetOrCreateRequest,
) -> Result<VolumeGetOrCreateResponse, Status> {
    let how = names::creation(request.object_creation_type)?;
    let name = match how {
        ObjectCreationType::Ephemeral | ObjectCreationType::AnonymousOwnedByApp => None,
        _ => Some(request.deployment_name.clone()),
    };
    let create = how != ObjectCreationType::Unspecified;
    if create {
        name.iter().try_for_each(|name| names::check("a volume", name))?;
    }
    let environment = names::environment(&request.environment_name);
    let id = random::id("vo", 22)?;
    let find_or_make = move |db: &mut Connection| {
        let db = db.transaction()?;
        let found = name.as_deref().map(|name| find(&db, &environment, name)).transpose()?.flatten();
        match found {
            Some(_) if how == ObjectCreationType::CreateFailIfExists => return Ok(Err(())),
            Some(found) => return Ok(Ok(Some(found))),
            None if !create => return Ok(Ok(None)),
            None => {}
        }
        let row = Row { id, name, created_at: now() };
        let sql = "INSERT INTO volumes VALUES (?1, ?2, ?3, ?4, ?5)";
        db.execute(sql, (&row.id, environment, &row.name, VolumeFsVersion::V2 as i32, row.created_at))?;
        db.commit()?;
        Ok(Ok(Some(row)))
    };
    let row = shared.state.call(find_or_make).await?;
    let row = row
        .map_err(|()| Status::already_exists(format!("a volume {:?} already exists", request.deployment_name)))?
        .ok_or_else(|| names::missing("volume", &request.deployment_name))?;
    shared.volumes.folder(&row.id).await?;
    Ok(VolumeGetOrCreateResponse {
        version: VolumeFsVersion::V2.into(),
        metadata: Some(row.metadata()),
        volume_id: row.id,
    })
}

/// VolumeList, newest first.
pub async fn list(shared: Arc<Shared>, request: VolumeListRequest) -> Result<VolumeListResponse, Status> {
    let environment_name = names::environment(&request.environment_name);
    let page = names::Page::new(&environment_name, request.pagination);
    let rows = shared.state.call(move |db| page.read(db, "volumes", COLUMNS, Row::read)).await?;
    let items = rows.into_iter().map(|row| VolumeListItem {
        metadata: Some(row.metadata()),
        label: row.name.unwrap_or_default(),
        volume_id: row.id,
        created_at: row.created_at,
    });
    Ok(VolumeListResponse { items: items.collect(), environment_name })
}

/// VolumeDelete.
pub async fn delete(shared: Arc<Shared>, request: VolumeDeleteRequest) -> Result<(), Status> {
    shared.volumes.delete(&request.volume_id).await
}

/// VolumeCommit.
pub async fn commit(shared: Arc<Shared>, request: VolumeCommitRequest) -> Result<VolumeCommitResponse, Status> {
    shared.volumes.commit(&request.volume_id).await?;
    Ok(VolumeCommitResponse { skip_reload: true })
}

/// VolumeReload.
pub async fn reload(shared: Arc<Shared>, request: VolumeReloadRequest) -> Result<(), Status> {
    shared.volumes.reload(&request.volume_id).await
}

/// VolumeHeartbeat: ephemeral volumes stay until they are deleted.
pub async fn heartbeat(shared: Arc<Shared>, request: VolumeHeartbeatRequest) -> Result<(), Status> {
    shared.volumes.folder(&request.volume_id).await.map(|_| ())
}

fn find(db: &Connection, environment: &str, name: &str) -> Result<Option<Row>, StateError> {
    let sql = format!("SELECT {COLUMNS} FROM volumes WHERE environment = ?1 AND name = ?2");
    Ok(db.query_row(&sql, (environment, name), Row::read).optional()?)
}
