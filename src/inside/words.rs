//! What the shim and the server say to each other: frames on the pipes of `inside attach`, and on the shim's socket.
//!
//! They travel as [`super::frames`]; numbers in bodies are big-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub use super::frames::BadFrame;
use super::frames::{self, Word};

/// The version of these words, in the first frame each way.
pub const PROTOCOL: u32 = 1;

/// Longest frame. Output and input travel in pieces of at most [`PIECE`].
pub const MAX_FRAME: usize = PIECE + 64;

/// Longest piece of output or input in one frame: small enough that a resize never waits long behind it.
pub const PIECE: usize = 64 << 10;

/// Where a piece of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Out,
    /// Standard error.
    Err,
}

/// One frame. Offsets count bytes of output, both streams together, in the order in which the shim read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// First in each direction. From the server with the offset to read from.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Where to begin.
        from: u64,
    },
    /// Output.
    Output {
        /// Where it came from.
        stream: Stream,
        /// Offset of its first byte.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// An input line and all before it need not be sent again. Said at once to who attaches; later when the command has
    /// read them, so that a sender who waits for it keeps to the command's pace.
    Taken {
        /// The line's number.
        number: u64,
    },
    /// Bytes of input that the shim has had so far, all lines together; said once to each who attaches, before the
    /// first [`Frame::Taken`]. A server that knows nothing of its predecessor's lines goes on from there.
    Fed {
        /// How many.
        bytes: u64,
    },
    /// The command has ended and all its output has been sent.
    Exit {
        /// Exit code, 128 + n for signal n.
        code: i32,
    },
    /// The shim is gone without an exit code.
    Lost {
        /// What is known of why.
        reason: String,
    },
    /// The spool has grown (on the shim's socket only).
    Grown {
        /// Its end.
        end: u64,
    },
    /// Input. A number that the shim has seen is acknowledged again and otherwise ignored.
    Input {
        /// Counts from 1, without gaps.
        number: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// No more input comes; numbered like input.
    EndInput {
        /// Its number.
        number: u64,
    },
    /// The terminal's size.
    Resize {
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
    /// A signal for the command's process group.
    Signal {
        /// Its number on Linux.
        number: i32,
    },
    /// The server has stored all output below this offset: it may be forgotten.
    Commit {
        /// The offset.
        offset: u64,
    },
}

impl Frame {
    /// Appends the frame to a buffer.
    pub fn encode(&self, out: &mut BytesMut) {
        frames::encode(self, out);
    }
}

impl Word for Frame {
    const MAX: usize = MAX_FRAME;

    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Hello { protocol, from } => {
                out.put_u8(1);
                out.put_u32(*protocol);
                out.put_u64(*from);
            }
            Self::Output { stream, offset, bytes } => {
                out.put_u8(match stream {
                    Stream::Out => 2,
                    Stream::Err => 3,
                });
                out.put_u64(*offset);
                out.put_slice(bytes);
            }
            Self::Taken { number } => number_frame(out, 4, *number),
            Self::Exit { code } => {
                out.put_u8(5);
                out.put_i32(*code);
            }
            Self::Lost { reason } => {
                out.put_u8(6);
                out.put_slice(&reason.as_bytes()[..reason.len().min(PIECE)]);
            }
            Self::Grown { end } => number_frame(out, 7, *end),
            Self::Input { number, bytes } => {
                number_frame(out, 8, *number);
                out.put_slice(bytes);
            }
            Self::EndInput { number } => number_frame(out, 9, *number),
            Self::Resize { rows, columns } => {
                out.put_u8(10);
                out.put_u16(*rows);
                out.put_u16(*columns);
            }
            Self::Signal { number } => {
                out.put_u8(11);
                out.put_i32(*number);
            }
            Self::Commit { offset } => number_frame(out, 12, *offset),
            Self::Fed { bytes } => number_frame(out, 13, *bytes),
        }
    }

    fn read(mut body: Bytes) -> Result<Self, BadFrame> {
        if body.is_empty() {
            return Err(BadFrame::Body(0));
        }
        let kind = body.get_u8();
        let bad = BadFrame::Body(kind);
        let exact = |n: usize, body: &Bytes| if body.len() == n { Ok(()) } else { Err(bad) };
        let least = |n: usize, body: &Bytes| if body.len() >= n { Ok(()) } else { Err(bad) };
        Ok(match kind {
            1 => {
                exact(12, &body)?;
                Self::Hello { protocol: body.get_u32(), from: body.get_u64() }
            }
            2 | 3 => {
                least(8, &body)?;
                let stream = if kind == 2 { Stream::Out } else { Stream::Err };
                Self::Output { stream, offset: body.get_u64(), bytes: body }
            }
            5 | 11 => {
                exact(4, &body)?;
                let number = body.get_i32();
                if kind == 5 { Self::Exit { code: number } } else { Self::Signal { number } }
            }
            6 => Self::Lost { reason: String::from_utf8_lossy(&body).into_owned() },
            8 => {
                least(8, &body)?;
                Self::Input { number: body.get_u64(), bytes: body }
            }
            10 => {
                exact(4, &body)?;
                Self::Resize { rows: body.get_u16(), columns: body.get_u16() }
            }
            4 | 7 | 9 | 12 | 13 => {
                exact(8, &body)?;
                let number = body.get_u64();
                match kind {
                    4 => Self::Taken { number },
                    7 => Self::Grown { end: number },
                    9 => Self::EndInput { number },
                    12 => Self::Commit { offset: number },
                    _ => Self::Fed { bytes: number },
                }
            }
            other => return Err(BadFrame::Kind(other)),
        })
    }
}

fn number_frame(out: &mut BytesMut, kind: u8, number: u64) {
    out.put_u8(kind);
    out.put_u64(number);
}

/// Puts frames together from bytes.
pub type Decoder = frames::Decoder<Frame>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame() -> impl Strategy<Value = Frame> {
        let bytes = prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
        prop_oneof![
            any::<(u32, u64)>().prop_map(|(protocol, from)| Frame::Hello { protocol, from }),
            (any::<bool>(), any::<u64>(), bytes.clone()).prop_map(|(err, offset, bytes)| Frame::Output {
                stream: if err { Stream::Err } else { Stream::Out },
                offset,
                bytes
            }),
            any::<u64>().prop_map(|number| Frame::Taken { number }),
            any::<i32>().prop_map(|code| Frame::Exit { code }),
            "\\PC{0,30}".prop_map(|reason| Frame::Lost { reason }),
            any::<u64>().prop_map(|end| Frame::Grown { end }),
            (any::<u64>(), bytes).prop_map(|(number, bytes)| Frame::Input { number, bytes }),
            any::<u64>().prop_map(|number| Frame::EndInput { number }),
            any::<(u16, u16)>().prop_map(|(rows, columns)| Frame::Resize { rows, columns }),
            any::<i32>().prop_map(|number| Frame::Signal { number }),
            any::<u64>().prop_map(|offset| Frame::Commit { offset }),
            any::<u64>().prop_map(|bytes| Frame::Fed { bytes }),
        ]
    }

    proptest! {
        #[test]
        fn frames_come_back_however_the_bytes_are_cut(frames in prop::collection::vec(frame(), 0..8), cut in 1usize..40) {
            let mut bytes = BytesMut::new();
            frames.iter().for_each(|f| f.encode(&mut bytes));
            let (mut decoder, mut got) = (Decoder::default(), Vec::new());
            for chunk in bytes.chunks(cut) {
                decoder.push(chunk);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push(frame);
                }
            }
            prop_assert_eq!(got, frames);
        }

        #[test]
        fn hostile_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_frame() {}
        }
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut decoder = Decoder::default();
        decoder.push(&[0xff, 0xff, 0xff, 0xff, 2]);
        assert_eq!(decoder.next_frame(), Err(BadFrame::TooLong(u32::MAX as usize)));
    }
}
