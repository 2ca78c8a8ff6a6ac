//! One connection of an engine to a keeper: a question, its answer, and the descriptors that come with it.

use std::{io, os::fd::OwnedFd};

use tokio::{
    io::{AsyncWriteExt, Interest},
    net::UnixStream,
};

use super::{
    error::KeeperError,
    wire::{self, Ask, Reply, Request},
};
use crate::engine::frames;

/// A connection; one question at a time.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Connection {
    /// To the socket at `path`. [`KeeperError::Gone`] when nobody listens.
    pub async fn open(path: &str) -> Result<Self, KeeperError> {
        let stream = UnixStream::connect(path).await.map_err(gone)?;
        Ok(Self { stream, buffer: Vec::new(), fds: Vec::new() })
    }

    /// Asks and waits for the answer; a [`wire::Fault`] is an error.
    pub async fn ask(&mut self, ask: Ask, data: &[u8]) -> Result<Reply, KeeperError> {
        let frame = frames::frame(&Request { version: wire::VERSION, ask }, data)?;
        self.stream.write_all(&frame).await.map_err(gone)?;
        loop {
            if let Some((reply, _)) = frames::take::<Reply>(&mut self.buffer).map_err(protocol)? {
                return match reply {
                    Reply::Fault(fault) => Err(fault.into()),
                    reply => Ok(reply),
                };
            }
            if self.receive().await.map_err(gone)? == 0 {
                return Err(KeeperError::Gone);
            }
        }
    }

    /// The descriptors that came so far.
    pub fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }

    async fn receive(&mut self) -> io::Result<usize> {
        let (stream, buffer, fds) = (&self.stream, &mut self.buffer, &mut self.fds);
        stream.async_io(Interest::READABLE, || frames::receive(stream, buffer, fds)).await
    }
}

fn gone(e: io::Error) -> KeeperError {
    use io::ErrorKind as K;
    match e.kind() {
        K::NotFound | K::ConnectionRefused | K::ConnectionReset | K::BrokenPipe | K::UnexpectedEof => KeeperError::Gone,
        _ => KeeperError::Io(e),
    }
}

fn protocol(e: io::Error) -> KeeperError {
    KeeperError::Protocol(e.to_string())
}
