//! One session: what the service asks for is done, until the input ends. The runtime has one thread; what blocks has
//! threads of its own.

use std::io;

use tokio::task::JoinSet;

use super::{
    context::Mover,
    pipes::{self, Input, Out},
    restore::{self, journal, work::Work},
    root::Root,
    send::{self, Put},
    stop::Stop,
    tell,
    threads::{READERS, blocking},
    words::{Frame, PROTOCOL},
};
use crate::fault;

/// Runs until standard input ends.
pub fn main() -> io::Result<()> {
    // Each request takes two descriptors, each folder on the way one; a limit of 1,024 may be low for that.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: limit.maximum, ..limit };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, all);

    let (input, out, writer) = pipes::open()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(READERS).build()?;
    let ended = runtime.block_on(async move {
        let ended = session(input, out.clone()).await;
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
                    tell::tree(&mover).await
                });
            }
            Frame::Put { ticket, path, part, size, digest, request } => {
                let put = Put { ticket, path, part, size, digest, request };
                // No more is read while all are under way: what waits, waits in the pipe.
                let permit = mover.permit().await?;
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
    Ok(Some(Mover::new(root, out, in_flight)))
}
