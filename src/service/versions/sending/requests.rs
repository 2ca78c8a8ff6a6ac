//! What the store itself is asked for while a save goes on: copies, and the begins and ends of uploads.

use std::{collections::VecDeque, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use super::jobs::Job;
use crate::{
    inside::mover::words::{Content, Request},
    storage::{Bucket, StorageError, Upload, upload::right_or_away},
};

/// Requests under way with which a copy waits: as many as a mover sends at a time. Begins and ends of uploads don't
/// wait; there are no more of them than files that a mover has told of and not heard back about.
const AT_ONCE: usize = 64;

/// How long begins of uploads that are of no use any more may take to be told, so that they can be taken back: longer
/// than a store needs that answers at all.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// An object that is to be copied.
#[derive(Debug)]
pub struct Copy {
    /// For which slot.
    pub slot: usize,
    /// Its key.
    pub from: String,
    /// Its ETag: another object under the key is not copied.
    pub etag: String,
}

/// What the store has answered.
#[derive(Debug)]
pub struct Answer {
    /// To which slot's request.
    pub slot: usize,
    /// How often the file had changed when it was asked.
    pub changes: u8,
    /// What it has done.
    pub done: Done,
}

/// What the store has done.
#[derive(Debug)]
pub enum Done {
    /// A copy.
    Copied(Result<(), StorageError>),
    /// An upload takes parts.
    Begun(Result<Upload, StorageError>),
    /// An upload is an object.
    Completed(Result<(), StorageError>),
    /// An object is there already: it is the right one, or away now.
    Looked(Job, Result<bool, StorageError>),
}

/// Requests that wait and requests that are under way.
pub struct Requests<'a> {
    bucket: &'a Bucket,
    copies: VecDeque<Copy>,
    running: FuturesUnordered<BoxFuture<'a, Answer>>,
}

impl<'a> Requests<'a> {
    /// Of a bucket.
    pub fn new(bucket: &'a Bucket) -> Self {
        Self { bucket, copies: VecDeque::new(), running: FuturesUnordered::new() }
    }

    /// A copy waits for its turn; it is signed when that comes.
    pub fn copy_later(&mut self, copy: Copy) {
        self.copies.push_back(copy);
    }

    /// The next copy whose turn it is.
    pub fn next_copy(&mut self) -> Option<Copy> {
        if self.running.len() < AT_ONCE { self.copies.pop_front() } else { None }
    }

    /// Copies.
    pub fn copy(&self, slot: usize, changes: u8, request: Request) {
        let bucket = self.bucket;
        self.run(slot, changes, async move { Done::Copied(bucket.copy("copy a file", &request).await) });
    }

    /// Begins an upload.
    pub fn begin(&self, slot: usize, changes: u8, key: String) {
        let bucket = self.bucket;
        self.run(slot, changes, async move { Done::Begun(Upload::begin(bucket, key).await) });
    }

    /// Makes an upload's object.
    pub fn complete(&self, slot: usize, changes: u8, upload: Upload, content: Content) {
        self.run(slot, changes, async move { Done::Completed(upload.complete(&content).await) });
    }

    /// Looks at the object that is where a file was to go. It is the file, and the answer to the first try was lost; or
    /// it is what the file was before it changed, and makes place.
    pub fn look(&self, job: Job, key: String, content: &Content) {
        let (bucket, size, digest) = (self.bucket, content.size, content.digests.first().copied());
        self.run(job.slot, job.changes, async move {
            let looked = match digest {
                Some(digest) => right_or_away(bucket, &key, size, &digest).await,
                None => Ok(false),
            };
            Done::Looked(job, looked)
        });
    }

    fn run(&self, slot: usize, changes: u8, work: impl Future<Output = Done> + Send + 'a) {
        self.running.push(work.map(move |done| Answer { slot, changes, done }).boxed());
    }

    /// The next answer; nothing when none is under way.
    pub async fn next(&mut self) -> Option<Answer> {
        self.running.next().await
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.copies.len() + self.running.len()
    }

    /// Drops all, and takes uploads back that begin in spite of it. Other requests that are through are only objects that
    /// nobody names.
    pub async fn give_up(&mut self) {
        self.copies.clear();
        let mut running = std::mem::take(&mut self.running);
        let last = async {
            while let Some(answer) = running.next().await {
                if let Done::Begun(Ok(upload)) = answer.done {
                    upload.abort().await;
                }
            }
        };
        let _ = tokio::time::timeout(LAST_ANSWERS, last).await;
    }
}
