//! The objects of a save: the tree comes in, and each file gets its object, by a copy inside the store or by the
//! mover. One loop listens to the mover and to the store at once; nothing in it blocks.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use super::{
    conduit::{Mover, unexpected},
    gaps::{what_is, with_unread},
    trouble::{Trouble, interrupted},
};
use crate::{
    api::ApiError,
    core::{SyncStats, Untrusted, VersionId},
    inside::mover::{
        path::TreeCheck,
        words::{Content, Entry, Facts, Frame, Kind, Request, WINDOW, part_count, part_range},
    },
    service::run::Run,
    storage::{
        Bucket, ErrorKind, Keys, StorageError,
        manifest::{Holder, MAX_ENTRIES, Manifest, Record},
        plan::{Base, Step, step},
        presign::Signer,
        upload,
    },
};

/// Copies and uploads that are asked of the store at a time, as many as a mover sends.
const AT_ONCE: usize = 64;

/// How often one file may change under the mover, and one request may fail, until it is left out.
const MAX_TRIES: u8 = 3;

/// A signer is made for its moment; URLs of the next minute are good for four at least.
const SIGNER_LIFE: Duration = Duration::from_secs(60);

/// Errors that are told one by one.
const MAX_ERRORS: usize = 100;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(100);

/// What came of it.
pub struct Sent {
    /// The tree, each file with its object.
    pub records: Vec<Record>,
    /// What went over the wire, and what went wrong.
    pub stats: SyncStats,
    /// What is kept of the root itself.
    pub root: Option<Facts>,
    /// Nothing was left out.
    pub complete: bool,
}

/// One path of the tree.
struct Slot {
    record: Record,
    /// How often it was found changed. Answers to requests of before a change mean nothing.
    changes: u8,
    upload: Option<Upload>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
    /// It was deleted while the save went on.
    Gone,
    /// It stays out of the version, which names it.
    LeftOut,
}

/// An upload in parts.
struct Upload {
    id: String,
    left: u64,
}

/// One part that the mover sends.
#[derive(Clone, Copy)]
struct Job {
    slot: usize,
    part: u32,
    changes: u8,
    tries: u8,
}

/// What the store has done.
enum Work {
    Copied(Result<(), StorageError>),
    Begun(Result<String, StorageError>),
    Completed(Result<(), StorageError>),
    /// An object is there already: it is the right one, or away now.
    Looked(Job, Result<bool, StorageError>),
}

/// A save's objects on their way.
pub struct Sending<'a> {
    bucket: &'a Bucket,
    keys: &'a Keys,
    version: VersionId,
    run: &'a Run,
    slots: Vec<Slot>,
    /// Jobs that wait for their turn, and those that the mover has, by ticket.
    waiting: VecDeque<Job>,
    with_mover: HashMap<u64, Job>,
    /// Slots whose copy waits for its turn, with the object to copy.
    copies: VecDeque<(usize, String, String)>,
    work: FuturesUnordered<BoxFuture<'a, (usize, u8, Work)>>,
    signer: Option<(Instant, Signer)>,
    ticket: u64,
    /// Files that a mover before has sent.
    sent_before: HashMap<Vec<u8>, Content>,
    root: Option<Facts>,
    /// What the mover could not read.
    unread: Vec<Vec<u8>>,
    errors: Vec<String>,
    more_errors: u64,
    bytes: u64,
    told: Option<Instant>,
}

impl<'a> Sending<'a> {
    /// Of a version that was claimed.
    pub fn new(bucket: &'a Bucket, keys: &'a Keys, version: VersionId, run: &'a Run) -> Self {
        Self {
            bucket,
            keys,
            version,
            run,
            slots: Vec::new(),
            waiting: VecDeque::new(),
            with_mover: HashMap::new(),
            copies: VecDeque::new(),
            work: FuturesUnordered::new(),
            signer: None,
            ticket: 0,
            sent_before: HashMap::new(),
            root: None,
            unread: Vec::new(),
            errors: Vec::new(),
            more_errors: 0,
            bytes: 0,
            told: None,
        }
    }

    /// Sends the tree that a mover tells. Called again with another mover, it goes on.
    ///
    /// # Errors
    /// The mover broke, or it can't be done.
    pub async fn run(&mut self, mut mover: Mover, base: Option<Manifest>) -> Result<Sent, Trouble> {
        (self.errors, self.more_errors) = (Vec::new(), 0);
        (self.root, self.unread) = (None, Vec::new());
        let mut base = base.map(Base::new);
        let mut check = TreeCheck::default();
        let mut walked = false;
        mover.send(Frame::Walk).await?;
        while !(walked && self.all_done()) {
            self.refill(&mut mover).await?;
            tokio::select! {
                biased;
                () = self.run.cancel.cancelled() => return Err(interrupted("the save").into()),
                Some((slot, changes, work)) = self.work.next() => self.worked(slot, changes, work)?,
                frame = mover.next() => match frame? {
                    Frame::Entry(entry) if !walked && entry.kind != Kind::LeftOut => {
                        check.push(&entry).map_err(|e| lies(&e.to_string()))?;
                        if check.entries() > MAX_ENTRIES {
                            return Err(too_many().into());
                        }
                        self.found(entry, &mut base);
                    }
                    Frame::Root(facts) if check.entries() == 0 => self.root = Some(facts),
                    Frame::EndTree { entries } if !walked && entries == check.entries() => walked = true,
                    other => self.answered(other)?,
                },
            }
            self.tell(walked);
        }
        let slots = self.slots.drain(..).filter_map(|slot| match slot.state {
            State::Done => Some(slot.record),
            State::LeftOut => Some(Record::left_out(slot.record.entry.path)),
            State::Open | State::Gone => None,
        });
        let (records, complete) = with_unread(slots.collect(), std::mem::take(&mut self.unread));
        let mut errors = std::mem::take(&mut self.errors);
        if self.more_errors > 0 {
            errors.push(format!("and {} more", self.more_errors));
        }
        let stats = SyncStats { bytes_transferred: self.bytes, errors, ..SyncStats::default() };
        Ok(Sent { records, stats, root: self.root, complete })
    }

    fn all_done(&self) -> bool {
        self.waiting.is_empty() && self.with_mover.is_empty() && self.copies.is_empty() && self.work.is_empty()
    }

    /// After a failure: what is sent is remembered for another mover, what is half sent is dropped.
    pub async fn give_up(&mut self) {
        self.waiting.clear();
        self.with_mover.clear();
        self.copies.clear();
        // Requests under way end here; those that are through in spite of it are only objects that nobody names.
        self.work.clear();
        for slot in std::mem::take(&mut self.slots) {
            match (slot.upload, slot.state, slot.record.entry.kind) {
                (Some(upload), _, _) => {
                    let key = self.keys.object(self.version, &slot.record.entry.path);
                    if let Err(error) = self.bucket.abort_upload("give up an upload", &key, &upload.id).await {
                        tracing::warn!(%error, "an upload is left in the store");
                    }
                }
                (None, State::Done, Kind::File(content)) => {
                    self.sent_before.insert(slot.record.entry.path, content);
                }
                _ => {}
            }
        }
    }

    /// A path of the tree.
    fn found(&mut self, mut entry: Entry, base: &mut Option<Base<Manifest>>) {
        let old = match base.as_mut().map(|base| base.at(&entry.path)).transpose() {
            Ok(old) => old.flatten(),
            Err(error) => {
                tracing::warn!(%error, "the rest is sent without a base");
                *base = None;
                None
            }
        };
        let holder = match &mut entry.kind {
            Kind::File(content) => {
                // Several names of one file are several files in a version.
                content.inode = None;
                Some(Holder::Version(self.version))
            }
            Kind::Folder | Kind::Link { .. } | Kind::LeftOut => None,
        };
        let step = step(&entry, old.as_ref());
        let known = matches!(&entry.kind, Kind::File(c) if self.sent_before.get(&entry.path) == Some(c));
        let record = Record { entry, holder, etag: String::new() };
        let at = self.slots.len();
        self.slots.push(Slot { record, changes: 0, upload: None, state: State::Open });
        match (step, old) {
            (Step::Put | Step::Copy, _) if known => self.slots[at].state = State::Done,
            (Step::Copy, Some(old)) => {
                let key = old.key(self.keys).unwrap_or_default();
                self.copies.push_back((at, key, old.etag));
            }
            (Step::Nothing, _) => self.slots[at].state = State::Done,
            (Step::Put | Step::Copy, _) => self.send(at),
        }
    }

    /// A file is to be sent by the mover.
    fn send(&mut self, at: usize) {
        let slot = &self.slots[at];
        let Kind::File(content) = &slot.record.entry.kind else { return };
        if part_count(content.size) == 1 {
            self.waiting.push_back(Job { slot: at, part: 0, changes: slot.changes, tries: 0 });
            return;
        }
        let (bucket, key, changes) = (self.bucket, self.key(at), slot.changes);
        self.work.push(
            async move { (at, changes, Work::Begun(bucket.begin_upload("begin an upload", &key).await)) }.boxed(),
        );
    }

    fn key(&self, at: usize) -> String {
        self.keys.object(self.version, &self.slots[at].record.entry.path)
    }

    /// Gives mover and store as much as they may have.
    async fn refill(&mut self, mover: &mut Mover) -> Result<(), Trouble> {
        while self.work.len() < AT_ONCE
            && let Some((at, from, etag)) = self.copies.pop_front()
        {
            let (bucket, to, changes) = (self.bucket, self.key(at), self.slots[at].changes);
            let request = self.signer().await?.copy(&from, &etag, &to)?;
            self.work
                .push(async move { (at, changes, Work::Copied(bucket.copy("copy a file", &request).await)) }.boxed());
        }
        while self.with_mover.len() < WINDOW
            && let Some(job) = self.waiting.pop_front()
        {
            let slot = &self.slots[job.slot];
            let Kind::File(content) = &slot.record.entry.kind else { continue };
            if slot.changes != job.changes {
                continue;
            }
            let range = part_range(content.size, job.part);
            let (size, length) = (content.size, range.end - range.start);
            let Some(digest) = content.digests.get(job.part as usize).copied() else { continue };
            let path = slot.record.entry.path.clone();
            let upload = slot.upload.as_ref().map(|upload| upload.id.clone());
            let key = self.key(job.slot);
            let signer = self.signer().await?;
            let request: Request = match upload {
                Some(id) => signer.part(&key, &id, job.part + 1, length, &digest)?,
                None => signer.put(&key, length, &digest)?,
            };
            self.ticket += 1;
            let ticket = self.ticket;
            mover.send(Frame::Put { ticket, path, part: job.part, size, digest, request }).await?;
            self.with_mover.insert(ticket, job);
        }
        Ok(())
    }

    async fn signer(&mut self) -> Result<&Signer, StorageError> {
        let fresh = self.signer.take().filter(|(made, _)| made.elapsed() < SIGNER_LIFE);
        let signer = match fresh {
            Some(signer) => signer,
            None => (Instant::now(), self.bucket.signer().await?),
        };
        Ok(&self.signer.insert(signer).1)
    }

    /// What the mover answered.
    fn answered(&mut self, frame: Frame) -> Result<(), Trouble> {
        match frame {
            Frame::Done { ticket, .. } => {
                let job = self.take(ticket)?;
                self.part_sent(job);
            }
            Frame::Exists { ticket } => {
                let job = self.take(ticket)?;
                if self.slots[job.slot].changes == job.changes {
                    self.look(job);
                }
            }
            Frame::Changed { ticket, entry } => {
                let job = self.take(ticket)?;
                if self.slots[job.slot].changes == job.changes {
                    self.changed(job.slot, entry)?;
                }
            }
            Frame::Failed { ticket, again, reason } => {
                let job = self.take(ticket)?;
                if self.slots[job.slot].changes == job.changes {
                    self.failed(job, again, &reason)?;
                }
            }
            Frame::Skipped { path, what } => self.error(&path, what_is(what)),
            Frame::Problem { path, reason } => {
                if path.is_empty() {
                    let said = Untrusted::new(reason).clean_line();
                    return Err(ApiError::failed(format!("the workspace can't be read: {said}")).into());
                }
                self.error(&path, &reason);
                if self.unread.len() as u64 >= MAX_ENTRIES {
                    return Err(too_many().into());
                }
                self.unread.push(path);
            }
            _ => return Err(unexpected("a save").into()),
        }
        Ok(())
    }

    fn take(&mut self, ticket: u64) -> Result<Job, Trouble> {
        self.with_mover.remove(&ticket).ok_or_else(|| unexpected("a save").into())
    }

    /// An object is where a file was to go. It is the file, and the answer to the first try was lost; or it is what the
    /// file was before it changed, and makes place.
    fn look(&mut self, job: Job) {
        let Kind::File(content) = &self.slots[job.slot].record.entry.kind else { return };
        let (size, digest) = (content.size, content.digests.first().copied());
        let (bucket, key) = (self.bucket, self.key(job.slot));
        self.work.push(
            async move {
                let looked = match digest {
                    Some(digest) => upload::right_or_away(bucket, &key, size, &digest).await,
                    None => Ok(false),
                };
                (job.slot, job.changes, Work::Looked(job, looked))
            }
            .boxed(),
        );
    }

    fn part_sent(&mut self, job: Job) {
        let slot = &mut self.slots[job.slot];
        let Kind::File(content) = &slot.record.entry.kind else { return };
        if slot.changes != job.changes {
            return;
        }
        let range = part_range(content.size, job.part);
        self.bytes += range.end - range.start;
        match &mut slot.upload {
            None => slot.state = State::Done,
            Some(upload) => {
                upload.left = upload.left.saturating_sub(1);
                if upload.left == 0 {
                    let (bucket, at, changes) = (self.bucket, job.slot, slot.changes);
                    let (id, content, key) = (upload.id.clone(), content.clone(), self.key(job.slot));
                    self.work.push(
                        async move {
                            (at, changes, Work::Completed(upload::complete(bucket, &key, &id, &content).await))
                        }
                        .boxed(),
                    );
                }
            }
        }
    }

    /// A file wasn't what it was said to be.
    fn changed(&mut self, at: usize, now: Option<Entry>) -> Result<(), Trouble> {
        let slot = &mut self.slots[at];
        slot.changes += 1;
        let abandoned = slot.upload.take();
        match now {
            // It was deleted meanwhile: a version without it is what the workspace is.
            None => slot.state = State::Gone,
            Some(now) if now.path != slot.record.entry.path => return Err(lies("another path has changed").into()),
            Some(now) => match &now.kind {
                Kind::File(_) if slot.changes < MAX_TRIES => {
                    slot.record.entry = now;
                    self.send(at);
                }
                // What lies in a folder that was no folder a moment ago, nobody has walked.
                Kind::File(_) | Kind::Folder => {
                    slot.state = State::LeftOut;
                    let path = now.path;
                    self.error(&path, "changed while it was saved");
                }
                Kind::LeftOut => return Err(lies("a file is none").into()),
                Kind::Link { .. } => {
                    slot.record = Record { entry: now, holder: None, etag: String::new() };
                    slot.state = State::Done;
                }
            },
        }
        if let Some(upload) = abandoned {
            let (bucket, key) = (self.bucket, self.key(at));
            // Nobody waits for it; a claim that is unfinished or done names the folder where the rest can be found.
            tokio::spawn({
                let bucket = bucket.clone();
                async move {
                    if let Err(error) = bucket.abort_upload("give up an upload", &key, &upload.id).await {
                        tracing::warn!(%error, "an upload is left in the store");
                    }
                }
            });
        }
        Ok(())
    }

    fn failed(&mut self, job: Job, again: bool, reason: &str) -> Result<(), Trouble> {
        let path = self.slots[job.slot].record.entry.path.clone();
        let said = Untrusted::new(reason).clean_line();
        match again {
            true if job.tries + 1 < MAX_TRIES => {
                // A new URL, of a new moment.
                self.signer = None;
                self.waiting.push_back(Job { tries: job.tries + 1, ..job });
                Ok(())
            }
            // The way to the store is broken for all files, not for this one.
            true => Err(ApiError::unavailable(format!("the sandbox could not send {}: {said}", shown(&path)))
                .hint("no version was made; see whether the store has space and the sandbox's network reaches it")
                .into()),
            false => {
                let slot = &mut self.slots[job.slot];
                slot.changes += 1;
                slot.state = State::LeftOut;
                self.error(&path, reason);
                Ok(())
            }
        }
    }

    /// What the store answered.
    fn worked(&mut self, at: usize, changes: u8, work: Work) -> Result<(), Trouble> {
        if self.slots[at].changes != changes {
            return Ok(());
        }
        match work {
            Work::Copied(Ok(())) => self.slots[at].state = State::Done,
            // The object isn't what the base said, or the store can't copy it: the mover has it too.
            Work::Copied(Err(error))
                if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Exists | ErrorKind::Unsupported) =>
            {
                tracing::warn!(%error, "an unchanged file is sent again");
                self.send(at);
            }
            Work::Copied(Err(error))
            | Work::Begun(Err(error))
            | Work::Completed(Err(error))
            | Work::Looked(_, Err(error)) => return Err(error.into()),
            Work::Looked(job, Ok(true)) => self.part_sent(job),
            Work::Looked(job, Ok(false)) => self.failed(job, true, "another object is in its place")?,
            Work::Begun(Ok(id)) => {
                let slot = &mut self.slots[at];
                let Kind::File(content) = &slot.record.entry.kind else { return Ok(()) };
                let parts = part_count(content.size);
                slot.upload = Some(Upload { id, left: parts });
                let parts = u32::try_from(parts).unwrap_or(u32::MAX);
                self.waiting.extend((0..parts).map(|part| Job { slot: at, part, changes, tries: 0 }));
            }
            Work::Completed(Ok(())) => {
                let slot = &mut self.slots[at];
                slot.upload = None;
                slot.state = State::Done;
            }
        }
        Ok(())
    }

    fn error(&mut self, path: &[u8], what: &str) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(format!("{}: {what}", String::from_utf8_lossy(path)));
        } else {
            self.more_errors += 1;
        }
    }

    fn tell(&mut self, walked: bool) {
        if self.told.is_some_and(|at| at.elapsed() < PROGRESS) {
            return;
        }
        self.told = Some(Instant::now());
        let open = self.waiting.len() + self.with_mover.len() + self.copies.len() + self.work.len();
        let (all, open) = (self.slots.len() as u64, open as u64);
        let what = if walked { "sending files" } else { "reading the workspace" };
        (self.run.progress)(what, Some(all.saturating_sub(open)), walked.then_some(all));
    }
}

fn shown(path: &[u8]) -> String {
    Untrusted::from_bytes(path).clean_line().to_string()
}

fn lies(what: &str) -> ApiError {
    ApiError::failed(format!("the mover in the sandbox told no tree: {what}"))
}

fn too_many() -> ApiError {
    ApiError::failed(format!("the workspace has more than {MAX_ENTRIES} files and folders"))
        .hint("move what needs no versions out of the workspace")
}
