//! One turn: a run of the CLI followed to its end.
//!
//! What grows is shown at once ([`super::order`]: unless lines before it aren't stored yet); whole lines are stored a
//! moment later with their items, costs and the offset in one transaction, and only then may the sandbox forget them.
//! While one commit is on its way the next is gathered.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};

use super::{
    Spec, TurnGuard,
    order::Unshown,
    reader::{Batch, Reader},
};
use crate::{
    agent::{Ending, command::AGENT_DIR, fold::Change},
    api::{ApiError, EventBody, command::Turn},
    config::ClaudeKeys,
    core::{Item, ItemBody, Untrusted, item::Level},
    inside::words::Frame,
    service::{
        inner::Inner,
        run::Run,
        sandboxes::Found,
        shim::{Followed, PATIENT, Way, Word},
        stop::Stop,
    },
    store::{ConversationRow, ExecRow, Pace, StoreError, UsageRow},
};

/// A turn before the CLI is looked for.
pub(super) struct Turning {
    inner: Arc<Inner>,
    run: Run,
    found: Found,
    conversation: ConversationRow,
    row: ExecRow,
    spec: Spec,
    reader: Reader,
}

/// A turn that is followed.
pub(super) struct Started {
    turn: Turning,
    followed: Followed,
    missing: Option<String>,
    /// Lines of input that the shim has not taken.
    outbox: Vec<(u64, Vec<u8>)>,
    gathered: Batch,
    unshown: Unshown,
    /// Bytes of the lines in it.
    held: usize,
    /// The commit on its way: the offset that it stores.
    commit: Option<BoxFuture<'static, Result<u64, StoreError>>>,
    stop: Stop,
}

/// Bytes of lines that wait while others are stored: a second's worth of a fast disk, so that a program which writes
/// faster than that fills no memory.
const HELD: usize = 32 << 20;

/// How the CLI ended.
struct End {
    code: Option<i32>,
    reason: Option<String>,
}

impl Turning {
    pub(super) fn new(
        inner: &Arc<Inner>,
        run: &Run,
        found: Found,
        conversation: ConversationRow,
        row: ExecRow,
        spec: Spec,
        stored: Vec<String>,
    ) -> Self {
        let lines = stored.iter().map(String::as_str);
        let reader = Reader::new(&row.exec_id.to_string(), spec.before, lines, row.committed);
        Self { inner: inner.clone(), run: run.clone(), found, conversation, row, spec, reader }
    }

    /// Follows the CLI; with keys it is started if it wasn't.
    pub(super) async fn start(self, keys: Option<&ClaudeKeys>) -> Started {
        let way = match keys {
            Some(keys) => {
                let forget = self.inner.spools.old(&self.inner.store, &self.found.info.sandbox_id).await;
                Way::Start(Box::new(self.spec.launch(keys, forget)))
            }
            None => Way::Attach,
        };
        let sandbox = self.found.sandbox.clone();
        let followed = Followed::new(sandbox, self.row.exec_id, way, self.row.committed, PATIENT);
        let gathered = Batch { offset: self.row.committed, ..Batch::default() };
        let (missing, outbox, commit, stop) = (None, Vec::new(), None, Stop::default());
        let unshown = Unshown::default();
        Started { turn: self, followed, missing, outbox, gathered, unshown, held: 0, commit, stop }
    }
}

impl Started {
    /// What to say when the CLI turns out never to have been started, and can't be.
    pub(super) fn or_else_missing(mut self, what: String) -> Self {
        self.missing = Some(what);
        self
    }

    /// Follows it to its end.
    pub(super) async fn run(mut self, guard: TurnGuard) -> Result<Turn, ApiError> {
        self.outbox = self.turn.inner.store.outbox(self.turn.row.exec_id).await?;
        let outcome = self.follow().await;
        let (account, conversation) = (&self.turn.row.account, self.turn.conversation.conversation);
        self.turn.inner.bus.clear(account, conversation);
        drop(guard);
        // After each turn others may see what it wrote; nobody has to wait for it.
        let (inner, sandbox) = (self.turn.inner.clone(), self.turn.found.sandbox.clone());
        let mounts = [self.turn.found.workspace().root.to_owned(), AGENT_DIR.to_owned()];
        if outcome.is_ok() {
            self.turn.inner.spawn(async move { inner.commit(&sandbox, &mounts).await });
        }
        outcome
    }

    async fn follow(&mut self) -> Result<Turn, ApiError> {
        let cancel = self.turn.run.cancel.clone();
        loop {
            let idle = self.commit.is_none();
            tokio::select! {
                // What the disk doesn't keep up with stays in the sandbox.
                word = self.followed.next(), if idle || self.held < HELD => match word {
                    Ok(Word::Exit(code)) => return self.end(Some(code), None).await,
                    Ok(Word::Lost(reason)) => return self.end(None, Some(reason)).await,
                    Ok(word) => self.hear(word).await,
                    Err(error) => return self.not_started(error).await,
                },
                stored = async { match &mut self.commit { Some(c) => c.await, None => std::future::pending().await } },
                    if !idle =>
                {
                    self.commit = None;
                    self.stored(stored?).await;
                }
                () = cancel.cancelled(), if !self.stop.begun() => self.stop.begin(),
                // Each is for the whole process group.
                number = self.stop.due() => {
                    self.followed.send(&[Frame::Signal { number }]).await;
                }
            }
            if self.commit.is_none() && !self.gathered.is_empty() {
                self.commit = Some(self.store(Pace::Grouped, None));
            }
        }
    }

    async fn hear(&mut self, word: Word) {
        match word {
            Word::Ready { taken, .. } => {
                let id = self.turn.row.exec_id;
                self.turn.inner.note(move |tx| {
                    Box::pin(async move {
                        tx.exec_started(id).await?;
                        tx.acknowledge_outbox(id, taken).await
                    })
                });
                self.outbox.retain(|(number, _)| *number > taken);
                let lines: Vec<Frame> = self.outbox.iter().map(|(number, line)| input(*number, line)).collect();
                if !lines.is_empty() {
                    // What doesn't arrive is told again when the shim is there again.
                    self.followed.send(&lines).await;
                }
            }
            Word::Taken(number) => {
                self.outbox.retain(|(n, _)| *n > number);
                let id = self.turn.row.exec_id;
                self.turn.inner.note(move |tx| Box::pin(async move { tx.acknowledge_outbox(id, number).await }));
            }
            Word::Output { bytes, .. } => {
                let batch = self.turn.reader.push(&bytes);
                self.gather(batch);
            }
            Word::Exit(_) | Word::Lost(_) => {}
        }
    }

    /// Shows what is new and keeps what has to be stored.
    fn gather(&mut self, batch: Batch) {
        let wait = self.commit.is_some() || !self.gathered.is_empty() || !batch.is_empty();
        let changes = self.turn.reader.take_changes();
        let fold = self.turn.reader.fold();
        let now = self.unshown.add(changes, wait, |item| fold.is_open(item));
        self.show(now);
        self.held += batch.lines.iter().map(String::len).sum::<usize>();
        self.gathered.lines.extend(batch.lines);
        self.gathered.items.extend(batch.items);
        self.gathered.usage.extend(batch.usage);
        self.gathered.offset = batch.offset;
    }

    fn show(&self, changes: Vec<Change>) {
        let turn = &self.turn;
        for change in changes {
            turn.inner.bus.delta(&turn.row.account, turn.conversation.conversation, change);
        }
    }

    /// Begins to store what was gathered, and with it the end if this is it.
    fn store(&mut self, pace: Pace, end: Option<End>) -> BoxFuture<'static, Result<u64, StoreError>> {
        let next = Batch { offset: self.gathered.offset, ..Batch::default() };
        let batch = std::mem::replace(&mut self.gathered, next);
        self.held = 0;
        self.unshown.storing();
        let turn = &mut self.turn;
        if let Some(session) = turn.reader.fold().session() {
            turn.conversation.session = Some(session.to_owned());
        }
        turn.conversation.model = turn.reader.fold().model().cloned();
        turn.conversation.context_tokens = turn.reader.fold().context();
        let (conversation, row, request) = (turn.conversation.clone(), turn.row.clone(), turn.run.request_id);
        let store = turn.inner.store.clone();
        async move {
            store
                .write(pace, move |tx| {
                    Box::pin(async move {
                        let id = conversation.conversation;
                        for line in batch.lines {
                            let raw = Untrusted::new(line);
                            let body = EventBody::Line { conversation: id, request_id: Some(request), raw };
                            tx.append_event(&row.account, row.profile, body).await?;
                        }
                        for item in batch.items {
                            tx.put_item(&row.account, id, item).await?;
                        }
                        for (result_index, usage) in batch.usage {
                            let process = row.exec_id.to_string();
                            tx.add_usage(&UsageRow { process, result_index, conversation: id, usage }).await?;
                        }
                        tx.put_conversation(&conversation).await?;
                        tx.exec_committed(row.exec_id, batch.offset).await?;
                        if let Some(End { code, reason }) = end {
                            tx.exec_ended(row.exec_id, code, reason.as_deref()).await?;
                        }
                        Ok(batch.offset)
                    })
                })
                .await
        }
        .boxed()
    }

    /// Something is on disk: the sandbox may forget it.
    async fn stored(&mut self, offset: u64) {
        let now = if self.gathered.is_empty() { self.unshown.all() } else { self.unshown.stored() };
        self.show(now);
        self.followed.send(&[Frame::Commit { offset }]).await;
    }

    /// It ended, or is gone: everything is stored, and the end told.
    async fn end(&mut self, code: Option<i32>, lost: Option<String>) -> Result<Turn, ApiError> {
        if let Some(commit) = self.commit.take() {
            commit.await?;
        }
        let now = self.unshown.all();
        self.show(now);
        let last = self.turn.reader.finish();
        self.gather(last);
        let ending = self.turn.reader.ending(code);
        let why = match lost {
            Some(reason) => {
                let error = ApiError::failed(format!("the turn can't be followed any longer: {reason}"));
                Some(self.turn.inner.why(&self.turn.found, error).await)
            }
            None => None,
        };
        let sentence = why.as_ref().map_or_else(|| ending.sentence(), |e| e.message.clone());
        if let Some(level) = notice(&ending) {
            let key = format!("{}/ending", self.turn.row.exec_id);
            let body = ItemBody::Notice { level, text: sentence.as_str().into() };
            self.gathered.items.push(Item { key, parent: None, timestamp: None, body });
        }
        self.close(End { code, reason: why.as_ref().map(|e| e.message.clone()) }).await?;
        if let Some(missing) = self.missing.take().filter(|_| code.is_none() && self.turn.row.committed == 0) {
            return Err(ApiError::not_configured(missing)
                .hint("the server that knew your key ended before the turn was started; send the prompt again"));
        }
        let cancelled = self.turn.run.cancel.is_cancelled();
        match (why, &ending) {
            (_, _) if cancelled => Err(ApiError::interrupted(Ending::Interrupted.sentence())),
            (Some(error), _) => Err(error),
            (None, Ending::Interrupted) => Err(ApiError::interrupted(sentence)),
            (None, Ending::Broken { code: Some(127), .. }) => Err(ApiError::not_configured(sentence)),
            (None, Ending::Broken { .. }) => Err(ApiError::failed(sentence)),
            (None, _) => Ok(self.turn_document(&ending)),
        }
    }

    fn turn_document(&self, ending: &Ending) -> Turn {
        let fold = self.turn.reader.fold();
        let said = fold.last_result().and_then(|r| r.result.as_ref()).cloned();
        let since = jiff::Timestamp::now().duration_since(self.turn.row.created_at);
        Turn {
            conversation: self.turn.conversation.conversation,
            result: if ending.is_success() { said.unwrap_or_default() } else { ending.sentence() },
            is_error: !ending.is_success(),
            cost_micros: fold.spent().cost.0,
            duration_ms: u64::try_from(since.as_millis()).unwrap_or_default(),
            version: None,
        }
    }

    async fn close(&mut self, end: End) -> Result<(), StoreError> {
        self.store(Pace::Now, Some(end)).await?;
        self.turn.inner.spools.ended(&self.turn.row.sandbox_id, self.turn.row.exec_id);
        Ok(())
    }

    async fn not_started(&mut self, error: ApiError) -> Result<Turn, ApiError> {
        let error = self.turn.inner.why(&self.turn.found, error).await;
        let key = format!("{}/ending", self.turn.row.exec_id);
        let body = ItemBody::Notice { level: Level::Error, text: error.message.as_str().into() };
        self.gathered.items.push(Item { key, parent: None, timestamp: None, body });
        self.close(End { code: None, reason: Some(error.message.clone()) }).await?;
        Err(error)
    }
}

/// A line of the outbox; an empty one is the end.
fn input(number: u64, line: &[u8]) -> Frame {
    match line {
        [] => Frame::EndInput { number },
        line => Frame::Input { number, bytes: bytes::Bytes::copy_from_slice(line) },
    }
}

/// Which endings the transcript doesn't tell by itself: an API's error and an interrupt are lines of the CLI.
fn notice(ending: &Ending) -> Option<Level> {
    match ending {
        Ending::Answered | Ending::ApiError { .. } | Ending::Interrupted => None,
        Ending::MaxTurns | Ending::MaxBudget => Some(Level::Warning),
        Ending::Failed { .. } | Ending::Broken { .. } => Some(Level::Error),
    }
}
