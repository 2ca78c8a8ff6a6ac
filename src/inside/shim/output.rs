//! The command's output, on its way into the spool.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::inside::{
    spool,
    words::{PIECE, Stream},
};

/// Descriptors that the command writes to, and the spool.
pub struct Output {
    sources: Vec<(Stream, File)>,
    spool: spool::Writer,
    committed: u64,
    unread: u64,
}

impl Output {
    /// From descriptors that don't block into a new spool, which may have so many bytes that the server has not stored.
    pub fn new(dir: &Path, sources: Vec<(Stream, File)>, unread: u64) -> io::Result<Self> {
        Ok(Self { sources, spool: spool::Writer::create(dir)?, committed: 0, unread })
    }

    /// Whether the spool may grow.
    pub fn has_room(&self) -> bool {
        self.spool.end() - self.committed < self.unread
    }

    /// Nobody can write any more.
    pub fn is_closed(&self) -> bool {
        self.sources.is_empty()
    }

    /// The spool's end.
    pub fn end(&self) -> u64 {
        self.spool.end()
    }

    /// The server has stored all below an offset.
    pub fn commit(&mut self, offset: u64) {
        self.committed = self.committed.max(offset.min(self.spool.end()));
        self.spool.forget(self.committed);
    }

    /// What it is to be woken for, in order; nothing while the spool is full.
    pub fn wanted(&self) -> impl Iterator<Item = &File> {
        self.sources.iter().map(|(_, file)| file).filter(|_| self.has_room())
    }

    /// Reads once from each that is ready, by its place in [`Self::wanted`]; whether anything came.
    pub fn read(&mut self, ready: impl Fn(usize) -> bool) -> io::Result<bool> {
        let mut buffer = vec![0; PIECE];
        let (mut closed, mut came) = (Vec::new(), false);
        for (i, (stream, file)) in self.sources.iter_mut().enumerate().filter(|(i, _)| ready(*i)) {
            match file.read(&mut buffer) {
                Ok(0) => closed.push(i),
                Ok(n) => {
                    self.spool.append(*stream, &buffer[..n])?;
                    came = true;
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                // A terminal whose last user has gone reads as EIO.
                Err(_) => closed.push(i),
            }
        }
        for i in closed.into_iter().rev() {
            self.sources.remove(i);
        }
        Ok(came)
    }
}
