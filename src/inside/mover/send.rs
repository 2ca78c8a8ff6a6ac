//! `Put`: one part of a file goes to the store, exactly as its entry said or not at all.

use std::{
    fs::File,
    io,
    ops::Range,
    os::{fd::AsFd, unix::fs::FileExt},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures::stream;
use reqwest::Body;
use rustix::fs::FileType;
use sha2::{Digest as _, Sha256};

use super::{
    context::Mover,
    hash::{PIECE, entry, read_entry},
    http::{Fault, Hope, repeat},
    path::check_path,
    root::{Root, file_type, look, open_file, read_link, size, special},
    threads::blocking,
    words::{Digest, Entry, Frame, Kind, Request, part_range},
};

/// What a `Put` says.
#[derive(Debug)]
pub struct Put {
    /// The service's number for it.
    pub ticket: u64,
    /// Which file.
    pub path: Vec<u8>,
    /// Which part.
    pub part: u32,
    /// The whole file's size.
    pub size: u64,
    /// The part's digest.
    pub digest: Digest,
    /// Where to.
    pub request: Request,
}

/// Sends it, and gives the answer.
pub async fn put(mover: &Mover, put: Put) -> Frame {
    let ticket = put.ticket;
    if let Err(e) = check_path(&put.path) {
        return Frame::Failed { ticket, again: false, reason: e.to_string() };
    }
    let changed = AtomicBool::new(false).into();
    match repeat(|| once(mover, &put, &changed)).await {
        Ok(etag) => Frame::Done { ticket, etag },
        Err(_) if changed.load(Ordering::Relaxed) => {
            let root = mover.root.clone();
            match blocking(move || describe(&root, &put.path)).await {
                Ok(entry) => Frame::Changed { ticket, entry },
                Err(e) => Frame::Failed { ticket, again: false, reason: format!("it can't be read: {e}") },
            }
        }
        Err(fault) if fault.hope == Hope::Exists => Frame::Exists { ticket },
        // What the store says is not about this file: without it the save fails, and not only this file is left out.
        Err(fault) => Frame::Failed { ticket, again: fault.hope != Hope::None, reason: fault.reason },
    }
}

async fn once(mover: &Mover, put: &Put, changed: &Arc<AtomicBool>) -> Result<String, Fault> {
    let (root, path) = (mover.root.clone(), put.path.clone());
    let opened = blocking(move || {
        let (folder, name) = root.parent(&path)?;
        open_file(folder.as_fd(), name)
    });
    let file = match opened.await {
        Ok((file, stat)) if size(&stat) == put.size => file,
        // Gone, another size, or no file any more.
        Ok(_) => return Err(note_change(changed)),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(e.into()),
        Err(_) => return Err(note_change(changed)),
    };
    let range = part_range(put.size, put.part);
    let length = range.end - range.start;
    let mut source = Source { file: file.into(), at: range.start, hash: Sha256::new(), range, digest: put.digest };
    if length <= PIECE as u64 {
        // All that most files have: read, checked and sent at once.
        let bytes = blocking(move || source.next_piece()).await?;
        let Some(bytes) = bytes else { return Err(note_change(changed)) };
        return mover.http.put(&put.request, length, Body::from(bytes)).await;
    }
    let changed = changed.clone();
    let pieces = stream::try_unfold(source, move |mut source| {
        let changed = changed.clone();
        async move {
            if source.at == source.range.end {
                return Ok(None);
            }
            let (source, piece) = blocking(move || {
                let piece = source.next_piece()?;
                Ok((source, piece))
            })
            .await?;
            // An error here cuts the request off before its last piece: the store takes nothing.
            piece.map(|piece| Some((piece, source))).ok_or_else(|| io::Error::other(note_change(&changed).reason))
        }
    });
    mover.http.put(&put.request, length, Body::wrap_stream(pieces)).await
}

fn note_change(changed: &AtomicBool) -> Fault {
    changed.store(true, Ordering::Relaxed);
    Fault::last("the file changed")
}

/// A part that is being read.
struct Source {
    file: Arc<File>,
    range: Range<u64>,
    at: u64,
    hash: Sha256,
    digest: Digest,
}

impl Source {
    /// The next piece; nothing if the file isn't what it was said to be. The last piece comes only with the right digest.
    fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        let length = usize::try_from(self.range.end - self.at).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; length];
        match self.file.read_exact_at(&mut piece, self.at) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        self.hash.update(&piece);
        self.at += length as u64;
        let ended = self.at == self.range.end;
        if ended && Digest(self.hash.clone().finalize().into()) != self.digest {
            return Ok(None);
        }
        Ok(Some(piece.into()))
    }
}

/// What is at a path now; nothing if it is gone, or is something that no version holds.
fn describe(root: &Root, path: &[u8]) -> io::Result<Option<Entry>> {
    let (folder, name) = match root.parent(path) {
        Ok(parent) => parent,
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(e),
        Err(_) => return Ok(None),
    };
    let Some(stat) = look(folder.as_fd(), name)? else { return Ok(None) };
    if special(&stat).is_some() {
        return Ok(None);
    }
    Ok(Some(match file_type(&stat) {
        FileType::Directory => entry(path, Kind::Folder, &stat),
        FileType::Symlink => entry(path, Kind::Link { target: read_link(folder.as_fd(), name)? }, &stat),
        _ => read_entry(folder.as_fd(), name, path)?.entry,
    }))
}
