//! A command in a sandbox, over breaks: every byte has its offset, so nothing is missed or repeated.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use http::HeaderValue;
use tokio::{net::UnixStream, sync::mpsc, time};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{Client, calls::sandbox_path};
use crate::api::{
    ApiError, CLIENT_HEADER, ExecClientFrame, ExecServerFrame, ExecStart,
    exec::{ExecSay, MAX_PIECE},
};

/// Input that the command has not taken yet and that would be sent again after a break. Four pieces keep a pipe busy;
/// above it our own input is left unread.
const MAX_PENDING: usize = 4 * MAX_PIECE;

/// Connections in a row that break before anything came of them. With [`PAUSE`] between them a server that is being
/// replaced has time to come up, and one that can't follow this exec isn't asked for ever.
const ATTEMPTS: u32 = 10;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// What goes to a command beside its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecControl {
    /// The terminal's new size: rows, columns.
    Resize(u16, u16),
    /// A signal's number.
    Signal(u8),
}

/// What a command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutput {
    /// To standard output.
    Stdout(Bytes),
    /// To standard error.
    Stderr(Bytes),
}

/// A command's three streams and what is said beside them.
pub struct ExecIo {
    /// Its input; closed when that ends.
    pub stdin: mpsc::Receiver<Bytes>,
    /// Sizes and signals.
    pub control: mpsc::Receiver<ExecControl>,
    /// Where its output goes; when nobody takes it any more, following ends.
    pub output: mpsc::Sender<ExecOutput>,
}

type Socket = WebSocketStream<UnixStream>;

impl Client {
    /// Starts a command, or finds the one with this request id, and follows it to its exit code.
    ///
    /// # Errors
    /// It can't be started or followed.
    pub async fn exec(&self, sandbox: &str, start: ExecStart, io: ExecIo) -> Result<i32, ApiError> {
        let path = sandbox_path(sandbox, "/exec")?;
        let mut follower =
            Follower { start, io, pending: BytesMut::new(), taken: 0, input_ended: false, control_ended: false };
        let mut failures = 0;
        loop {
            let progress = follower.received();
            let ended = match self.open(&path).await? {
                Some(socket) => follower.follow(socket).await,
                None => None,
            };
            if let Some(end) = ended {
                return end;
            }
            failures = if follower.received() > progress { 1 } else { failures + 1 };
            if failures >= ATTEMPTS {
                return Err(ApiError::unavailable("the connection to the command breaks again and again")
                    .hint("the command goes on; follow it again with the same --request-id"));
            }
            time::sleep(PAUSE).await;
        }
    }

    /// A WebSocket to a server that knows us; nothing when it broke, and the session is then a new one.
    async fn open(&self, path: &str) -> Result<Option<Socket>, ApiError> {
        let session = self.session().await?;
        let connect = async {
            let mut request = format!("ws://sandbank{path}").into_client_request().ok()?;
            request.headers_mut().insert(CLIENT_HEADER, HeaderValue::from_str(&session.client.to_string()).ok()?);
            let stream = UnixStream::connect(&session.socket).await.ok()?;
            client_async(request, stream).await.ok()
        };
        match connect.await {
            Some((socket, _)) => Ok(Some(socket)),
            None => self.renew(&session).await.map(|_| None),
        }
    }
}

/// What outlives a connection.
struct Follower {
    start: ExecStart,
    io: ExecIo,
    /// Input from `taken` on that was read and not taken.
    pending: BytesMut,
    taken: u64,
    input_ended: bool,
    control_ended: bool,
}

/// How following ended; nothing when only the connection did.
type End = Option<Result<i32, ApiError>>;

impl Follower {
    fn received(&self) -> u64 {
        self.start.stdout_from + self.start.stderr_from + self.taken
    }

    async fn follow(&mut self, mut socket: Socket) -> End {
        let first = serde_json::to_string(&self.start).unwrap_or_default();
        socket.send(Message::text(first)).await.ok()?;
        let mut started = false;
        loop {
            let room = started && !self.input_ended && self.pending.len() < MAX_PENDING;
            tokio::select! {
                message = socket.next() => match message?.ok()? {
                    Message::Binary(bytes) => match ExecServerFrame::decode(bytes)? {
                        ExecServerFrame::StdinTaken(offset) => self.take(offset),
                        frame => if let Err(end) = self.output(&mut socket, frame).await { return Some(Err(end)) },
                    },
                    Message::Text(text) => match serde_json::from_str(&text) {
                        Ok(ExecSay::Started { stdin }) => {
                            started = true;
                            self.take(stdin);
                            self.send_again(&mut socket).await;
                        }
                        Ok(ExecSay::Ended { exit_code }) => return Some(Ok(exit_code)),
                        Ok(ExecSay::Error { error }) => return Some(Err(error)),
                        // A newer server's word that changes nothing for us.
                        Err(_) => {}
                    },
                    Message::Close(_) => return None,
                    _ => {}
                },
                // What can't be sent is no end yet: the last words of a command that has ended may still lie there to
                // be read. If the connection is broken, reading says so.
                data = self.io.stdin.recv(), if room => drop(self.input(&mut socket, data).await),
                control = self.io.control.recv(), if started && !self.control_ended => match control {
                    Some(control) => {
                        let frame = match control {
                            ExecControl::Resize(rows, cols) => ExecClientFrame::Resize(rows, cols),
                            ExecControl::Signal(number) => ExecClientFrame::Signal(number),
                        };
                        let _ = socket.send(Message::binary(frame.encode())).await;
                    }
                    None => self.control_ended = true,
                },
            }
        }
    }

    /// Passes output on, without bytes that we have.
    async fn output(&mut self, socket: &mut Socket, frame: ExecServerFrame) -> Result<(), ApiError> {
        let (from, offset, mut bytes, wrap): (_, _, _, fn(Bytes) -> ExecOutput) = match frame {
            ExecServerFrame::Stdout(offset, bytes) => (&mut self.start.stdout_from, offset, bytes, ExecOutput::Stdout),
            ExecServerFrame::Stderr(offset, bytes) => (&mut self.start.stderr_from, offset, bytes, ExecOutput::Stderr),
            ExecServerFrame::StdinTaken(_) | ExecServerFrame::Say(_) => return Ok(()),
        };
        if offset > *from {
            return Err(ApiError::failed(format!("the server left out output: {} bytes", offset - *from)));
        }
        let seen = usize::try_from(*from - offset).unwrap_or(usize::MAX).min(bytes.len());
        bytes.advance(seen);
        if bytes.is_empty() {
            return Ok(());
        }
        *from += bytes.len() as u64;
        if self.io.output.send(wrap(bytes)).await.is_err() {
            // As a shell's pipe would tell it.
            const SIGPIPE: u8 = 13;
            let _ = socket.send(Message::binary(ExecClientFrame::Signal(SIGPIPE).encode())).await;
            let _ = socket.close(None).await;
            return Err(ApiError::interrupted("nobody takes the command's output any more"));
        }
        Ok(())
    }

    /// Sends new input, or its end.
    async fn input(&mut self, socket: &mut Socket, data: Option<Bytes>) -> Option<()> {
        let offset = self.taken + self.pending.len() as u64;
        match data {
            Some(data) => {
                self.pending.extend_from_slice(&data);
                send_pieces(socket, offset, &data).await
            }
            None => {
                self.input_ended = true;
                socket.send(Message::binary(ExecClientFrame::StdinEnd(offset).encode())).await.ok()
            }
        }
    }

    /// Everything that the server doesn't have yet.
    async fn send_again(&mut self, socket: &mut Socket) -> Option<()> {
        send_pieces(socket, self.taken, &self.pending.clone()).await?;
        if self.input_ended {
            let end = self.taken + self.pending.len() as u64;
            socket.send(Message::binary(ExecClientFrame::StdinEnd(end).encode())).await.ok()?;
        }
        Some(())
    }

    /// Lets go of input that was taken.
    fn take(&mut self, offset: u64) {
        let n = usize::try_from(offset.saturating_sub(self.taken)).unwrap_or(usize::MAX).min(self.pending.len());
        self.pending.advance(n);
        self.taken += n as u64;
        // Another client of the same exec wrote more: ours goes on after it.
        self.taken = self.taken.max(offset);
    }
}

async fn send_pieces(socket: &mut Socket, mut offset: u64, data: &[u8]) -> Option<()> {
    for piece in data.chunks(MAX_PIECE) {
        let frame = ExecClientFrame::Stdin(offset, Bytes::copy_from_slice(piece));
        socket.send(Message::binary(frame.encode())).await.ok()?;
        offset += piece.len() as u64;
    }
    Some(())
}
