//! The target tree, kept in a file without a name, and its comparison with the disk as one merge.

use std::{
    cmp::Ordering,
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

use bytes::BytesMut;

use crate::inside::mover::{
    codec::Decoder,
    path::compare,
    walk::{Found, Walk},
    words::{Entry, Frame, Kind},
};

/// Bytes read at a time.
const READ: usize = 64 << 10;

/// A tree that is being received.
#[derive(Debug)]
pub struct TreeWriter(BufWriter<File>);

impl TreeWriter {
    /// Into an empty file.
    pub fn new(file: File) -> Self {
        Self(BufWriter::with_capacity(READ, file))
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: Entry) -> io::Result<()> {
        let mut frame = BytesMut::new();
        Frame::Entry(entry).encode(&mut frame);
        self.0.write_all(&frame)
    }

    /// All of it is there.
    pub fn finish(self) -> io::Result<Tree> {
        Ok(Tree(Arc::new(self.0.into_inner().map_err(io::IntoInnerError::into_error)?)))
    }
}

/// A whole tree. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tree(Arc<File>);

impl Tree {
    /// Its entries with their numbers, in order.
    pub fn entries(&self) -> Entries {
        Entries { file: self.0.clone(), at: 0, decoder: Decoder::default(), number: 0 }
    }
}

/// Entries of a tree.
#[derive(Debug)]
pub struct Entries {
    file: Arc<File>,
    at: u64,
    decoder: Decoder,
    number: u64,
}

impl Iterator for Entries {
    type Item = io::Result<(u64, Entry)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut buffer = Vec::new();
        loop {
            match self.decoder.next_frame() {
                Ok(Some(Frame::Entry(entry))) => {
                    self.number += 1;
                    return Some(Ok((self.number - 1, entry)));
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Some(Err(io::ErrorKind::InvalidData.into())),
            }
            buffer.resize(READ, 0);
            match self.file.read_at(&mut buffer, self.at) {
                Ok(0) => return None,
                Ok(n) => {
                    self.at += n as u64;
                    self.decoder.push(&buffer[..n]);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Some(Err(e)),
            }
        }
    }
}

/// One path of either side, or of both.
#[derive(Debug)]
pub enum Step {
    /// On both sides.
    Both(Entry, Found),
    /// In the tree only.
    Missing(Entry),
    /// On the disk only.
    Extra(Found),
    /// The disk can't be read there.
    Problem(Vec<u8>, String),
}

/// The merge of a tree and the disk.
#[derive(Debug)]
pub struct Merge {
    entries: Entries,
    entry: Option<Entry>,
    walk: Walk,
    found: Option<Found>,
}

impl Merge {
    /// Begins both.
    pub fn new(tree: &Tree, walk: Walk) -> Self {
        Self { entries: tree.entries(), entry: None, walk, found: None }
    }

    /// Doesn't go into the folder that was on the disk in the last step.
    pub fn pass_over(&mut self) {
        self.walk.pass_over();
    }

    fn step(&mut self) -> io::Result<Option<Step>> {
        if self.entry.is_none() {
            self.entry = self.entries.next().transpose()?.map(|(_, entry)| entry);
        }
        if self.found.is_none() {
            self.found = match self.walk.next() {
                Some(Found::Problem(path, reason)) => return Ok(Some(Step::Problem(path, reason))),
                other => other,
            };
        }
        let order = match (&self.entry, &self.found) {
            (None, None) => return Ok(None),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(entry), Some(found)) => compare(&entry.path, found.path()),
        };
        Ok(match order {
            Ordering::Less => self.entry.take().map(Step::Missing),
            Ordering::Greater => self.found.take().map(Step::Extra),
            Ordering::Equal if self.entry.as_ref().is_some_and(|entry| entry.kind == Kind::LeftOut) => {
                // Nothing is known of what is in it.
                if matches!(&self.found, Some(Found::Entry(there, _)) if there.kind == Kind::Folder) {
                    self.walk.pass_over();
                }
                self.entry.take().zip(self.found.take()).map(|(entry, found)| Step::Both(entry, found))
            }
            Ordering::Equal => self.entry.take().zip(self.found.take()).map(|(entry, found)| Step::Both(entry, found)),
        })
    }
}

impl Iterator for Merge {
    type Item = io::Result<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
