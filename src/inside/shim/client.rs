//! One attached reader of the shim.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

use bytes::{Buf, BytesMut};
use rustix::event::PollFlags;

use super::feed::Feed;
use crate::inside::words::{Decoder, Frame, PIECE};

/// A reader that has gone, or talks nonsense.
#[derive(Debug)]
pub struct Gone;

/// A reader's end of the socket.
pub struct Client {
    stream: UnixStream,
    decoder: Decoder,
    out: BytesMut,
    /// End of the spool that it heard of.
    told: u64,
    /// Number of the input that it heard of.
    acknowledged: u64,
}

impl Client {
    /// One that has just connected. It hears what input there was.
    pub fn new(stream: UnixStream, feed: &Feed) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let mut out = BytesMut::new();
        // Before the number: who hears that has both.
        Frame::Fed { bytes: feed.fed() }.encode(&mut out);
        Frame::Taken { number: feed.taken() }.encode(&mut out);
        Ok(Self { stream, decoder: Decoder::default(), out, told: u64::MAX, acknowledged: feed.passed() })
    }

    /// What it is to be woken for, if it may speak; nothing when there is nothing.
    pub fn wanted(&self, may_speak: bool) -> Option<(&UnixStream, PollFlags)> {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, may_speak);
        wanted.set(PollFlags::OUT, !self.out.is_empty());
        (!wanted.is_empty()).then_some((&self.stream, wanted))
    }

    /// Reads what it says; false when it says no more for now.
    pub fn read(&mut self) -> Result<bool, Gone> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Gone),
                Ok(n) => {
                    self.decoder.push(&buffer[..n]);
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
    }

    /// The next whole frame of what was read.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Gone> {
        self.decoder.next_frame().map_err(|_| Gone)
    }

    /// Tells what is new. One that takes nothing hears only the latest.
    pub fn tell(&mut self, passed: u64, end: u64) -> Result<(), Gone> {
        if self.out.len() < PIECE {
            if self.acknowledged < passed {
                self.acknowledged = passed;
                Frame::Taken { number: passed }.encode(&mut self.out);
            }
            if self.told != end {
                self.told = end;
                Frame::Grown { end }.encode(&mut self.out);
            }
        }
        self.flush()
    }

    /// Writes what the socket takes.
    fn flush(&mut self) -> Result<(), Gone> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(n) => self.out.advance(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }
}
