//! The objects of a save: the tree comes in, and each file gets its object, by a copy inside the store or by the
//! mover. One loop listens to the mover and to the store at once; nothing in it blocks.
//!
//! [`slot`] says how far each path is, [`jobs`] what the mover has to send, [`requests`] what the store is asked for.

mod jobs;
mod requests;
mod slot;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use self::{
    jobs::{Job, Jobs},
    requests::{Answer, Copy, Done, Requests},
    slot::{Slot, State},
};
use super::{
    conduit::{Mover, unexpected},
    errors::Errors,
    gaps::{what_is, with_unread},
    trouble::{Trouble, interrupted},
};
use crate::{
    api::ApiError,
    core::{SyncStats, Untrusted, VersionId},
    inside::mover::{
        path::TreeCheck,
        words::{Content, Entry, Facts, Frame, Kind, part_count, part_range},
    },
    service::run::Run,
    storage::{
        Bucket, ErrorKind, Keys, Signers, Upload,
        manifest::{Holder, MAX_ENTRIES, Manifest, Record},
        plan::{Base, Step, step},
    },
};

/// How often the sending of one part may fail until the save does.
const MAX_TRIES: u8 = 3;

/// How often progress is told: as often as people can see.
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

/// A save's objects on their way.
pub struct Sending<'a> {
    keys: &'a Keys,
    version: VersionId,
    run: &'a Run,
    slots: Vec<Slot>,
    jobs: Jobs,
    requests: Requests<'a>,
    signers: Signers<'a>,
    /// Files that a mover before has sent.
    sent_before: HashMap<Vec<u8>, Content>,
    root: Option<Facts>,
    /// What the mover could not read.
    unread: Vec<Vec<u8>>,
    errors: Errors,
    bytes: u64,
    told: Option<Instant>,
}

impl<'a> Sending<'a> {
    /// Of a version that was claimed.
    pub fn new(bucket: &'a Bucket, keys: &'a Keys, version: VersionId, run: &'a Run) -> Self {
        Self {
            keys,
            version,
            run,
            slots: Vec::new(),
            jobs: Jobs::default(),
            requests: Requests::new(bucket),
            signers: Signers::new(bucket),
            sent_before: HashMap::new(),
            root: None,
            unread: Vec::new(),
            errors: Errors::default(),
            bytes: 0,
            told: None,
        }
    }

    /// Sends the tree that a mover tells. Called again with another mover, it goes on.
    ///
    /// # Errors
    /// The mover broke, or it can't be done.
    pub async fn run(&mut self, mut mover: Mover, base: Option<Manifest>) -> Result<Sent, Trouble> {
        self.errors = Errors::default();
        (self.root, self.unread) = (None, Vec::new());
        let mut base = base.map(Base::new);
        let mut check = TreeCheck::default();
        let mut walked = false;
        mover.send(Frame::Walk).await?;
        while !walked || self.open() > 0 {
            self.refill(&mut mover).await?;
            tokio::select! {
                biased;
                () = self.run.cancel.cancelled() => return Err(interrupted("the save").into()),
                Some(answer) = self.requests.next() => self.stored(answer)?,
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
        let records = self.slots.drain(..).filter_map(Slot::into_record).collect();
        let (records, complete) = with_unread(records, std::mem::take(&mut self.unread));
        let errors = std::mem::take(&mut self.errors).into_lines();
        let stats = SyncStats { bytes_transferred: self.bytes, errors, ..SyncStats::default() };
        Ok(Sent { records, stats, root: self.root, complete })
    }

    /// How much is under way, or waits for its turn.
    fn open(&self) -> usize {
        self.jobs.len() + self.requests.len()
    }

    /// After a failure: what is sent is remembered for another mover, what is half sent is dropped.
    pub async fn give_up(&mut self) {
        self.jobs.clear();
        self.requests.give_up().await;
        for mut slot in std::mem::take(&mut self.slots) {
            match (slot.give_up(), slot.state, slot.record.entry.kind) {
                (Some(upload), ..) => upload.abort().await,
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
        let at = self.slots.len();
        self.slots.push(Slot::new(Record { entry, holder, etag: String::new() }));
        match (step, old) {
            (Step::Put | Step::Copy, _) if known => self.slots[at].state = State::Done,
            (Step::Copy, Some(old)) => {
                let from = old.key(self.keys).unwrap_or_default();
                self.requests.copy_later(Copy { slot: at, from, etag: old.etag });
            }
            (Step::Nothing, _) => self.slots[at].state = State::Done,
            (Step::Put | Step::Copy, _) => self.send(at),
        }
    }

    /// A file is to be sent by the mover.
    fn send(&mut self, at: usize) {
        let slot = &self.slots[at];
        let Some(content) = slot.content() else { return };
        if part_count(content.size) == 1 {
            self.jobs.add(at, 1, slot.changes);
        } else {
            self.requests.begin(at, slot.changes, self.key(slot));
        }
    }

    fn key(&self, slot: &Slot) -> String {
        self.keys.object(self.version, slot.path())
    }

    /// Gives mover and store as much as they may have.
    async fn refill(&mut self, mover: &mut Mover) -> Result<(), Trouble> {
        while let Some(Copy { slot: at, from, etag }) = self.requests.next_copy() {
            let (changes, to) = (self.slots[at].changes, self.key(&self.slots[at]));
            let request = self.signers.now().await?.copy(&from, &etag, &to)?;
            self.requests.copy(at, changes, request);
        }
        while let Some(job) = self.jobs.next() {
            if let Some(put) = self.put(job).await? {
                mover.send(put).await?;
            }
        }
        Ok(())
    }

    /// The frame for a part; nothing if its file has changed since.
    async fn put(&mut self, job: Job) -> Result<Option<Frame>, Trouble> {
        let slot = &self.slots[job.slot];
        let Some(content) = slot.content().filter(|_| slot.changes == job.changes) else { return Ok(None) };
        let Some(digest) = content.digests.get(job.part as usize).copied() else { return Ok(None) };
        let range = part_range(content.size, job.part);
        let (size, length) = (content.size, range.end - range.start);
        let (path, key) = (slot.path().to_vec(), self.key(slot));
        let signer = self.signers.now().await?;
        let request = match slot.upload() {
            Some(upload) => signer.part(&key, upload.id(), job.part + 1, length, &digest)?,
            None => signer.put(&key, length, &digest)?,
        };
        let ticket = self.jobs.hand_over(job);
        Ok(Some(Frame::Put { ticket, path, part: job.part, size, digest, request }))
    }

    /// What the mover answered.
    fn answered(&mut self, frame: Frame) -> Result<(), Trouble> {
        match frame {
            Frame::Done { ticket, .. } => {
                if let Some(job) = self.job(ticket)? {
                    self.part_sent(job);
                }
            }
            Frame::Exists { ticket } => {
                if let Some(job) = self.job(ticket)? {
                    let slot = &self.slots[job.slot];
                    if let Some(content) = slot.content() {
                        self.requests.look(job, self.key(slot), content);
                    }
                }
            }
            Frame::Changed { ticket, entry } => {
                if let Some(job) = self.job(ticket)? {
                    self.changed(job.slot, entry)?;
                }
            }
            Frame::Failed { ticket, again, reason } => {
                if let Some(job) = self.job(ticket)? {
                    self.failed(job, again, &reason)?;
                }
            }
            Frame::Skipped { path, what } => self.errors.push(&path, what_is(what)),
            Frame::Problem { path, reason } => {
                if path.is_empty() {
                    let said = Untrusted::new(reason).clean_line();
                    return Err(ApiError::failed(format!("the workspace can't be read: {said}")).into());
                }
                self.errors.push(&path, &reason);
                if self.unread.len() as u64 >= MAX_ENTRIES {
                    return Err(too_many().into());
                }
                self.unread.push(path);
            }
            _ => return Err(unexpected("a save").into()),
        }
        Ok(())
    }

    /// The job of a ticket; nothing if its file has changed since.
    fn job(&mut self, ticket: u64) -> Result<Option<Job>, Trouble> {
        let job = self.jobs.answered(ticket).ok_or_else(|| Trouble::from(unexpected("a save")))?;
        Ok(Some(job).filter(|job| self.slots[job.slot].changes == job.changes))
    }

    fn part_sent(&mut self, job: Job) {
        let slot = &mut self.slots[job.slot];
        let Some(content) = slot.content() else { return };
        let range = part_range(content.size, job.part);
        self.bytes += range.end - range.start;
        if let Some(upload) = slot.part_sent()
            && let Some(content) = slot.content()
        {
            self.requests.complete(job.slot, job.changes, upload, content.clone());
        }
    }

    /// A file wasn't what it was said to be.
    fn changed(&mut self, at: usize, now: Option<Entry>) -> Result<(), Trouble> {
        let slot = &mut self.slots[at];
        match &now {
            Some(now) if now.path != slot.path() => return Err(lies("another path has changed").into()),
            Some(now) if now.kind == Kind::LeftOut => return Err(lies("a file is none").into()),
            _ => {}
        }
        drop_upload(slot.changed(now));
        match slot.state {
            State::Open => self.send(at),
            State::LeftOut => self.errors.push(slot.path(), "changed while it was saved"),
            State::Done | State::Gone => {}
        }
        Ok(())
    }

    fn failed(&mut self, job: Job, again: bool, reason: &str) -> Result<(), Trouble> {
        let slot = &mut self.slots[job.slot];
        match again {
            true if job.tries + 1 < MAX_TRIES => {
                // A new URL, of a new moment.
                self.signers.renew();
                self.jobs.again(job);
            }
            // The way to the store is broken for all files, not for this one.
            true => {
                let path = Untrusted::from_bytes(slot.path()).clean_line();
                let said = Untrusted::new(reason).clean_line();
                return Err(ApiError::unavailable(format!("the sandbox could not send {path}: {said}"))
                    .hint("no version was made; see whether the store has space and the sandbox's network reaches it")
                    .into());
            }
            false => {
                drop_upload(slot.leave_out());
                self.errors.push(slot.path(), reason);
            }
        }
        Ok(())
    }

    /// What the store answered.
    fn stored(&mut self, answer: Answer) -> Result<(), Trouble> {
        let Answer { slot: at, changes, done } = answer;
        let slot = &mut self.slots[at];
        if slot.changes != changes {
            return Ok(());
        }
        match done {
            Done::Copied(Ok(())) | Done::Completed(Ok(())) => slot.completed(),
            // The object isn't what the base said, or the store can't copy it: the mover has it too.
            Done::Copied(Err(error))
                if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Exists | ErrorKind::Unsupported) =>
            {
                tracing::warn!(%error, "an unchanged file is sent again");
                self.send(at);
            }
            Done::Copied(Err(error))
            | Done::Begun(Err(error))
            | Done::Completed(Err(error))
            | Done::Looked(_, Err(error)) => return Err(error.into()),
            Done::Looked(job, Ok(true)) => self.part_sent(job),
            Done::Looked(job, Ok(false)) => self.failed(job, true, "another object is in its place")?,
            Done::Begun(Ok(upload)) => {
                let parts = slot.begun(upload);
                self.jobs.add(at, parts, changes);
            }
        }
        Ok(())
    }

    fn tell(&mut self, walked: bool) {
        if self.told.is_some_and(|at| at.elapsed() < PROGRESS) {
            return;
        }
        self.told = Some(Instant::now());
        let (all, open) = (self.slots.len() as u64, self.open() as u64);
        let what = if walked { "sending files" } else { "reading the workspace" };
        (self.run.progress)(what, Some(all.saturating_sub(open)), walked.then_some(all));
    }
}

/// Gives an upload up, if there is one. Nobody waits for it; a claim that is unfinished or done names the folder where
/// the rest can be found.
fn drop_upload(upload: Option<Upload>) {
    if let Some(upload) = upload {
        tokio::spawn(async move { upload.abort().await });
    }
}

fn lies(what: &str) -> ApiError {
    ApiError::failed(format!("the mover in the sandbox told no tree: {what}"))
}

fn too_many() -> ApiError {
    ApiError::failed(format!("the workspace has more than {MAX_ENTRIES} files and folders"))
        .hint("move what needs no versions out of the workspace")
}
