//! What blocks, beside the runtime: files are read on a bounded pool, folders by a thread for each walk.

use std::{io, thread};

use futures::stream::Stream;
use tokio::{sync::mpsc, task::spawn_blocking};

use super::stop::Stop;

/// Threads that read files. More than cores, since a volume may be far away; each holds one piece of a file.
pub const READERS: usize = 32;

/// How far a walk may be ahead of those who read its files: enough for all of them, and little memory.
const AHEAD: usize = 256;

/// Runs an iterator that reads folders on a thread of its own, a bounded way ahead.
pub fn ahead<I>(items: I) -> Result<impl Stream<Item = I::Item>, Stop>
where
    I: Iterator<Item: Send> + Send + 'static,
{
    let (out, read) = mpsc::channel(AHEAD);
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

/// Does what blocks on the pool.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
