//! Bytes on their way to the terminal: one frame at most, and small orders.

use std::{io, os::fd::AsFd};

use rustix::io::Errno;

/// What the terminal has yet to take.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// So many of them are sent.
    sent: usize,
}

impl Outgoing {
    /// All is sent.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What isn't sent.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// More, after what is on its way.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A frame in the place of nothing, without a copy; the other buffer comes back empty for the next one.
    pub fn swap(&mut self, frame: &mut Vec<u8>) {
        std::mem::swap(&mut self.bytes, frame);
    }

    /// Forgets it all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// Writes as much as the terminal takes now.
    ///
    /// # Errors
    /// The terminal is gone; nothing waits any more.
    pub fn send(&mut self, fd: &impl AsFd) -> io::Result<()> {
        while self.sent < self.bytes.len() {
            match rustix::io::write(fd, &self.bytes[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(e) => {
                    self.clear();
                    return Err(e.into());
                }
            }
        }
        self.clear();
        Ok(())
    }
}
