//! Bytes in and out.

use std::{collections::VecDeque, io, ops::Range};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::StatusCode;
use s3s::{S3Error, S3Result, dto::StreamingBlob, s3_error};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    task::spawn_blocking,
};
use tokio_util::io::ReaderStream;

use super::{
    blobs::{Content, Piece, Place, Received},
    fault::{Fault, custom},
    files::{Files, NewFile},
    sums::{Declared, Hasher},
};

/// Content up to this size lives in the index: one flush, shared with others, instead of three of its own. Most files
/// of a source tree are smaller.
const SMALL: usize = 64 << 10;

/// Written to a file at a time: large enough that the hop to a blocking thread doesn't count.
const WRITE: usize = 1 << 20;

/// Read from a file at a time; as many downloads may run as there are connections.
const READ: usize = 256 << 10;

/// S3's bound for one request: what works here must work there.
pub(super) const MAX_BODY: u64 = 5 << 30;

/// Takes a body: to memory, or to a file that is on disk when this returns. Compares length and digests; nothing is
/// visible before.
pub(super) async fn receive(
    files: &Files,
    body: Option<StreamingBlob>,
    length: Option<i64>,
    declared: Declared,
) -> S3Result<Received> {
    let length = length.map(|n| u64::try_from(n).unwrap_or_default());
    let too_large = || s3_error!(EntityTooLarge, "One request takes at most 5 GiB. Use a multipart upload.");
    if length.is_some_and(|n| n > MAX_BODY) {
        return Err(too_large());
    }
    files.check_room(length.unwrap_or_default())?;
    let mut hasher = Hasher::new(declared.algorithm);
    let mut size = 0_u64;
    let mut held = BytesMut::new();
    let mut target: Option<(NewFile, File)> = None;
    let mut body = body.map(StreamExt::fuse);
    while let Some(body) = &mut body
        && let Some(chunk) = body.next().await
    {
        let chunk = chunk.map_err(|e| broken(&e.to_string()))?;
        hasher.update(&chunk);
        size += chunk.len() as u64;
        if size > MAX_BODY {
            return Err(too_large());
        }
        held.extend_from_slice(&chunk);
        match &mut target {
            None if held.len() > SMALL => {
                let files = files.clone();
                let made = spawn_blocking(move || files.create()).await.map_err(|_| Fault::Closed)?;
                let (name, file) = made.map_err(Fault::Io)?;
                target = Some((name, File::from_std(file)));
            }
            Some((_, file)) if held.len() >= WRITE => {
                // A body without a length may eat the reserve, so look again.
                files.check_room(0)?;
                file.write_all(&held).await.map_err(Fault::Io)?;
                held.clear();
            }
            _ => {}
        }
    }
    if length.is_some_and(|n| n != size) {
        return Err(s3_error!(IncompleteBody, "The body has {size} bytes, not those that Content-Length says"));
    }
    let digests = hasher.finish();
    declared.check(&digests)?;
    let content = match target {
        None => Content::Small(held.into()),
        Some((name, mut file)) => {
            file.write_all(&held).await.map_err(Fault::Io)?;
            file.sync_all().await.map_err(Fault::Io)?;
            let synced = spawn_blocking(move || name.sync_name().map(|()| name)).await.map_err(|_| Fault::Closed)?;
            Content::File(synced.map_err(Fault::Io)?)
        }
    };
    Ok(Received { size, digests, content })
}

/// A body that broke off. `s3s` compares signatures of chunks and `x-amz-content-sha256` while the body streams; its
/// errors have no public type.
fn broken(error: &str) -> S3Error {
    if error.contains("Sha256Mismatch") {
        let message = "The x-amz-content-sha256 that was given is not that of the bytes received";
        return custom("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST, message);
    }
    if error.contains("SignatureMismatch") {
        return s3_error!(SignatureDoesNotMatch, "The signature of a chunk of the body is wrong");
    }
    s3_error!(IncompleteBody, "The body ended early or is malformed")
}

/// The bytes of `range` of a content. The first file is open when this returns; one that is deleted later while a long
/// multipart object is read ends the body early, which the client sees by its length.
pub(super) async fn send(files: Files, pieces: Vec<Piece>, range: Range<u64>) -> io::Result<StreamingBlob> {
    let mut wanted = VecDeque::new();
    let mut start = 0;
    for piece in pieces {
        let end = start + piece.size;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            wanted.push_back((piece.place, from - start..to - start));
        }
        start = end;
    }
    let Some((first, part)) = wanted.pop_front() else {
        return Ok(StreamingBlob::wrap(stream::empty::<io::Result<Bytes>>()));
    };
    let first = open(files.clone(), first, part).await?;
    let rest = stream::iter(wanted).then(move |(place, part)| open(files.clone(), place, part));
    let all = stream::once(std::future::ready(Ok(first))).chain(rest).try_flatten();
    Ok(StreamingBlob::wrap(all))
}

type Chunks = std::pin::Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + Sync>>;

async fn open(files: Files, place: Place, range: Range<u64>) -> io::Result<Chunks> {
    match place {
        Place::Index(data) => {
            let index = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(data.len());
            let (from, to) = (index(range.start), index(range.end));
            let data = Bytes::from(data).slice(from..to);
            Ok(Box::pin(stream::once(std::future::ready(Ok(data)))))
        }
        Place::File(name) => {
            let file = spawn_blocking(move || files.read(&name)).await.map_err(io::Error::other)??;
            let mut file = File::from_std(file);
            if range.start > 0 {
                file.seek(io::SeekFrom::Start(range.start)).await?;
            }
            Ok(Box::pin(ReaderStream::with_capacity(file.take(range.end - range.start), READ)))
        }
    }
}
