//! Frames as such: four bytes of length (big-endian, of what follows), one of kind, a body. Which kinds there are and
//! what their bodies hold, the shim's words and the mover's say each for itself.
//!
//! The other side may be hostile: a length above the limit, or a body that isn't what its kind says, ends the
//! conversation, and nothing is allocated by what a frame claims.

use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A frame that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Its length is above the limit.
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// Its kind is unknown.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// Its body isn't what its kind says.
    #[error("a frame of kind {0} with a body that doesn't fit")]
    Body(u8),
}

/// One side's words.
pub trait Word: Sized {
    /// Longest frame, kind and body.
    const MAX: usize;

    /// Appends kind and body.
    fn put(&self, out: &mut BytesMut);

    /// The word of a kind and a body.
    ///
    /// # Errors
    /// It is none.
    fn read(body: Bytes) -> Result<Self, BadFrame>;
}

/// Appends a word's frame to a buffer.
pub fn encode(word: &impl Word, out: &mut BytesMut) {
    let at = out.len();
    out.put_u32(0);
    word.put(out);
    #[allow(clippy::cast_possible_truncation, reason = "a frame is at most MAX long")]
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Puts frames together from bytes, however they arrive.
#[derive(Debug)]
pub struct Decoder<W> {
    buffer: BytesMut,
    words: PhantomData<fn() -> W>,
}

impl<W> Default for Decoder<W> {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), words: PhantomData }
    }
}

impl<W: Word> Decoder<W> {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// The bytes are no frame; nothing after them can be read.
    pub fn next_frame(&mut self) -> Result<Option<W>, BadFrame> {
        let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > W::MAX {
            return Err(BadFrame::TooLong(length));
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(4);
        W::read(self.buffer.split_to(length).freeze()).map(Some)
    }
}
