//! A command under the shim, as the server sees it: started once, followed from any offset, through as many broken
//! connections as it takes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream::BoxStream};

use super::carried;
use crate::{
    api::ApiError,
    core::{ExecId, Untrusted},
    inside::words::{Decoder, Frame, PROTOCOL},
    modal::{ErrorKind, Exec, ExecRequest, ExecStdin, ModalError, Sandbox, SecretValues, StdioFd},
};

/// The pause after a first attempt in vain; it doubles up to 128 times that.
const PAUSE: Duration = Duration::from_millis(50);
const MAX_DOUBLINGS: u32 = 7;

/// Attempts in vain while somebody waits: some 13 seconds, longer than an engine needs to start again.
pub(super) const IMPATIENT: u32 = 8;

/// Attempts in vain for work that goes on unseen, such as a turn: an hour without the place is a reason to give up.
pub(super) const PATIENT: u32 = 560;

/// How long the end of an attached process may take to be told once its output has ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What to start.
#[derive(Debug, Clone, Default)]
pub(super) struct Launch {
    /// argv.
    pub command: Vec<String>,
    /// Folder in the sandbox.
    pub workdir: Option<String>,
    /// Rows and columns of a terminal.
    pub pty: Option<(u16, u16)>,
    /// `pipe`, `pty` or `null`.
    pub stdin: &'static str,
    /// Variables, keys among them: they reach the command by its environment and nothing else.
    pub env: SecretValues,
    /// Commands before it whose output may go.
    pub forget: Vec<ExecId>,
}

/// How to get at a command's shim.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// Starts it if it wasn't, then follows.
    Start(Box<Launch>),
    /// Only follows one that was started.
    Attach,
}

/// The frames of one command, and the way to it.
pub(super) struct Followed {
    sandbox: Sandbox,
    id: ExecId,
    way: Way,
    /// Output up to here has been handed out.
    offset: u64,
    attached: Option<Attached>,
    silent: u32,
    attempts: u32,
}

/// One attached process.
struct Attached {
    exec: Exec,
    output: BoxStream<'static, Result<Bytes, ModalError>>,
    decoder: Decoder,
    input: ExecStdin,
    /// Bytes of input that the shim had when this process attached; absent once that was told.
    fed: Option<u64>,
}

/// What a command says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Somebody listens there: at the start, and again after each broken connection. What was sent and not acknowledged
    /// must be sent again. Holds the bytes and the number of the input that it has.
    Ready {
        /// Bytes.
        fed: u64,
        /// Lines.
        taken: u64,
    },
    /// Output.
    Output {
        /// From standard error.
        err: bool,
        /// Of its first byte, both streams together.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// Input up to this number has reached it.
    Taken(u64),
    /// It ended, and all its output has come.
    Exit(i32),
    /// It is gone without an exit code, or can't be reached any more.
    Lost(String),
}

impl Followed {
    /// Follows a command's output from an offset on; it is given up after so many attempts in vain.
    pub(super) fn new(sandbox: Sandbox, id: ExecId, way: Way, offset: u64, attempts: u32) -> Self {
        Self { sandbox, id, way, offset, attached: None, silent: 0, attempts }
    }

    /// The next word. Safe to drop at any await: nothing is lost.
    ///
    /// # Errors
    /// It could not be started. After it was, trouble is [`Word::Lost`].
    pub(super) async fn next(&mut self) -> Result<Word, ApiError> {
        loop {
            if self.attached.is_none() {
                match self.attach().await {
                    Ok(attached) => self.attached = Some(attached),
                    Err(error) if self.gives_up(&error) => return self.lost(error),
                    Err(_) => {
                        self.pause().await;
                        continue;
                    }
                }
            }
            let Some(attached) = &mut self.attached else { continue };
            match attached.next().await {
                Ok(Some(Frame::Hello { protocol, .. })) if protocol != PROTOCOL => {
                    return Ok(Word::Lost("the sandbox was made by another version of sandbank".to_owned()));
                }
                // Who says hello has found the command, or started it.
                Ok(Some(Frame::Hello { .. })) => self.way = Way::Attach,
                Ok(Some(Frame::Fed { bytes })) => attached.fed = Some(bytes),
                Ok(Some(Frame::Taken { number })) => {
                    self.silent = 0;
                    return Ok(match attached.fed.take() {
                        Some(fed) => Word::Ready { fed, taken: number },
                        None => Word::Taken(number),
                    });
                }
                Ok(Some(Frame::Output { stream, offset, bytes })) => {
                    let end = offset.saturating_add(bytes.len() as u64);
                    if end <= self.offset {
                        continue;
                    }
                    // A shim that skips or repeats is told by its offsets; what it skips is gone.
                    let known = usize::try_from(self.offset.saturating_sub(offset)).unwrap_or(0).min(bytes.len());
                    let from = offset.max(self.offset);
                    (self.silent, self.offset) = (0, end);
                    let err = stream == crate::inside::words::Stream::Err;
                    return Ok(Word::Output { err, offset: from, bytes: bytes.slice(known..) });
                }
                Ok(Some(Frame::Exit { code })) => return Ok(Word::Exit(code)),
                Ok(Some(Frame::Lost { reason })) => {
                    return Ok(Word::Lost(Untrusted::new(reason).clean_line().to_string()));
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    let Some(ended) = self.attached.take() else { continue };
                    let error = ended.last_words().await;
                    if self.gives_up(&error) {
                        return self.lost(error);
                    }
                    self.pause().await;
                }
                Err(error) => {
                    self.attached = None;
                    if self.gives_up(&error) {
                        return self.lost(error);
                    }
                    self.pause().await;
                }
            }
        }
    }

    /// Sends a word to the shim. False when nobody is attached now: after the next [`Word::Ready`] it can be said again.
    pub(super) async fn send(&mut self, frames: &[Frame]) -> bool {
        let Some(attached) = &mut self.attached else { return false };
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|f| f.encode(&mut bytes));
        match attached.input.write(&bytes).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, exec = %self.id, "the shim could not be told");
                false
            }
        }
    }

    async fn attach(&mut self) -> Result<Attached, ModalError> {
        let (id, offset) = (self.id.to_string(), self.offset.to_string());
        // The attached process has an id of its own: it is another one each time.
        let request = match &self.way {
            Way::Attach => ExecRequest::new(ExecId::new(), carried::command(&["attach", &id, "--from", &offset])),
            Way::Start(launch) => {
                let size = launch.pty.map(|(rows, columns)| format!("{rows}x{columns}"));
                let mut words = vec!["run", &id, "--stdin", launch.stdin, "--attach", &offset];
                if let Some(size) = &size {
                    words.extend(["--pty", size]);
                }
                let forget: Vec<String> = launch.forget.iter().map(ExecId::to_string).collect();
                words.extend(forget.iter().flat_map(|id| ["--forget", id]));
                words.push("--");
                let command = carried::command(&words).into_iter().chain(launch.command.iter().cloned());
                let mut request = ExecRequest::new(ExecId::new(), command);
                request.workdir.clone_from(&launch.workdir);
                request.env = launch.env.clone();
                request
            }
        };
        let exec = self.sandbox.exec(&request).await?;
        Ok(Attached {
            output: exec.read(StdioFd::Out, 0).boxed(),
            decoder: Decoder::default(),
            input: exec.stdin(),
            fed: None,
            exec,
        })
    }

    /// Whether to try no more: it was tried often enough, or nothing can come of it.
    fn gives_up(&self, error: &ModalError) -> bool {
        if error.kind == ErrorKind::Exhausted {
            // Its place has no room: whoever starts it is told at once. One that runs is held back with its output, and
            // is not lost for that.
            return matches!(self.way, Way::Start(_));
        }
        self.silent >= self.attempts
            || matches!(
                error.kind,
                ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Auth | ErrorKind::Denied
            )
    }

    async fn pause(&mut self) {
        let pause = PAUSE * 2_u32.pow(self.silent.min(MAX_DOUBLINGS));
        self.silent += 1;
        tokio::time::sleep(pause).await;
    }

    /// A command that was never heard of could not be started: that is an error. One that was is lost.
    fn lost(&self, error: ModalError) -> Result<Word, ApiError> {
        match self.way {
            Way::Start(_) => Err(error.into()),
            Way::Attach => Ok(Word::Lost(error.to_string())),
        }
    }
}

impl Attached {
    async fn next(&mut self) -> Result<Option<Frame>, ModalError> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(bad) => return Err(ModalError::new(ErrorKind::Other, "understand the shim", bad.to_string())),
            }
            match self.output.next().await {
                Some(bytes) => self.decoder.push(&bytes?),
                None => return Ok(None),
            }
        }
    }

    /// Why an attached process ended that had no last word.
    async fn last_words(self) -> ModalError {
        let said = async {
            let mut said = Vec::new();
            let mut errors = self.exec.read(StdioFd::Err, 0).boxed();
            // A few lines say it; more is noise.
            while let Some(Ok(bytes)) = errors.next().await
                && said.len() < 4096
            {
                said.extend_from_slice(&bytes);
            }
            let code = self.exec.wait().await?.code();
            Ok::<_, ModalError>((code, Untrusted::from_bytes(&said)))
        };
        let action = "run the command in the sandbox";
        match tokio::time::timeout(LAST_WORDS, said).await {
            Ok(Ok((code, said))) if code != 137 && code != 0 => {
                let said = said.clean_line();
                // The engine's own words have our name before them, as a shell's have its name.
                let why = match said.as_str().trim().trim_start_matches("sandbank: ") {
                    "" => format!("it ended with exit code {code}"),
                    said => said.to_owned(),
                };
                ModalError::new(ErrorKind::Conflict, action, why)
            }
            Ok(Ok((code, _))) => ModalError::new(ErrorKind::Unavailable, action, format!("it ended with {code}")),
            Ok(Err(error)) => error,
            Err(_) => ModalError::new(ErrorKind::Unavailable, action, "it said nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ModalAccess, modal::Modal};

    #[tokio::test]
    async fn a_place_without_room_starts_nothing_and_loses_nothing() {
        let access = ModalAccess {
            server_url: "http://127.0.0.1:9".to_owned(),
            token_id: String::new(),
            token_secret: String::new().into(),
            environment: String::new(),
        };
        let sandbox = Modal::new(access).unwrap().sandbox(&"sb-1".parse().unwrap());
        let followed = |way| Followed::new(sandbox.clone(), ExecId::new(), way, 0, 0);
        let error = |kind| ModalError::new(kind, "start the command", "no");
        assert!(followed(Way::Start(Box::default())).gives_up(&error(ErrorKind::Exhausted)));
        assert!(!followed(Way::Attach).gives_up(&error(ErrorKind::Exhausted)), "it runs, and waits for room itself");
        assert!(followed(Way::Attach).gives_up(&error(ErrorKind::Unavailable)), "tried often enough");
    }
}
