//! The two pipes of a session: frames in, frames out. A thread tends each, since pipes block.

use std::{
    io::{self, Read, Write},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{sync::mpsc, time::timeout};

use super::{codec::Decoder, stop::Stop, words::Frame};

/// Frames that wait for the pipe. Frames are small but for entries of huge files, which take seconds to read each.
const WAITING: usize = 256;

/// How long the service may take to answer. It has nothing to do for that but sign, so it is gone, and perhaps its
/// successor waits for the lock that a restore has: whoever holds the pipe may keep it open for ever. One that was only
/// cut off for so long starts another mover, which goes on with what is staged.
const SILENCE: Duration = Duration::from_secs(10);

/// The output is written when this much has come together, or nothing more waits.
const WRITE: usize = 64 << 10;

/// Starts to read standard input and to write standard output. The thread that writes ends when all clones of [`Out`]
/// are gone and everything is written.
pub fn open() -> io::Result<(Input, Out, JoinHandle<()>)> {
    let (frames, input) = mpsc::channel(WAITING);
    thread::Builder::new().spawn(move || read_frames(&frames))?;
    let (out, frames) = mpsc::channel(WAITING);
    let writer = thread::Builder::new().spawn(move || write_frames(frames))?;
    Ok((Input(input), Out(out), writer))
}

/// The way in.
#[derive(Debug)]
pub struct Input(mpsc::Receiver<Result<Frame, Stop>>);

impl Input {
    /// The next frame; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Frame>, Stop> {
        self.0.recv().await.transpose()
    }

    /// The next frame, when it is the service's turn; nothing if it keeps silent.
    pub async fn answer(&mut self) -> Result<Option<Frame>, Stop> {
        timeout(SILENCE, self.next()).await.unwrap_or(Ok(None))
    }
}

/// The way out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Out(mpsc::Sender<Frame>);

impl Out {
    /// Sends a frame.
    ///
    /// # Errors
    /// The service is gone.
    pub async fn send(&self, frame: Frame) -> Result<(), Stop> {
        self.0.send(frame).await.map_err(|_| gone())
    }

    /// The same from a thread of its own.
    pub fn send_blocking(&self, frame: Frame) -> Result<(), Stop> {
        self.0.blocking_send(frame).map_err(|_| gone())
    }
}

fn gone() -> Stop {
    Stop("the service is gone".to_owned())
}

fn read_frames(frames: &mpsc::Sender<Result<Frame, Stop>>) {
    let (mut decoder, mut buffer, mut input) = (Decoder::default(), vec![0; WRITE], io::stdin());
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => decoder.push(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        loop {
            let frame = match decoder.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => Ok(frame),
                Err(e) => Err(Stop::at("the service sent what is no frame", e)),
            };
            let bad = frame.is_err();
            if frames.blocking_send(frame).is_err() || bad {
                return;
            }
        }
    }
}

fn write_frames(mut frames: mpsc::Receiver<Frame>) {
    let (mut buffer, mut out) = (BytesMut::new(), io::stdout());
    while let Some(frame) = frames.blocking_recv() {
        frame.encode(&mut buffer);
        while buffer.len() < WRITE
            && let Ok(frame) = frames.try_recv()
        {
            frame.encode(&mut buffer);
        }
        if out.write_all(&buffer).and_then(|()| out.flush()).is_err() {
            return;
        }
        buffer.clear();
    }
}
