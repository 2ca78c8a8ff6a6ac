//! A restore: the mover gets the whole tree, tells what differs, and asks for what it misses. It touches the workspace
//! only when it has everything; what stops before that leaves the workspace as it was.

use std::{collections::HashMap, sync::Arc};

use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    conduit::{Gone, Mover, unexpected},
    errors::Errors,
    ground::Ground,
    listing::{Named, named},
    trouble::{Patience, Trouble, interrupted, unless_stopped},
};
use crate::{
    api::{
        ApiError,
        command::{Changes, PathSize},
    },
    core::{AccountId, Untrusted, VersionId},
    inside::mover::words::{Change, Digest, Facts, Frame, Phase, Request, Unfinished, WINDOW, part_count},
    service::run::Run,
    storage::{
        Bucket, Keys, Signers,
        manifest::{BadManifest, Record},
        survey::survey,
        version::{legacy, open},
    },
};

const WHAT: &str = "the restore";

/// How often the fetch of one part may fail.
const MAX_TRIES: u8 = 3;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Seconds or `latest`.
    pub version: &'a str,
    /// Only tell what would change.
    pub dry_run: bool,
    /// The digest of what may change; whatever is found may when absent.
    pub expected: Option<&'a str>,
}

/// Makes a workspace exactly what a version was, or only tells what would change.
///
/// # Errors
/// No such version, one that is damaged, another state than expected, the store's, the mover's. Unless it says otherwise
/// the workspace is untouched.
pub async fn restore(
    bucket: &Bucket,
    account: &AccountId,
    ground: &Ground,
    wish: Wish<'_>,
    run: &Run,
) -> Result<Changes, ApiError> {
    let Wish { version: name, dry_run, expected } = wish;
    let expected = expected.map(digest_of).transpose()?;
    let keys = Keys::new(account);
    run.step("reading the version");
    let read = async {
        let found = survey(bucket, &keys).await?;
        match named(bucket, account, &keys, &found, name).await? {
            Named::Legacy(version) => Ok((version, None, legacy(bucket, &keys, version).await?)),
            Named::Saved(head) => {
                // All of it is read before anything is done with it: a damaged end must not look like an end.
                let records: Result<Vec<Record>, BadManifest> = open(bucket, &keys, head.version).await?.collect();
                let records = records.map_err(|e| {
                    ApiError::failed(format!("the manifest of version {} can't be used: {e}", head.version))
                })?;
                Ok::<_, ApiError>((head.version, head.root, records))
            }
        }
    };
    let (version, root, records) = unless_stopped(&run.cancel, WHAT, read).await?;
    let target = Target { bucket, keys: &keys, version, root, records: Arc::new(records), run, expected };
    let (mut began, mut tried) = (false, false);
    let mut patience = Patience::new("restore the workspace");
    loop {
        let trouble = match target.attempt(ground, dry_run, tried, &mut began).await {
            Ok(changes) => return Ok(changes),
            Err(trouble) => trouble,
        };
        tried = true;
        if let Err(error) = patience.bear(trouble) {
            if dry_run || began || !discard(ground, version).await {
                return Err(error);
            }
            // It was stopped a moment too late: the workspace is being changed, and that is finished.
            began = true;
        }
    }
}

fn digest_of(text: &str) -> Result<Digest, ApiError> {
    let mut digest = Digest::default();
    hex::decode_to_slice(text, &mut digest.0)
        .map_err(|_| ApiError::usage("what is expected must be the digest of a comparison: 64 hexadecimal digits"))?;
    Ok(digest)
}

/// Drops what a restore has collected; true if it has begun to change the workspace in spite of all. That something
/// can't be dropped now hinders nothing later.
async fn discard(ground: &Ground, version: VersionId) -> bool {
    let dropped = async {
        let mut mover = ground.mover().await?;
        mover.send(Frame::Discard).await?;
        Ok::<_, Trouble>(mover.next().await?)
    };
    match dropped.await {
        Ok(Frame::Journal { unfinished }) => unfinished.is_some_and(|u| is_half(&u, version)),
        other => {
            tracing::warn!(?other, "what a restore has collected is left in the workspace's .sandbank");
            false
        }
    }
}

/// It has begun to make the workspace this version.
fn is_half(unfinished: &Unfinished, version: VersionId) -> bool {
    unfinished.target == version.0 && unfinished.phase == Phase::Apply
}

/// A version on its way into a workspace.
struct Target<'a> {
    bucket: &'a Bucket,
    keys: &'a Keys,
    version: VersionId,
    root: Option<Facts>,
    records: Arc<Vec<Record>>,
    run: &'a Run,
    expected: Option<Digest>,
}

/// Entries are sent beside the loop that listens, which ends them too.
struct Feeding(AbortHandle);

impl Drop for Feeding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Target<'_> {
    /// Begins, or takes up what a restore before has left: a mover before this one, if it was `tried`.
    async fn attempt(&self, ground: &Ground, dry: bool, tried: bool, began: &mut bool) -> Result<Changes, Trouble> {
        let mut mover = ground.mover().await?;
        if dry {
            return self.bring(mover, true, None, &mut false).await;
        }
        mover.send(Frame::Status).await?;
        let Frame::Journal { unfinished } = mover.next().await? else {
            return Err(unexpected("a question for its journal").into());
        };
        let half = unfinished.as_ref().is_some_and(|u| is_half(u, self.version));
        // A server before this one has accepted the command and was killed. Past the stage it goes on; what it did
        // before that was nothing, and the user may have worked on since.
        if self.run.attempts > 1 && !*began && !half {
            let left = self.bring(mover, true, None, &mut false).await?;
            return match left.is_empty() {
                true => Ok(left),
                false => Err(ApiError::interrupted(
                    "the server ended before the restore had changed anything; the workspace is as it was",
                )
                .hint("restore again")
                .into()),
            };
        }
        // What this command has begun it finishes, whatever the workspace looks like by now.
        let goes_on = *began || (half && (tried || self.run.attempts > 1));
        let expected = self.expected.filter(|_| !goes_on);
        *began |= half;
        if unfinished.is_some_and(|u| u.phase == Phase::Stage && u.target != self.version.0) {
            mover.send(Frame::Discard).await?;
            mover.next().await?;
            mover = ground.mover().await?;
        }
        self.bring(mover, false, expected, began).await
    }

    /// Speaks with a mover until the workspace is the version, or until all differences are told.
    async fn bring(
        &self,
        mut mover: Mover,
        dry: bool,
        expected: Option<Digest>,
        began: &mut bool,
    ) -> Result<Changes, Trouble> {
        let _feeding = self.feed(&mover, dry, expected);
        let (mut changes, mut errors) = (Changes::default(), Errors::default());
        let mut other = false;
        let mut asked = Asked::new(self);
        self.run.step("comparing the workspace");
        loop {
            let frame = tokio::select! {
                biased;
                // What has begun to change the workspace is finished: stopping would leave it half of each.
                () = self.run.cancel.cancelled(), if !*began => return Err(interrupted(WHAT).into()),
                frame = mover.next() => match frame {
                    // It has cleaned up, and this is its end.
                    _ if other => return Err(moved_on().into()),
                    frame => frame?,
                },
            };
            match frame {
                Frame::Difference { change, folder, size, path } => note(&mut changes, change, folder, size, &path),
                Frame::State(digest) => {
                    other = expected.is_some_and(|expected| expected != digest);
                    changes.digest = Some(digest.to_string());
                }
                Frame::Compared(_) if dry => return Ok(Changes { errors: errors.into_lines(), ..changes }),
                // With nothing to fetch it may change the workspace at once.
                Frame::Compared(totals) => *began |= totals.bytes == 0,
                Frame::Want { entry, part } if !dry => {
                    let (ticket, request) = asked.want(entry, part).await?;
                    mover.send(Frame::Get { ticket, entry, part, request }).await?;
                }
                Frame::Done { ticket, .. } => asked.done(ticket)?,
                Frame::Failed { ticket, again, reason } => {
                    let (ticket, entry, part, request) = asked.failed(ticket, again, &reason).await?;
                    mover.send(Frame::Get { ticket, entry, part, request }).await?;
                }
                Frame::Progress { done, total, .. } => {
                    *began |= done >= total;
                    let what = if *began { "changing the workspace" } else { "fetching files" };
                    // Of nothing there is no share.
                    let some = total > 0;
                    (self.run.progress)(what, some.then_some(done), some.then_some(total));
                }
                Frame::Problem { path, reason } => errors.push(&path, &reason),
                Frame::Restored(_) if !dry => return Ok(Changes { errors: errors.into_lines(), ..changes }),
                _ => return Err(unexpected("a restore").into()),
            }
        }
    }

    /// Sends the tree. It is as long as it is: the mover speaks meanwhile.
    fn feed(&self, mover: &Mover, dry: bool, expected: Option<Digest>) -> Feeding {
        let (frames, records) = (mover.frames.clone(), self.records.clone());
        let (target, root) = (self.version.0, self.root);
        let task = tokio::spawn(async move { feed(&frames, (target, dry, expected), root, &records).await });
        Feeding(task.abort_handle())
    }
}

async fn feed(
    frames: &mpsc::Sender<Frame>,
    (target, dry, expected): (u64, bool, Option<Digest>),
    root: Option<Facts>,
    records: &[Record],
) -> Option<()> {
    // A restore that the user has asked for by its name makes any workspace whole, also one that is half another.
    frames.send(Frame::Restore { target, before: None, dry, replace: true }).await.ok()?;
    if let Some(expected) = expected {
        frames.send(Frame::Only(expected)).await.ok()?;
    }
    if let Some(root) = root {
        frames.send(Frame::Root(root)).await.ok()?;
    }
    for record in records {
        frames.send(Frame::Entry(record.entry.clone())).await.ok()?;
    }
    frames.send(Frame::EndTree { entries: records.len() as u64 }).await.ok()
}

fn moved_on() -> ApiError {
    ApiError::conflict("the workspace has changed since you looked; nothing was restored")
        .hint("look again at what would change, and stop what writes there; --yes restores whatever it finds")
}

fn note(changes: &mut Changes, change: Change, folder: bool, size: u64, path: &[u8]) {
    let list = match change {
        Change::Added => &mut changes.added,
        Change::Changed => &mut changes.changed,
        Change::Deleted => &mut changes.deleted,
    };
    let mut path = String::from_utf8_lossy(path).into_owned();
    if folder {
        path.push('/');
    }
    list.push(PathSize { path, size });
}

/// What the mover has asked for.
struct Asked<'a> {
    target: &'a Target<'a>,
    open: HashMap<u64, (u64, u32, u8)>,
    ticket: u64,
    signers: Signers<'a>,
}

impl<'a> Asked<'a> {
    fn new(target: &'a Target<'a>) -> Self {
        Self { target, open: HashMap::new(), ticket: 0, signers: Signers::new(target.bucket) }
    }

    /// A URL for a part of a file of this version, and for nothing else.
    async fn want(&mut self, entry: u64, part: u32) -> Result<(u64, Request), Trouble> {
        if self.open.len() >= WINDOW {
            return Err(unexpected("a restore").into());
        }
        self.url(entry, part, 0).await
    }

    async fn url(&mut self, entry: u64, part: u32, tries: u8) -> Result<(u64, Request), Trouble> {
        let target = self.target;
        let record = usize::try_from(entry).ok().and_then(|at| target.records.get(at));
        let wanted = record.filter(|r| r.content().is_some_and(|c| u64::from(part) < part_count(c.size)));
        let key = wanted.and_then(|r| r.key(target.keys)).ok_or_else(|| Trouble::from(unexpected("a restore")))?;
        let request = self.signers.now().await?.get(&key)?;
        self.ticket += 1;
        self.open.insert(self.ticket, (entry, part, tries));
        Ok((self.ticket, request))
    }

    fn done(&mut self, ticket: u64) -> Result<(), Gone> {
        self.open.remove(&ticket).map(drop).ok_or_else(|| unexpected("a restore"))
    }

    /// Another URL, if it may help.
    async fn failed(&mut self, ticket: u64, again: bool, reason: &str) -> Result<(u64, u64, u32, Request), Trouble> {
        let (entry, part, tries) = self.open.remove(&ticket).ok_or_else(|| unexpected("a restore"))?;
        if !again || tries + 1 >= MAX_TRIES {
            let version = self.target.version;
            let said = Untrusted::new(reason).clean_line();
            return Err(ApiError::unavailable(format!("a file of version {version} can't be fetched: {said}"))
                .hint("the workspace is as it was; see whether the sandbox's network reaches the store")
                .into());
        }
        self.signers.renew();
        let (ticket, request) = self.url(entry, part, tries + 1).await?;
        Ok((ticket, entry, part, request))
    }
}
