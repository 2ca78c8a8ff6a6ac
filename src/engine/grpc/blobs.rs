//! Blobs: bytes too large for a message. They come and go by plain HTTP on the same port, under addresses that nobody
//! can guess, as with Modal's signed URLs.

use std::{io, path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::put,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt;
use md5::Md5;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use tonic::Status;

use crate::{
    engine::{Shared, random, room, state::now},
    proto::client::{
        BlobCreateRequest, BlobCreateResponse, BlobGetRequest, BlobGetResponse, UploadUrlList,
        blob_create_response::{UploadTypeOneof, UploadTypesOneof},
    },
};

/// Largest blob: above it Modal's clients send a placeholder for the MD5, so an upload could not be checked by it.
const SIZE_MAX: i64 = 1 << 30;

struct Blob {
    id: String,
    md5: String,
    sha256: String,
    length: i64,
}

/// BlobCreate: where to send the bytes.
pub async fn create(shared: Arc<Shared>, request: BlobCreateRequest) -> Result<BlobCreateResponse, Status> {
    if !(0..=SIZE_MAX).contains(&request.content_length) {
        return Err(Status::invalid_argument(format!(
            "a blob of {} bytes is too large for the local engine: it takes up to 1 GiB",
            request.content_length
        )));
    }
    room::need(&shared)?;
    // 40 of 62 letters: 238 bits.
    let (id, key) = (random::id("bl", 22)?, random::id("", 40)?[1..].to_owned());
    let url = format!("{}/blobs/{key}", shared.access.modal_url);
    let row = (id.clone(), key, request.content_md5, request.content_sha256_base64, request.content_length, now());
    shared.state.call(move |db| Ok(db.execute("INSERT INTO blobs VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)?)).await?;
    Ok(BlobCreateResponse {
        blob_id: id.clone(),
        blob_ids: vec![id],
        upload_type_oneof: Some(UploadTypeOneof::UploadUrl(url.clone())),
        upload_types_oneof: Some(UploadTypesOneof::UploadUrls(UploadUrlList { items: vec![url] })),
    })
}

/// BlobGet: where to read them.
pub async fn get(shared: Arc<Shared>, request: BlobGetRequest) -> Result<BlobGetResponse, Status> {
    path(&shared, &request.blob_id).await?;
    let id = request.blob_id;
    let sql = "SELECT key FROM blobs WHERE blob_id = ?1";
    let key: String = shared.state.call(move |db| Ok(db.query_row(sql, [id], |row| row.get(0))?)).await?;
    Ok(BlobGetResponse { download_url: format!("{}/blobs/{key}", shared.access.modal_url) })
}

/// The file of a blob whose bytes are there.
///
/// # Errors
/// NOT_FOUND.
pub async fn path(shared: &Shared, blob_id: &str) -> Result<PathBuf, Status> {
    let path = shared.settings.dir.join("blobs").join(blob_id);
    let named = blob_id.starts_with("bl-") && blob_id[3..].bytes().all(|b| b.is_ascii_alphanumeric());
    if named && tokio::fs::try_exists(&path).await? {
        Ok(path)
    } else {
        Err(Status::not_found(format!("there is no blob {blob_id}, or its bytes were not sent")))
    }
}

/// The routes of the bytes.
pub fn routes(shared: Arc<Shared>) -> Router {
    Router::new().route("/blobs/{key}", put(upload).get(download)).with_state(shared)
}

async fn find(shared: &Shared, key: String) -> Result<Blob, Response> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Blob { id: row.get(0)?, md5: row.get(1)?, sha256: row.get(2)?, length: row.get(3)? })
    };
    let sql = "SELECT blob_id, md5, sha256, length FROM blobs WHERE key = ?1";
    let found = shared.state.call(move |db: &mut Connection| Ok(db.query_row(sql, [key], read).optional()?)).await;
    match found {
        Ok(Some(blob)) => Ok(blob),
        Ok(None) => Err((StatusCode::NOT_FOUND, "there is no such blob").into_response()),
        Err(e) => Err((StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response()),
    }
}

async fn upload(Extract(shared): Extract<Arc<Shared>>, Path(key): Path<String>, body: Body) -> Response {
    let blob = match find(&shared, key).await {
        Ok(blob) => blob,
        Err(no) => return no,
    };
    match receive(&shared, &blob, body).await {
        Ok(Ok(etag)) => {
            let mut headers = HeaderMap::new();
            if let Ok(value) = format!("\"{etag}\"").parse() {
                headers.insert(header::ETAG, value);
            }
            (headers, "").into_response()
        }
        Ok(Err(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
        Err(e) => {
            let why = format!("the blob can't be kept: {e}");
            // A 500 is sent again, which is in vain when the disk is full.
            let full = room::was_full(&why);
            let code = if full { StatusCode::INSUFFICIENT_STORAGE } else { StatusCode::INTERNAL_SERVER_ERROR };
            (code, room::explain(&shared.settings.dir, why)).into_response()
        }
    }
}

/// Takes the bytes under a name of their own and shows them when they are what was announced.
async fn receive(shared: &Shared, blob: &Blob, body: Body) -> io::Result<Result<String, &'static str>> {
    let folder = shared.settings.dir.join("blobs");
    let new = folder.join(random::id("new", 22)?);
    let taken = async {
        let mut file = tokio::fs::File::create_new(&new).await?;
        let (mut md5, mut sha256, mut length) = (Md5::new(), Sha256::new(), 0_i64);
        let mut bytes = body.into_data_stream();
        while let Some(piece) = bytes.next().await {
            let Ok(piece) = piece else { return Ok(Err("the upload broke off")) };
            length += i64::try_from(piece.len()).unwrap_or(i64::MAX);
            if length > blob.length {
                return Ok(Err("more bytes came than were announced"));
            }
            md5.update(&piece);
            sha256.update(&piece);
            file.write_all(&piece).await?;
        }
        let md5 = md5.finalize();
        let same = |want: &str, got: &[u8]| want.is_empty() || want == STANDARD.encode(got);
        if length != blob.length || !same(&blob.sha256, &sha256.finalize()) || !same(&blob.md5, &md5) {
            return Ok(Err("what came is not what was announced"));
        }
        file.sync_all().await?;
        tokio::fs::rename(&new, folder.join(&blob.id)).await?;
        Ok(Ok(hex::encode(md5)))
    };
    let taken = taken.await;
    if !matches!(taken, Ok(Ok(_))) {
        let _ = tokio::fs::remove_file(&new).await;
    }
    taken
}

async fn download(Extract(shared): Extract<Arc<Shared>>, Path(key): Path<String>) -> Response {
    let blob = match find(&shared, key).await {
        Ok(blob) => blob,
        Err(no) => return no,
    };
    match tokio::fs::File::open(shared.settings.dir.join("blobs").join(&blob.id)).await {
        Ok(file) => {
            let headers = [(header::CONTENT_LENGTH, blob.length.to_string())];
            (headers, Body::from_stream(ReaderStream::new(file))).into_response()
        }
        Err(_) => (StatusCode::NOT_FOUND, "the bytes of this blob were not sent").into_response(),
    }
}
