//! The stage takes all bytes that are missing, and verifies them, before anything in the workspace is touched.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::{compare::Plan, tree::Tree, work::Work};
use crate::{
    fault,
    inside::mover::{
        context::Mover,
        hash::{PIECE, part_digest},
        http::{Fault, Hope, repeat},
        pipes::Input,
        root::size,
        stop::Stop,
        threads::{READERS, ahead, blocking},
        words::{Content, Digest, Frame, Kind, Request, WINDOW, part_range},
    },
};

/// How often progress is told at most: as often as people can see.
const PROGRESS: Duration = Duration::from_millis(200);

/// A file of the stage that isn't complete.
#[derive(Debug)]
struct Staged {
    entry: u64,
    file: File,
    content: Content,
}

/// A part that was asked for.
type Part = (u64, u32);

/// Fetches what is missing, and gives the bytes that came.
pub async fn stage(mover: &Mover, input: &mut Input, work: &Arc<Work>, tree: &Tree, plan: &Plan) -> Result<u64, Stop> {
    let mut missing = std::pin::pin!(missing(work, tree, &plan.place)?);
    let mut open: HashMap<Part, Arc<Staged>> = HashMap::new();
    let mut fetching = JoinSet::new();
    let mut progress = Progress::new(plan.parts);
    let mut all_told = false;
    loop {
        while !all_told && open.len() < WINDOW {
            match missing.next().await {
                None => all_told = true,
                Some(found) => match found.map_err(cant_stage)? {
                    Missing::No { parts } => progress.done += parts,
                    Missing::Part(staged, part) => {
                        mover.out.send(Frame::Want { entry: staged.entry, part }).await?;
                        open.insert((staged.entry, part), staged);
                    }
                },
            }
        }
        if open.is_empty() {
            progress.tell(mover, true).await?;
            return Ok(progress.bytes);
        }
        let alone = fetching.is_empty();
        tokio::select! {
            frame = async { if alone { input.answer().await } else { input.next().await } } => match frame? {
                Some(Frame::Get { ticket, entry, part, request }) => {
                    let Some(staged) = open.get(&(entry, part)).cloned() else {
                        return Err(Stop(format!("the service sends part {part} of entry {entry} unasked")));
                    };
                    let permit = mover.permit().await?;
                    let mover = mover.clone();
                    fetching.spawn(async move {
                        let _permit = permit;
                        (ticket, (entry, part), repeat(|| fetch(&mover, &staged, part, &request)).await)
                    });
                }
                Some(_) => return Err(Stop("the service sent a frame that has no place in a restore".to_owned())),
                None => return Err(Stop("the service is gone; nothing was changed".to_owned())),
            },
            Some(done) = fetching.join_next() => {
                let (ticket, part, result) = done.map_err(|e| Stop::at("a part of the mover failed", e))?;
                match result {
                    Ok((bytes, etag)) => {
                        // A part that was asked for twice counts once.
                        if open.remove(&part).is_some() {
                            progress.done += 1;
                            progress.bytes += bytes;
                        }
                        mover.out.send(Frame::Done { ticket, etag }).await?;
                        fault::point("staging");
                    }
                    // It stays open: another `Get` may follow.
                    Err(fault) => {
                        let again = matches!(fault.hope, Hope::Repeat | Hope::NewUrl);
                        mover.out.send(Frame::Failed { ticket, again, reason: fault.reason }).await?;
                    }
                }
                progress.tell(mover, false).await?;
            }
        }
    }
}

fn cant_stage(error: io::Error) -> Stop {
    Stop::at("files can't be collected in .sandbank/stage; nothing was changed", error)
}

/// What one planned file lacks.
#[derive(Debug)]
enum Missing {
    /// Nothing: parts that a former run left.
    No { parts: u64 },
    /// A part.
    Part(Arc<Staged>, u32),
}

/// All parts that are not in the stage yet, in tree order. What is there is verified.
fn missing(work: &Arc<Work>, tree: &Tree, place: &[bool]) -> Result<impl Stream<Item = io::Result<Missing>>, Stop> {
    let (work, place) = (work.clone(), place.to_vec());
    let planned = tree.entries().zip(place).filter_map(|(entry, place)| match entry {
        Ok((number, entry)) => match entry.kind {
            Kind::File(content) if place && content.size > 0 => Some(Ok((number, content))),
            _ => None,
        },
        Err(e) => Some(Err(e)),
    });
    let looked = ahead(planned)?.map(move |planned| {
        let work = work.clone();
        blocking(move || planned.and_then(|(entry, content)| look_at(&work, entry, content)))
    });
    // Two at a time: each holds a file open until its parts were asked for.
    let looked = looked.buffered(READERS.min(2));
    Ok(looked.map_ok(|parts| futures::stream::iter(parts).map(Ok)).try_flatten())
}

fn look_at(work: &Work, entry: u64, content: Content) -> io::Result<Vec<Missing>> {
    let (file, stat) = work.open_staged(entry)?;
    let there = size(&stat);
    if there > content.size {
        file.set_len(content.size)?;
    }
    let mut lacking = Vec::new();
    for (part, digest) in (0..).zip(&content.digests) {
        let reaches = part_range(content.size, part).end <= there;
        if !reaches || part_digest(&file, content.size, part)? != Some(*digest) {
            lacking.push(part);
        }
    }
    let parts = (content.digests.len() - lacking.len()) as u64;
    let staged = Arc::new(Staged { entry, file, content });
    let mut found: Vec<_> = lacking.into_iter().map(|part| Missing::Part(staged.clone(), part)).collect();
    if parts > 0 {
        found.push(Missing::No { parts });
    }
    Ok(found)
}

/// Fetches a part to its place in the stage, and verifies it.
async fn fetch(mover: &Mover, staged: &Arc<Staged>, part: u32, request: &Request) -> Result<(u64, String), Fault> {
    let range = part_range(staged.content.size, part);
    let whole = staged.content.digests.len() == 1;
    let answer = mover.http.get(request, range.clone(), whole).await?;
    let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
    let mut pieces = answer.bytes_stream();
    let (mut at, mut waiting, mut hash) = (range.start, BytesMut::new(), Sha256::new());
    loop {
        let piece = pieces.try_next().await?;
        if let Some(piece) = &piece {
            waiting.extend_from_slice(piece);
            if at + waiting.len() as u64 > range.end {
                return Err(Fault::last("the store has a longer object than the version says"));
            }
        }
        if waiting.len() >= PIECE || (piece.is_none() && !waiting.is_empty()) {
            let (staged, bytes) = (staged.clone(), waiting.split().freeze());
            let length = bytes.len() as u64;
            hash = blocking(move || {
                hash.update(&bytes);
                staged.file.write_all_at(&bytes, at).map(|()| hash)
            })
            .await?;
            at += length;
        }
        if piece.is_none() {
            break;
        }
    }
    if at < range.end {
        return Err(Fault::last("the store has a shorter object than the version says"));
    }
    let digest = Digest(hash.finalize().into());
    match staged.content.digests.get(part as usize) {
        Some(said) if *said == digest => Ok((range.end - range.start, etag)),
        _ => Err(Fault::last("the store's object has other bytes than the version says")),
    }
}

/// Progress, told now and then.
struct Progress {
    done: u64,
    total: u64,
    bytes: u64,
    told: Instant,
}

impl Progress {
    fn new(total: u64) -> Self {
        Self { done: 0, total, bytes: 0, told: Instant::now() }
    }

    async fn tell(&mut self, mover: &Mover, last: bool) -> Result<(), Stop> {
        if last || self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            let Self { done, total, bytes, .. } = *self;
            mover.out.send(Frame::Progress { done, total, bytes }).await?;
        }
        Ok(())
    }
}
