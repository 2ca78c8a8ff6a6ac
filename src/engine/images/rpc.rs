//! The RPCs about images.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};
use tonic::Status;

use super::{
    build::{self, Progress},
    recipe::{self, Base, Recipe},
};
use crate::{
    engine::{Shared, names, random, state::now},
    proto::client::{
        FileDescriptor, GenericResult, Image, ImageFromIdRequest, ImageFromIdResponse, ImageGetOrCreateRequest,
        ImageGetOrCreateResponse, ImageJoinStreamingRequest, ImageJoinStreamingResponse, ImageMetadata, TaskLogs,
        generic_result::GenericStatus,
    },
};

/// How long a read of a build's log is held when the caller doesn't say, as Modal's clients ask.
const HOLD: Duration = Duration::from_secs(55);

/// Lines in one message.
const LINES: usize = 1_000;

/// ImageGetOrCreate: equal recipes are one image. The answer has a result only if it is built; else the build has
/// begun, and [`join`] tells of it.
pub async fn get_or_create(
    shared: Arc<Shared>,
    request: ImageGetOrCreateRequest,
) -> Result<ImageGetOrCreateResponse, Status> {
    names::app(&shared.state, &request.app_id).await?;
    let image = request.image.unwrap_or_default();
    let anew = request.force_build || request.ignore_cache;
    let mut recipe = read(&shared, &image).await?;
    if anew {
        recipe.salt = random::id("", 22)?;
    }
    let json = serde_json::to_string(&recipe).map_err(|e| Status::internal(e.to_string()))?;
    let mut digest = hex::encode(Sha256::digest(&json));
    let id = random::id("im", 22)?;
    let replaces = (request.force_build && !request.ignore_cache).then(|| Recipe { salt: String::new(), ..recipe });
    let replaces = replaces.map(|r| serde_json::to_string(&r)).transpose();
    let replaces = replaces.map_err(|e| Status::internal(e.to_string()))?.map(|j| hex::encode(Sha256::digest(j)));
    let find_or_make = move |db: &mut Connection| {
        let db = db.transaction()?;
        if let Some(cached) = replaces {
            // The new one takes the place of the one that equal requests found until now.
            db.execute("UPDATE images SET digest = digest || '-' || image_id WHERE digest = ?1", [&cached])?;
            digest = cached;
        }
        let sql = "INSERT INTO images VALUES (?1, ?2, ?3, NULL, ?4) ON CONFLICT (digest) DO NOTHING";
        db.execute(sql, (id, &digest, json, now()))?;
        let row = db.query_row("SELECT image_id, built IS NOT NULL FROM images WHERE digest = ?1", [&digest], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, bool>(1)?))
        });
        let row = row?;
        db.commit()?;
        Ok(row)
    };
    let (image_id, built) = shared.state.call(find_or_make).await?;
    if !built {
        build::begin(&shared, &image_id).await?;
    }
    let result = built.then(success);
    Ok(ImageGetOrCreateResponse { image_id, result, metadata: Some(ImageMetadata::default()) })
}

/// ImageFromId.
pub async fn from_id(shared: Arc<Shared>, request: ImageFromIdRequest) -> Result<ImageFromIdResponse, Status> {
    shared.images.row(&request.image_id).await?;
    Ok(ImageFromIdResponse { image_id: request.image_id, metadata: Some(ImageMetadata::default()) })
}

/// What the caller wants, understood.
async fn read(shared: &Shared, image: &Image) -> Result<Recipe, Status> {
    let (from, steps) = recipe::parse(&image.dockerfile_commands).map_err(Status::invalid_argument)?;
    for (asked, what) in [
        (!image.context_mount_id.is_empty() || !image.context_files.is_empty(), "files of the client (COPY)"),
        (!image.volume_mounts.is_empty(), "volumes during the build"),
        (image.gpu_config.as_ref().is_some_and(|g| !g.gpu_type.is_empty() || g.count > 0), "a GPU"),
    ] {
        if asked {
            return Err(Status::invalid_argument(format!("the local engine builds images without {what}")));
        }
    }
    let parent = image.base_images.iter().find(|base| base.docker_tag == from);
    let base = match parent {
        Some(parent) => {
            shared.images.row(&parent.image_id).await?;
            Base::Image(parent.image_id.clone())
        }
        None => {
            named(shared, &from)?;
            let host = shared.images.host.clone();
            let key = tokio::task::spawn_blocking(move || host.key()).await;
            Base::Host(key.map_err(|e| Status::internal(e.to_string()))?)
        }
    };
    Ok(Recipe { base, steps, secrets: image.secret_ids.clone(), salt: String::new() })
}

/// A name must be `host`, or one that the user lets the host stand in for.
fn named(shared: &Shared, name: &str) -> Result<(), Status> {
    let stand_ins = &shared.images.stand_ins;
    let meant = stand_ins.get(name).map_or(name, String::as_str);
    if meant == "host" {
        return Ok(());
    }
    let meaning = if meant == name { String::new() } else { format!(" (which stands in for {name:?})") };
    Err(Status::invalid_argument(format!(
        "the local engine has no image {meant:?}{meaning}: it runs sandboxes on this machine's own /usr, the image \
         `host`. To use that instead, write into the configuration:\n\n[engine.images]\nstand_ins = {{ {name:?} = \
         \"host\" }}\n"
    )))
}

fn success() -> GenericResult {
    GenericResult { status: GenericStatus::Success.into(), ..GenericResult::default() }
}

/// ImageJoinStreaming: the log of a build from an entry on, held open until it ends or the time is over. A build that
/// the engine's end cut off begins again.
///
/// # Errors
/// NOT_FOUND.
pub async fn join(
    shared: Arc<Shared>,
    request: ImageJoinStreamingRequest,
) -> Result<impl Stream<Item = Result<ImageJoinStreamingResponse, Status>> + Send + use<>, Status> {
    let id = &request.image_id;
    let progress = match shared.images.builds.follow(id) {
        Some(progress) => Some(progress),
        None if shared.images.row(id).await?.built.is_some() => None,
        None => Some(build::begin(&shared, id).await?),
    };
    let hold = Some(request.timeout).filter(|t| *t > 0.0).and_then(|t| Duration::try_from_secs_f32(t).ok());
    let deadline = Instant::now() + hold.unwrap_or(HOLD).min(HOLD);
    let from = request.last_entry_id.parse().unwrap_or(0);
    Ok(stream::unfold(Some((progress, from)), move |state| async move {
        let (progress, from) = state?;
        let Some(mut progress) = progress else {
            return Some((Ok(ending(Ok(()), from)), None));
        };
        let (message, at) = next(&mut progress, from, deadline).await?;
        let over = message.eof;
        Some((Ok(message), (!over).then_some((Some(progress), at))))
    }))
}

/// The next message of a build and the entry after it; `None` when the time is over.
async fn next(
    progress: &mut watch::Receiver<Progress>,
    from: usize,
    deadline: Instant,
) -> Option<(ImageJoinStreamingResponse, usize)> {
    loop {
        {
            let now = progress.borrow_and_update();
            let to = now.lines.len().min(from + LINES);
            if from < to {
                return Some((lines(&now.lines[from..to], to), to));
            }
            if let Some(result) = &now.result {
                return Some((ending(result.clone(), from), from));
            }
        }
        tokio::time::timeout_at(deadline, progress.changed()).await.ok()?.ok()?;
    }
}

fn lines(lines: &[String], at: usize) -> ImageJoinStreamingResponse {
    let log = TaskLogs {
        data: lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect(),
        timestamp: now(),
        file_descriptor: FileDescriptor::Stdout.into(),
        ..TaskLogs::default()
    };
    ImageJoinStreamingResponse {
        task_logs: vec![log],
        entry_id: at.to_string(),
        ..ImageJoinStreamingResponse::default()
    }
}

fn ending(result: Result<(), String>, at: usize) -> ImageJoinStreamingResponse {
    let result = match result {
        Ok(()) => success(),
        Err(exception) => {
            GenericResult { status: GenericStatus::Failure.into(), exception, ..GenericResult::default() }
        }
    };
    ImageJoinStreamingResponse {
        result: Some(result),
        entry_id: at.to_string(),
        eof: true,
        metadata: Some(ImageMetadata::default()),
        ..ImageJoinStreamingResponse::default()
    }
}
