//! One engine's connection, as the keeper sees it: what came, what it waits for, what goes back.

use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::event::PollFlags;

use super::wire::{self, Ask, OutputFd, Reply, Request};
use crate::engine::jail;

/// What a connection waits for; its number is the exec's place.
#[derive(Debug)]
pub enum Waiting {
    /// The start of an exec.
    Start(usize),
    /// Output beyond an offset.
    Output(usize, OutputFd, u64),
    /// Room in a standard input.
    Stdin {
        /// Which exec.
        exec: usize,
        /// Place of the first byte.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
        /// Nothing follows.
        eof: bool,
    },
    /// The exit of an exec.
    Exit(usize),
    /// The end of the sandbox.
    Ended,
}

/// A connection.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    fds: Vec<OwnedFd>,
    /// At most one question is open.
    pub waiting: Option<Waiting>,
    /// The other end is gone or broke the rules.
    pub broken: bool,
}

impl Line {
    /// Of a nonblocking stream.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, incoming: Vec::new(), outgoing: Vec::new(), fds: Vec::new(), waiting: None, broken: false }
    }

    /// What to wait for. While a question is open nothing more is read, so a connection holds one frame at most; that
    /// the other end is gone shows all the same.
    pub fn interest(&self) -> PollFlags {
        if !self.outgoing.is_empty() {
            PollFlags::OUT
        } else if self.waiting.is_some() {
            PollFlags::RDHUP
        } else {
            PollFlags::IN
        }
    }

    /// Takes what is there; whole questions come back.
    pub fn receive(&mut self) -> Option<(Ask, Vec<u8>)> {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.broken = true,
            Ok(n) => self.incoming.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.broken = true,
        }
        self.next()
    }

    /// A whole question that came already.
    pub fn next(&mut self) -> Option<(Ask, Vec<u8>)> {
        match wire::take::<Request>(&mut self.incoming) {
            Ok(next) => next.map(|(request, data)| (request.ask, data)),
            Err(_) => {
                self.broken = true;
                None
            }
        }
    }

    /// Answers, with descriptors.
    pub fn answer(&mut self, reply: &Reply, fds: Vec<OwnedFd>) {
        match wire::frame(reply, &[]) {
            Ok(frame) => self.outgoing.extend_from_slice(&frame),
            Err(_) => self.broken = true,
        }
        self.fds = fds;
        self.send();
    }

    /// Sends what goes.
    pub fn send(&mut self) {
        while !self.outgoing.is_empty() {
            let fds: Vec<BorrowedFd<'_>> = self.fds.iter().map(AsFd::as_fd).collect();
            match jail::send_with_fds(&self.stream, &self.outgoing, &fds) {
                Ok(n) => {
                    self.outgoing.drain(..n);
                    self.fds.clear();
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.broken = true;
                    return;
                }
            }
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
