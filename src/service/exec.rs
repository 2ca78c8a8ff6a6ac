//! A command in a sandbox for a client: its bytes by their offsets, so that a client which lost its connection comes
//! again and misses and repeats nothing.
//!
//! Every command runs under the shim: it has a terminal that can be resized, takes signals, and outlives the server.
//! The shim counts the bytes of both streams together; here they are counted apart.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    ClientEnv, Inner,
    sandboxes::Found,
    shim::{Followed, IMPATIENT, Launch, Way, Word},
};
use crate::{
    api::{
        ApiError, ErrorCode, ExecClientFrame, ExecServerFrame, ExecStart,
        exec::{ExecSay, Pty},
    },
    core::{ExecId, sandbox::absolute},
    inside::words::{Frame, PIECE},
    store::{ExecRow, ExecState, Pace, StoreError},
};

/// Frames that may wait for a client, of at most 64 KiB each.
const WAITING: usize = 64;

/// Output that the sandbox keeps at least for a client that comes again; at most twice as much. The shim stops reading
/// at 1 GiB.
const KEPT: u64 = 256 << 20;

/// An exec that a client follows.
pub struct ExecSession {
    /// Output, and what is said once; ends after `Ended` or `Error`.
    pub output: BoxStream<'static, ExecServerFrame>,
    /// Where the client's frames go; dropping it ends nothing (the client may come again).
    pub input: mpsc::Sender<ExecClientFrame>,
}

/// What the row keeps to start it again after a crash between the row and the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Spec {
    command: Vec<String>,
    workdir: String,
    pty: Option<Pty>,
}

impl Spec {
    fn launch(&self) -> Launch {
        Launch {
            command: self.command.clone(),
            workdir: Some(self.workdir.clone()),
            pty: self.pty.as_ref().map(|p| (p.rows, p.cols)),
            stdin: if self.pty.is_some() { "pty" } else { "pipe" },
            env: self.pty.iter().map(|p| ("TERM", p.term.clone())).collect(),
        }
    }
}

/// How many bytes of each stream came before an offset of the shim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    offset: u64,
    out: u64,
    err: u64,
}

/// Marks of the commands that have forgotten output. In memory: after a restart such a command's streams can't be told
/// apart any more, and it says so.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<HashMap<ExecId, Mark>>);

impl Marks {
    fn get(&self, id: ExecId) -> Option<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    fn set(&self, id: ExecId, mark: Option<Mark>) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match mark {
            Some(mark) => drop(marks.insert(id, mark)),
            None => drop(marks.remove(&id)),
        }
    }
}

/// A count of running sessions that can't be forgotten.
struct Session(Arc<Inner>);

impl Session {
    fn new(inner: &Arc<Inner>) -> Self {
        inner.sessions.fetch_add(1, Ordering::Relaxed);
        Self(inner.clone())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    pub(super) async fn exec(
        self: &Arc<Self>,
        client: &ClientEnv,
        sandbox: &str,
        start: ExecStart,
    ) -> Result<ExecSession, ApiError> {
        let id = ExecId(start.request_id.0);
        let known = self.store.exec(id).await?;
        let name = known.as_ref().map_or(sandbox, |row| row.sandbox_id.as_str());
        let found = self.find_running(client, &start.account, start.profile, name).await?;
        let row = match known {
            Some(row) => row,
            None => self.new_exec(id, &start, &found).await?,
        };
        if row.conversation.is_some() {
            return Err(ApiError::conflict(format!("{id} is the id of a turn, not of a command"))
                .hint("each command needs an id of its own"));
        }
        let spec: Spec =
            serde_json::from_str(&row.spec).map_err(|e| ApiError::failed(format!("the row of {id}: {e}")))?;
        let mark = match (row.committed, self.marks.get(id)) {
            (0, _) => Mark::default(),
            // A terminal has one stream.
            (committed, _) if spec.pty.is_some() => Mark { offset: committed, out: committed, err: 0 },
            (_, Some(mark)) => mark,
            (committed, None) => {
                return Err(ApiError::failed(format!(
                    "the first {committed} bytes of its output were forgotten before the server was started again, and \
                     what follows can't be told apart any more"
                )));
            }
        };
        if start.stdout_from < mark.out || start.stderr_from < mark.err {
            return Err(ApiError::failed(format!(
                "its output before byte {} was forgotten; the command goes on",
                mark.out
            )));
        }
        let way = match row.state {
            ExecState::Accepted => Way::Start(Box::new(spec.launch())),
            _ => Way::Attach,
        };
        let (output, receiver) = mpsc::channel(WAITING);
        let (input, frames) = mpsc::channel(WAITING);
        let pump = Pump {
            id,
            followed: Followed::new(found.sandbox.clone(), id, way, mark.offset, IMPATIENT),
            found,
            known: row.state != ExecState::Accepted,
            output,
            at: mark,
            mark: None,
            committed: row.committed,
            has: (start.stdout_from, start.stderr_from),
            input: Input::default(),
            _session: Session::new(self),
            inner: self.clone(),
        };
        self.spawn(async move {
            // An error is a client that went away: it comes again, or nobody is interested.
            let _ = pump.run(frames).await;
        });
        Ok(ExecSession { output: ReceiverStream::new(receiver).boxed(), input })
    }

    async fn new_exec(&self, id: ExecId, start: &ExecStart, found: &Found) -> Result<ExecRow, ApiError> {
        if start.command.is_empty() {
            return Err(ApiError::usage("there is no command"));
        }
        if start.command.iter().any(|word| word.contains('\0')) {
            return Err(ApiError::usage("a command's words can't contain NUL"));
        }
        let workdir = start.workdir.clone().unwrap_or_else(|| found.workdir());
        if workdir != "/" {
            absolute(&workdir).map_err(|e| ApiError::usage(format!("the working directory {e}")))?;
        }
        let spec = Spec { command: start.command.clone(), workdir, pty: start.pty.clone() };
        let row = ExecRow {
            exec_id: id,
            account: start.account.clone(),
            profile: start.profile,
            sandbox_id: found.info.sandbox_id.clone(),
            conversation: None,
            spec: serde_json::to_string(&spec).map_err(|e| ApiError::failed(e.to_string()))?,
            state: ExecState::Accepted,
            committed: 0,
            exit_code: None,
            reason: None,
            created_at: Timestamp::now(),
        };
        let new = row.clone();
        let added: Result<bool, StoreError> =
            self.store.write(Pace::Now, move |tx| Box::pin(async move { tx.add_exec(&new).await })).await;
        if added? {
            return Ok(row);
        }
        // The same client came twice at once.
        self.store.exec(id).await?.ok_or_else(|| ApiError::failed(format!("the row of {id} is gone")))
    }
}

/// The client went away.
struct Gone;

struct Pump {
    id: ExecId,
    followed: Followed,
    found: Found,
    /// The row says that it was started.
    known: bool,
    output: mpsc::Sender<ExecServerFrame>,
    /// Where reading is.
    at: Mark,
    /// Where it was a while ago.
    mark: Option<Mark>,
    committed: u64,
    /// What the client has.
    has: (u64, u64),
    input: Input,
    _session: Session,
    inner: Arc<Inner>,
}

impl Pump {
    async fn run(mut self, mut frames: mpsc::Receiver<ExecClientFrame>) -> Result<(), Gone> {
        let mut listening = true;
        loop {
            tokio::select! {
                word = self.followed.next() => match word {
                    Ok(word) => {
                        if self.hear(word).await? {
                            return Ok(());
                        }
                    }
                    Err(error) => return self.not_started(error).await,
                },
                frame = frames.recv(), if listening => match frame {
                    Some(frame) => {
                        let words = self.input.obey(frame);
                        self.tell(words).await;
                    }
                    None => listening = false,
                },
                () = self.output.closed() => return Err(Gone),
            }
        }
    }

    async fn say(&mut self, frame: ExecServerFrame) -> Result<(), Gone> {
        self.output.send(frame).await.map_err(|_| Gone)
    }

    async fn tell(&mut self, words: Vec<Frame>) {
        // What doesn't arrive is told again by what the input keeps.
        if self.input.ready && !words.is_empty() && !self.followed.send(&words).await {
            self.input.ready = false;
        }
    }

    /// Takes one word of the shim; true after the last.
    async fn hear(&mut self, word: Word) -> Result<bool, Gone> {
        if !self.known && !matches!(word, Word::Lost(_)) {
            self.known = true;
            let id = self.id;
            self.note(move |tx| Box::pin(async move { tx.exec_started(id).await }));
        }
        match word {
            Word::Ready { fed, taken } => {
                if self.input.begin(fed, taken) {
                    self.say(ExecServerFrame::Say(ExecSay::Started { stdin: fed })).await?;
                } else if let Some(offset) = self.input.taken(taken) {
                    self.say(ExecServerFrame::StdinTaken(offset)).await?;
                }
                let words = self.input.waiting();
                self.tell(words).await;
            }
            Word::Taken(number) => {
                if let Some(offset) = self.input.taken(number) {
                    self.say(ExecServerFrame::StdinTaken(offset)).await?;
                }
            }
            Word::Output { err, offset, bytes } => self.pass(err, offset, bytes).await?,
            Word::Exit(code) => {
                let id = self.id;
                self.note(move |tx| Box::pin(async move { tx.exec_ended(id, Some(code), None).await }));
                self.inner.marks.set(id, None);
                // A command that ended before anyone could listen never said that it was there.
                if self.input.begin(0, 0) {
                    self.say(ExecServerFrame::Say(ExecSay::Started { stdin: 0 })).await?;
                }
                self.say(ExecServerFrame::Say(ExecSay::Ended { exit_code: code })).await?;
                return Ok(true);
            }
            Word::Lost(reason) => {
                let error = ApiError::failed(format!("the command can't be followed any longer: {reason}"));
                let error = self.inner.why(&self.found, error).await;
                self.say(ExecServerFrame::Say(ExecSay::Error { error })).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Passes output on, each stream by its own offset, without what the client has.
    async fn pass(&mut self, err: bool, offset: u64, bytes: Bytes) -> Result<(), Gone> {
        let length = bytes.len() as u64;
        let (count, has) = if err { (&mut self.at.err, self.has.1) } else { (&mut self.at.out, self.has.0) };
        let from = *count;
        *count += length;
        self.at.offset = offset + length;
        let known = usize::try_from(has.saturating_sub(from)).unwrap_or(usize::MAX).min(bytes.len());
        if known < bytes.len() {
            let (from, bytes) = (from + known as u64, bytes.slice(known..));
            let frame = if err { ExecServerFrame::Stderr(from, bytes) } else { ExecServerFrame::Stdout(from, bytes) };
            self.say(frame).await?;
        }
        self.forget().await;
        Ok(())
    }

    /// Lets the sandbox forget what was sent long ago. The streams' counts are known only for where reading is now, so
    /// that place is marked, and what is below it forgotten when as much again has come.
    async fn forget(&mut self) {
        let Some(mark) = self.mark.filter(|m| self.at.offset - m.offset >= KEPT) else {
            if self.mark.is_none() && self.at.offset - self.committed >= KEPT {
                self.mark = Some(self.at);
            }
            return;
        };
        (self.mark, self.committed) = (None, mark.offset);
        self.inner.marks.set(self.id, Some(mark));
        let (id, offset) = (self.id, mark.offset);
        // Stored before the sandbox forgets it, as everywhere.
        let stored: Result<(), StoreError> = self
            .inner
            .store
            .write(Pace::Grouped, move |tx| Box::pin(async move { tx.exec_committed(id, offset).await }))
            .await;
        if let Err(error) = stored {
            tracing::warn!(exec = %id, %error, "output is kept in the sandbox: it could not be stored what is sent");
            return;
        }
        self.followed.send(&[Frame::Commit { offset }]).await;
    }

    async fn not_started(mut self, error: ApiError) -> Result<(), Gone> {
        let error = match error.code {
            ErrorCode::NotFound | ErrorCode::Conflict | ErrorCode::Unavailable => {
                self.inner.why(&self.found, error).await
            }
            _ => error,
        };
        // Who can't be reached may have started it: the client may ask again.
        if error.code != ErrorCode::Unavailable {
            let (id, reason) = (self.id, error.message.clone());
            self.note(move |tx| Box::pin(async move { tx.exec_ended(id, None, Some(&reason)).await }));
        }
        self.say(ExecServerFrame::Say(ExecSay::Error { error })).await
    }

    /// Stores something about the exec, a little later: nobody who waits for a byte has to wait for the disk. If it is
    /// lost, the shim is asked again.
    fn note<F>(&self, change: F)
    where
        F: for<'c> FnOnce(&'c mut crate::store::Tx) -> futures::future::BoxFuture<'c, Result<(), StoreError>>
            + Send
            + 'static,
    {
        self.inner.note(change);
    }
}

/// The client's bytes as the shim's numbered lines.
#[derive(Debug, Default)]
struct Input {
    /// The shim listens.
    ready: bool,
    begun: bool,
    ended: bool,
    /// Number of the last line.
    number: u64,
    /// Bytes in all lines.
    offset: u64,
    /// Lines that were not acknowledged: number, bytes up to its end, the line.
    lines: VecDeque<(u64, u64, Frame)>,
    /// Sizes and signals that came while nobody listened.
    control: Vec<Frame>,
}

impl Input {
    /// The shim listens and has so much; true for the first time.
    fn begin(&mut self, fed: u64, taken: u64) -> bool {
        self.ready = true;
        if std::mem::replace(&mut self.begun, true) {
            return false;
        }
        (self.offset, self.number) = (fed, taken);
        true
    }

    /// Takes a client's frame; what to tell the shim.
    fn obey(&mut self, frame: ExecClientFrame) -> Vec<Frame> {
        let mut words = Vec::new();
        match frame {
            ExecClientFrame::Stdin(from, bytes) if self.begun && !self.ended && from <= self.offset => {
                let known = usize::try_from(self.offset - from).unwrap_or(usize::MAX).min(bytes.len());
                for piece in bytes.slice(known..).chunks(PIECE) {
                    self.number += 1;
                    self.offset += piece.len() as u64;
                    let line = Frame::Input { number: self.number, bytes: Bytes::copy_from_slice(piece) };
                    self.lines.push_back((self.number, self.offset, line.clone()));
                    words.push(line);
                }
            }
            ExecClientFrame::StdinEnd(at) if self.begun && !self.ended && at == self.offset => {
                self.ended = true;
                self.number += 1;
                let line = Frame::EndInput { number: self.number };
                self.lines.push_back((self.number, self.offset, line.clone()));
                words.push(line);
            }
            // A gap, or more after the end: the client doesn't keep to the protocol and gets what it asked for.
            ExecClientFrame::Stdin(..) | ExecClientFrame::StdinEnd(_) => {}
            ExecClientFrame::Resize(rows, columns) => words.push(Frame::Resize { rows, columns }),
            ExecClientFrame::Signal(number) => words.push(Frame::Signal { number: number.into() }),
        }
        if !self.ready {
            self.control.extend(words.into_iter().filter(|w| matches!(w, Frame::Resize { .. } | Frame::Signal { .. })));
            return Vec::new();
        }
        words
    }

    /// The shim has all lines up to a number; bytes of input that it has, if that is news.
    fn taken(&mut self, number: u64) -> Option<u64> {
        let mut news = None;
        while let Some((_, end, _)) = self.lines.front().filter(|(n, ..)| *n <= number) {
            news = Some(*end);
            self.lines.pop_front();
        }
        news
    }

    /// What the shim has to be told now that it listens.
    fn waiting(&mut self) -> Vec<Frame> {
        self.lines.iter().map(|(.., line)| line.clone()).chain(std::mem::take(&mut self.control)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(frames: &[Frame]) -> Vec<(u64, Vec<u8>)> {
        frames
            .iter()
            .filter_map(|f| match f {
                Frame::Input { number, bytes } => Some((*number, bytes.to_vec())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn what_came_before_the_shim_listens_is_told_then() {
        let mut input = Input::default();
        assert!(input.obey(ExecClientFrame::Resize(3, 4)).is_empty());
        assert!(input.begin(0, 0));
        assert_eq!(input.waiting(), [Frame::Resize { rows: 3, columns: 4 }]);
    }

    #[test]
    fn a_new_server_goes_on_at_the_byte_that_the_shim_has() {
        let mut input = Input::default();
        input.begin(5, 2);
        let words = input.obey(ExecClientFrame::Stdin(3, Bytes::from_static(b"lo you")));
        assert_eq!(text(&words), [(3, b" you".to_vec())]);
        assert_eq!(input.taken(3), Some(9));
        assert_eq!(input.obey(ExecClientFrame::StdinEnd(9)), [Frame::EndInput { number: 4 }]);
        assert!(input.obey(ExecClientFrame::StdinEnd(9)).is_empty());
    }

    proptest! {
        /// The client repeats, the shim's connection breaks, acknowledgements come late: the shim gets every byte once.
        #[test]
        fn each_byte_is_taken_once_and_in_order(
            pieces in prop::collection::vec((1usize..50, 0usize..30, any::<bool>()), 1..30),
        ) {
            let bytes: Vec<u8> = (0..2000u32).map(|i| (i % 251) as u8).collect();
            let (mut input, mut got, mut number, mut sent) = (Input::default(), Vec::new(), 0u64, 0usize);
            input.begin(0, 0);
            let mut shim = |frames: Vec<Frame>, got: &mut Vec<u8>| {
                for (n, bytes) in text(&frames) {
                    if n == number + 1 {
                        number = n;
                        got.extend(bytes);
                    }
                }
                number
            };
            for (length, back, breaks) in pieces {
                let from = sent.saturating_sub(back);
                let to = (from + length).min(bytes.len());
                let words = input.obey(ExecClientFrame::Stdin(from as u64, Bytes::copy_from_slice(&bytes[from..to])));
                sent = sent.max(to);
                // On a broken connection the words are lost; all that was not acknowledged is told again.
                let words = if breaks { input.waiting() } else { words };
                let taken = shim(words, &mut got);
                if !breaks {
                    input.taken(taken);
                }
            }
            shim(input.waiting(), &mut got);
            prop_assert_eq!(got, &bytes[..sent]);
        }
    }
}
