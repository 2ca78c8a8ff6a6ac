//! The two pipes of a mover, wherever it runs: its frames as a stream, and a way to write to it.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};
use tokio_util::io::ReaderStream;

use crate::{
    inside::mover::{
        codec::Decoder,
        words::{Frame, PROTOCOL, WINDOW},
    },
    modal::{Exec, ExecStdin, StdioFd},
};

/// Frames that may wait to be written. More than [`WINDOW`]: an answer to the mover never waits for the mover to read,
/// so both can't wait for each other.
const WAITING: usize = 4 * WINDOW;

/// Bytes that are written at once, in one call: entries and requests are small, calls to Modal take 20 ms.
const BATCH: usize = 256 << 10;

/// What is kept of what a mover said on standard error before it ended.
const LAST_WORDS: usize = 1 << 10;

/// How long an ended mover's exit code and last words may take.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// Requests to the store at a time: with 20 ms a request, 64 send 3,000 small files a second.
const IN_FLIGHT: u32 = 64;

/// A mover's standard input.
pub trait Input: Send + 'static {
    /// Writes all of it.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), String>> + Send;
    /// Ends it: the mover ends too.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

impl Input for ExecStdin {
    async fn write(&mut self, bytes: Bytes) -> Result<(), String> {
        ExecStdin::write(self, &bytes).await.map_err(|e| e.to_string())
    }

    async fn close(&mut self) {
        // It has ended already, or ends with its sandbox.
        let _ = ExecStdin::close(self).await;
    }
}

struct Pipe<W>(W);

impl<W: AsyncWrite + Send + Unpin + 'static> Input for Pipe<W> {
    async fn write(&mut self, bytes: Bytes) -> Result<(), String> {
        let written: io::Result<()> = async {
            self.0.write_all(&bytes).await?;
            self.0.flush().await
        }
        .await;
        written.map_err(|e| e.to_string())
    }

    async fn close(&mut self) {
        let _ = self.0.shutdown().await;
    }
}

/// The pipes of one mover process.
pub struct Conduit {
    output: BoxStream<'static, Result<Bytes, String>>,
    frames: mpsc::Sender<Frame>,
    /// What it said at its end; asked when it ends too early.
    last_words: BoxFuture<'static, String>,
}

impl Conduit {
    /// Of a command in a sandbox.
    pub fn exec(exec: &Exec) -> Self {
        let output = exec.read(StdioFd::Out, 0).map(|read| read.map_err(|e| e.to_string()));
        Self { output: output.boxed(), frames: writer(exec.stdin()), last_words: last_words(exec.clone()).boxed() }
    }

    /// Of a process of this machine, or of anything else with two ends.
    pub fn pipes(
        output: impl AsyncRead + Send + Unpin + 'static,
        input: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let output = ReaderStream::with_capacity(output, BATCH).map(|read| read.map_err(|e| e.to_string()));
        let last_words = async { String::new() }.boxed();
        Self { output: output.boxed(), frames: writer(Pipe(input)), last_words }
    }
}

async fn last_words(exec: Exec) -> String {
    let said = async {
        let mut said = Vec::new();
        let mut errors = Box::pin(exec.read(StdioFd::Err, 0));
        while let Some(Ok(piece)) = errors.next().await {
            said.extend_from_slice(&piece);
            if said.len() >= LAST_WORDS {
                break;
            }
        }
        said.truncate(LAST_WORDS);
        let code = exec.wait().await.map(|exit| format!(" (exit code {})", exit.code())).unwrap_or_default();
        format!("{}{code}", String::from_utf8_lossy(&said).trim())
    };
    timeout(LAST_WAIT, said).await.unwrap_or_default()
}

/// Starts what writes frames, many at once when many wait; it ends when all senders are gone.
fn writer(mut input: impl Input) -> mpsc::Sender<Frame> {
    let (sender, mut frames) = mpsc::channel::<Frame>(WAITING);
    tokio::spawn(async move {
        let mut bytes = BytesMut::new();
        while let Some(frame) = frames.recv().await {
            frame.encode(&mut bytes);
            while bytes.len() < BATCH
                && let Ok(frame) = frames.try_recv()
            {
                frame.encode(&mut bytes);
            }
            if input.write(bytes.split().freeze()).await.is_err() {
                // The reading side tells why.
                return;
            }
        }
        input.close().await;
    });
    sender
}

/// Why there are no more frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// The process or the way to it broke. Another mover can go on.
    Broken(String),
    /// The mover can't do it, and says why; or what it says can't be.
    Stopped(String),
}

/// A mover that can be talked to.
pub struct Mover {
    output: BoxStream<'static, Result<Bytes, String>>,
    decoder: Decoder,
    /// Where frames to it go. Dropping all clones ends it.
    pub frames: mpsc::Sender<Frame>,
    last_words: BoxFuture<'static, String>,
}

impl Mover {
    /// Greets a mover that works below `root`.
    ///
    /// # Errors
    /// It isn't one, or of another build.
    pub async fn greet(conduit: Conduit, root: &str) -> Result<Self, Gone> {
        let Conduit { output, frames, last_words } = conduit;
        let mut mover = Self { output, decoder: Decoder::default(), frames, last_words };
        mover.send(Frame::Hello { protocol: PROTOCOL, in_flight: IN_FLIGHT, root: root.into() }).await?;
        match mover.next().await? {
            Frame::Ready { protocol: PROTOCOL } => Ok(mover),
            _ => Err(Gone::Stopped("the mover in the sandbox is of another build".to_owned())),
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// It is gone.
    pub async fn send(&mut self, frame: Frame) -> Result<(), Gone> {
        match self.frames.send(frame).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.gone("its standard input is closed").await),
        }
    }

    /// The next frame. Nothing is lost when this is dropped before it is done.
    ///
    /// # Errors
    /// There are no more.
    pub async fn next(&mut self) -> Result<Frame, Gone> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(Frame::Stopped { reason })) => return Err(Gone::Stopped(reason)),
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(bad) => return Err(Gone::Stopped(format!("the mover sent {bad}"))),
            }
            match self.output.next().await {
                Some(Ok(bytes)) => self.decoder.push(&bytes),
                Some(Err(why)) => return Err(Gone::Broken(why)),
                None => return Err(self.gone("it ended").await),
            }
        }
    }

    async fn gone(&mut self, what: &str) -> Gone {
        let words = std::mem::replace(&mut self.last_words, async { String::new() }.boxed()).await;
        Gone::Broken(if words.is_empty() { what.to_owned() } else { format!("{what}: {words}") })
    }
}

/// What a frame that has no place there means.
pub fn unexpected(doing: &str) -> Gone {
    Gone::Stopped(format!("the mover sent what doesn't belong to {doing}"))
}
