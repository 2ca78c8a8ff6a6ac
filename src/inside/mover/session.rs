//! One session: frames in, frames out, until the input ends. Three threads tend the pipes and the runtime; files are
//! read on a bounded pool beside them.

use std::{
    io::{self, Read, Write},
    os::fd::AsFd as _,
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::BytesMut;
use futures::{StreamExt as _, stream};
use tokio::{
    sync::{Semaphore, mpsc},
    task::{JoinSet, spawn_blocking},
    time::timeout,
};

use super::{
    codec::Decoder,
    hash::read_entry,
    http::Http,
    restore::{self, journal, work::Work},
    root::Root,
    send::{self, Put},
    walk::{Found, Walk},
    words::{Frame, PROTOCOL},
};
use crate::fault;

/// Threads that read files. More than cores, since a volume may be far away; each holds one piece of a file.
pub const READERS: usize = 32;

/// Most requests at a time, whatever the service asks for: each has a connection, a descriptor and a piece of a file.
const MOST_IN_FLIGHT: u32 = 256;

/// Frames that wait for the pipe. Frames are small but for entries of huge files, which take seconds to read each.
const WAITING: usize = 256;

/// How long the service may take to answer. It has nothing to do for that but sign, so it is gone, and perhaps its
/// successor waits for the lock that a restore has: whoever holds the pipe may keep it open for ever. One that was only
/// cut off for so long starts another mover, which goes on with what is staged.
const SILENCE: Duration = Duration::from_secs(10);

/// The output is written when this much has come together, or nothing more waits.
const WRITE: usize = 64 << 10;

/// Why a mover can't go on: a sentence for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stop(pub String);

impl Stop {
    /// What failed, on what.
    pub fn at(what: &str, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

/// What all exchanges need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mover {
    /// The workspace.
    pub root: Arc<Root>,
    /// The store.
    pub http: Arc<Http>,
    /// To the service.
    pub out: Out,
    /// Requests at a time.
    pub permits: Arc<Semaphore>,
}

/// The way out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Out(mpsc::Sender<Frame>);

impl Out {
    /// Sends a frame.
    ///
    /// # Errors
    /// The service is gone.
    pub async fn send(&self, frame: Frame) -> Result<(), Stop> {
        self.0.send(frame).await.map_err(|_| gone())
    }

    /// The same from a thread of its own.
    pub fn send_blocking(&self, frame: Frame) -> Result<(), Stop> {
        self.0.blocking_send(frame).map_err(|_| gone())
    }
}

fn gone() -> Stop {
    Stop("the service is gone".to_owned())
}

/// The way in.
#[derive(Debug)]
pub struct Input(mpsc::Receiver<Result<Frame, Stop>>);

impl Input {
    /// The next frame; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Frame>, Stop> {
        self.0.recv().await.transpose()
    }

    /// The next frame, when it is the service's turn; nothing if it keeps silent.
    pub async fn answer(&mut self) -> Result<Option<Frame>, Stop> {
        timeout(SILENCE, self.next()).await.unwrap_or(Ok(None))
    }
}

/// Runs until standard input ends.
pub fn main() -> io::Result<()> {
    // Each request takes two descriptors, each folder on the way one; a limit of 1,024 may be low for that.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: limit.maximum, ..limit };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, all);

    let (frames, from_service) = mpsc::channel(WAITING);
    thread::Builder::new().spawn(move || read_frames(&frames))?;
    let (out, to_service) = mpsc::channel(WAITING);
    let writer = thread::Builder::new().spawn(move || write_frames(to_service))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(READERS).build()?;
    let ended = runtime.block_on(async {
        let out = Out(out);
        let ended = session(Input(from_service), out.clone()).await;
        if let Err(stop) = &ended {
            let _ = out.send(Frame::Stopped { reason: stop.to_string() }).await;
        }
        ended
    });
    // Reads that are under way end with the process. Dropping the runtime drops all that could still send.
    runtime.shutdown_background();
    let _ = writer.join();
    ended.map_err(io::Error::other)
}

fn read_frames(frames: &mpsc::Sender<Result<Frame, Stop>>) {
    let (mut decoder, mut buffer, mut input) = (Decoder::default(), vec![0; WRITE], io::stdin());
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => decoder.push(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        loop {
            let frame = match decoder.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => Ok(frame),
                Err(e) => Err(Stop::at("the service sent what is no frame", e)),
            };
            let bad = frame.is_err();
            if frames.blocking_send(frame).is_err() || bad {
                return;
            }
        }
    }
}

fn write_frames(mut frames: mpsc::Receiver<Frame>) {
    let (mut buffer, mut out) = (BytesMut::new(), io::stdout());
    while let Some(frame) = frames.blocking_recv() {
        frame.encode(&mut buffer);
        while buffer.len() < WRITE
            && let Ok(frame) = frames.try_recv()
        {
            frame.encode(&mut buffer);
        }
        if out.write_all(&buffer).and_then(|()| out.flush()).is_err() {
            return;
        }
        buffer.clear();
    }
}

async fn session(mut input: Input, out: Out) -> Result<(), Stop> {
    let Some(mover) = greet(&mut input, out).await? else { return Ok(()) };
    let mut tasks = JoinSet::new();
    loop {
        let frame = tokio::select! {
            frame = input.next() => match frame? {
                Some(frame) => frame,
                None => return Ok(()),
            },
            Some(done) = tasks.join_next() => {
                done.map_err(|e| Stop::at("a part of the mover failed", e))??;
                continue;
            }
        };
        match frame {
            Frame::Walk => {
                let mover = mover.clone();
                tasks.spawn(async move {
                    fault::point("walking");
                    walk(&mover).await
                });
            }
            Frame::Put { ticket, path, part, size, digest, request } => {
                let put = Put { ticket, path, part, size, digest, request };
                // No more is read while all are under way: what waits, waits in the pipe.
                let permit = mover.permits.clone().acquire_owned().await.map_err(|_| gone())?;
                let mover = mover.clone();
                tasks.spawn(async move {
                    let _permit = permit;
                    mover.out.send(send::put(&mover, put).await).await?;
                    fault::point("sending");
                    Ok(())
                });
            }
            Frame::Restore { target, before, dry, replace } => {
                let wish = restore::Wish { target, before, dry, replace };
                restore::restore(&mover, &mut input, wish).await?;
            }
            Frame::Sync => {
                let root = mover.root.clone();
                blocking(move || root.sync()).await.map_err(|e| Stop::at("the volume can't be synced", e))?;
                mover.out.send(Frame::Synced).await?;
            }
            Frame::Status => {
                let root = mover.root.clone();
                let unfinished = blocking(move || journal::read(&root)).await;
                let unfinished = unfinished.map_err(|e| Stop::at("the restore's journal can't be read", e))?;
                mover.out.send(Frame::Journal { unfinished }).await?;
            }
            Frame::Discard => {
                let root = mover.root.clone();
                let unfinished = blocking(move || Work::discard(&root)).await;
                let unfinished = unfinished.map_err(|e| Stop::at("the unfinished restore can't be dropped", e))?;
                mover.out.send(Frame::Journal { unfinished }).await?;
            }
            _ => return Err(Stop("the service sent a frame that has no place here".to_owned())),
        }
    }
}

async fn greet(input: &mut Input, out: Out) -> Result<Option<Mover>, Stop> {
    let (protocol, in_flight, path) = match input.next().await? {
        Some(Frame::Hello { protocol, in_flight, root }) => (protocol, in_flight, root),
        Some(_) => return Err(Stop("the service didn't say hello".to_owned())),
        None => return Ok(None),
    };
    out.send(Frame::Ready { protocol: PROTOCOL }).await?;
    if protocol != PROTOCOL {
        return Err(Stop(format!("the service speaks protocol {protocol}, this mover {PROTOCOL}")));
    }
    let shown = String::from_utf8_lossy(&path).into_owned();
    let root = blocking(move || Root::open(&path)).await;
    let root = root.map_err(|e| Stop::at(&format!("the workspace {shown} can't be opened"), e))?;
    let permits = Semaphore::new(in_flight.clamp(1, MOST_IN_FLIGHT) as usize).into();
    Ok(Some(Mover { root: root.into(), http: Arc::default(), out, permits }))
}

/// Tells the tree. Files are read by many threads, and told in the order of the walk.
async fn walk(mover: &Mover) -> Result<(), Stop> {
    let unreadable = |e| Stop::at("the workspace can't be read", e);
    let walk = Walk::new(mover.root.clone()).map_err(unreadable)?;
    mover.out.send(Frame::Root(mover.root.facts().map_err(unreadable)?)).await?;
    let frames = ahead(walk)?.map(|found| blocking(move || Ok(tell(found)))).buffered(READERS);
    let mut frames = std::pin::pin!(frames);
    let mut entries = 0;
    while let Some(told) = frames.next().await {
        for frame in told.map_err(unreadable)? {
            entries += u64::from(matches!(frame, Frame::Entry(_)));
            mover.out.send(frame).await?;
        }
    }
    mover.out.send(Frame::EndTree { entries }).await
}

/// What to say of what was found, and what is wrong with it.
fn tell(found: Found) -> Vec<Frame> {
    let problem = |path: &[u8], reason| Frame::Problem { path: path.to_vec(), reason };
    match found {
        Found::Entry(entry, _) => vec![Frame::Entry(entry)],
        Found::Skipped(path, what) => vec![Frame::Skipped { path, what }],
        Found::Problem(path, reason) => vec![problem(&path, reason)],
        Found::File { path, folder, .. } => match read_entry(folder.as_fd(), super::path::split(&path).1, &path) {
            Ok(read) if read.stable => vec![Frame::Entry(read.entry)],
            Ok(read) => {
                let reason = "it changed each time it was read".to_owned();
                vec![Frame::Entry(read.entry), problem(&path, reason)]
            }
            // Gone since it was found: as if it had never been there.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => vec![problem(&path, format!("it can't be read: {e}"))],
        },
    }
}

/// Runs an iterator that reads folders on a thread of its own, a bounded way ahead.
pub fn ahead<I>(items: I) -> Result<impl stream::Stream<Item = I::Item>, Stop>
where
    I: Iterator<Item: Send> + Send + 'static,
{
    let (out, read) = mpsc::channel(WAITING);
    let run = move || {
        for item in items {
            if out.blocking_send(item).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().spawn(run).map_err(|e| Stop::at("no thread can be started", e))?;
    Ok(tokio_stream::wrappers::ReceiverStream::new(read))
}

/// Does what blocks beside the runtime.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
