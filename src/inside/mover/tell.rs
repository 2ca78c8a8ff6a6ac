//! `Walk`: the tree is told, in the order of the walk.

use std::{io, os::fd::AsFd as _};

use futures::StreamExt as _;

use super::{
    context::Mover,
    hash::read_entry,
    path::split,
    stop::Stop,
    threads::{READERS, ahead, blocking},
    walk::{Found, Walk},
    words::Frame,
};

/// Tells the tree. Files are read by many threads, and told in order.
pub async fn tree(mover: &Mover) -> Result<(), Stop> {
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
        Found::File { path, folder, .. } => match read_entry(folder.as_fd(), split(&path).1, &path) {
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
