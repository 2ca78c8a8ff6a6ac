//! The way of a command's bytes between its shim and one client.
//!
//! Nobody who waits for a byte waits for the disk: what became of the command is stored a little later, and if that is
//! lost the shim is asked again.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{KEPT, Session, input::Input};
use crate::{
    api::{ApiError, ErrorCode, ExecClientFrame, ExecServerFrame, exec::ExecSay},
    core::ExecId,
    inside::words::Frame,
    service::{
        inner::Inner,
        marks::Mark,
        sandboxes::Found,
        shim::{Followed, Word},
    },
    store::{Pace, StoreError},
};

/// The client went away.
pub(super) struct Gone;

/// Follows one command for one client.
pub(super) struct Pump {
    pub id: ExecId,
    pub followed: Followed,
    pub found: Found,
    /// It ended before, with this code.
    pub ended: Option<i32>,
    /// The row says that it was started.
    pub known: bool,
    pub output: mpsc::Sender<ExecServerFrame>,
    /// Where reading is.
    pub at: Mark,
    /// Where it was a while ago.
    pub mark: Option<Mark>,
    pub committed: u64,
    /// What the client has.
    pub has: (u64, u64),
    pub input: Input,
    pub _session: Session,
    pub inner: Arc<Inner>,
}

impl Pump {
    /// Passes frames both ways until the command has ended or the client is gone.
    pub async fn run(mut self, mut frames: mpsc::Receiver<ExecClientFrame>) -> Result<(), Gone> {
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
            self.inner.note(move |tx| Box::pin(async move { tx.exec_started(id).await }));
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
                self.inner.note_end(self.id, &self.found.info.sandbox_id, Some(code), None);
                self.inner.marks.set(self.id, None);
                // A command that ended before anyone could listen never said that it was there.
                if self.input.begin(0, 0) {
                    self.say(ExecServerFrame::Say(ExecSay::Started { stdin: 0 })).await?;
                }
                self.say(ExecServerFrame::Say(ExecSay::Ended { exit_code: code })).await?;
                return Ok(true);
            }
            Word::Lost(reason) => {
                let error = match self.ended {
                    Some(code) => ApiError::failed(format!(
                        "the command ended with exit code {code}, and its output is not kept any more"
                    )),
                    None => {
                        let error = ApiError::failed(format!("the command can't be followed any longer: {reason}"));
                        self.inner.why(&self.found, error).await
                    }
                };
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
            self.inner.note_end(self.id, &self.found.info.sandbox_id, None, Some(error.message.clone()));
        }
        self.say(ExecServerFrame::Say(ExecSay::Error { error })).await
    }
}
