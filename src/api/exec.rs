//! A command's bytes between client and server: a WebSocket at `/v1/sandboxes/{sandbox}/exec`.
//!
//! The first message is [`ExecStart`] as text; after that binary frames, and text for what is said once. Every byte
//! of every stream has its offset, so a client that lost the connection comes again with the same request id and the
//! offsets that it has, and misses and repeats nothing. The exec's id is the request id.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::ApiError;
use crate::core::{AccountId, Profile, RequestId};

/// Largest piece of input in a frame. Modal's own clients send 256 KiB pieces.
pub const MAX_PIECE: usize = 256 << 10;

/// First message of the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecStart {
    /// The exec's id, chosen by the client.
    pub request_id: RequestId,
    /// Whose sandbox it is.
    pub account: AccountId,
    /// Where it is.
    pub profile: Profile,
    /// argv; not looked at when the exec is already there.
    pub command: Vec<String>,
    /// Where it starts; the sandbox's working directory when absent.
    #[serde(default)]
    pub workdir: Option<String>,
    /// Rows, columns and TERM of the client's terminal; pipes when absent.
    #[serde(default)]
    pub pty: Option<Pty>,
    /// Bytes of standard output that the client has.
    #[serde(default)]
    pub stdout_from: u64,
    /// Bytes of standard error that the client has.
    #[serde(default)]
    pub stderr_from: u64,
}

/// A client's terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pty {
    /// Height.
    pub rows: u16,
    /// Width.
    pub cols: u16,
    /// `TERM`.
    pub term: String,
}

/// Later messages of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecClientFrame {
    /// Input from this offset on; bytes the server already has are ignored.
    Stdin(u64, Bytes),
    /// The input ends at this offset.
    StdinEnd(u64),
    /// The terminal's new size: rows, columns.
    Resize(u16, u16),
    /// End the command with this signal.
    Signal(u8),
}

/// Messages of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecServerFrame {
    /// Standard output from this offset on.
    Stdout(u64, Bytes),
    /// Standard error from this offset on.
    Stderr(u64, Bytes),
    /// Input up to this offset has reached the command's pipe: a client need not keep it.
    StdinTaken(u64),
    /// Something said once.
    Say(ExecSay),
}

/// What the server says once, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum ExecSay {
    /// The exec is there; input is taken from this offset on.
    Started {
        /// Bytes of input it has.
        stdin: u64,
    },
    /// It ended and all its output has been sent.
    Ended {
        /// Exit code; 128 + n for signal n.
        exit_code: i32,
    },
    /// It could not be started, or can't be followed any longer.
    Error {
        /// Why.
        error: ApiError,
    },
}

const STDIN: u8 = 0;
const STDIN_END: u8 = 1;
const RESIZE: u8 = 2;
const SIGNAL: u8 = 3;
const STDOUT: u8 = 16;
const STDERR: u8 = 17;
const STDIN_TAKEN: u8 = 18;

impl ExecClientFrame {
    /// The frame's bytes.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Stdin(offset, data) => with_offset(STDIN, *offset, data),
            Self::StdinEnd(offset) => with_offset(STDIN_END, *offset, &[]),
            Self::Resize(rows, cols) => {
                let mut out = BytesMut::with_capacity(5);
                out.put_u8(RESIZE);
                out.put_u16(*rows);
                out.put_u16(*cols);
                out.freeze()
            }
            Self::Signal(number) => Bytes::copy_from_slice(&[SIGNAL, *number]),
        }
    }

    /// The frame, or nothing for one that isn't well-formed.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        let kind = take(&mut bytes, 1)?[0];
        Some(match kind {
            STDIN => Self::Stdin(offset(&mut bytes)?, bytes),
            STDIN_END => Self::StdinEnd(offset(&mut bytes)?),
            RESIZE => {
                let size = take(&mut bytes, 4)?;
                Self::Resize(u16::from_be_bytes([size[0], size[1]]), u16::from_be_bytes([size[2], size[3]]))
            }
            SIGNAL => Self::Signal(take(&mut bytes, 1)?[0]),
            _ => return None,
        })
    }
}

impl ExecServerFrame {
    /// The bytes of a binary frame; `Say` goes as text instead.
    pub fn encode(&self) -> Option<Bytes> {
        Some(match self {
            Self::Stdout(offset, data) => with_offset(STDOUT, *offset, data),
            Self::Stderr(offset, data) => with_offset(STDERR, *offset, data),
            Self::StdinTaken(offset) => with_offset(STDIN_TAKEN, *offset, &[]),
            Self::Say(_) => return None,
        })
    }

    /// The binary frame, or nothing for one that isn't well-formed.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        let kind = take(&mut bytes, 1)?[0];
        let offset = offset(&mut bytes)?;
        match kind {
            STDOUT => Some(Self::Stdout(offset, bytes)),
            STDERR => Some(Self::Stderr(offset, bytes)),
            STDIN_TAKEN => Some(Self::StdinTaken(offset)),
            _ => None,
        }
    }
}

fn with_offset(kind: u8, offset: u64, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(9 + data.len());
    out.put_u8(kind);
    out.put_u64(offset);
    out.put_slice(data);
    out.freeze()
}

fn take(bytes: &mut Bytes, n: usize) -> Option<Bytes> {
    (bytes.len() >= n).then(|| bytes.split_to(n))
}

fn offset(bytes: &mut Bytes) -> Option<u64> {
    let head = take(bytes, 8)?;
    Some(u64::from_be_bytes(head.as_ref().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_come_back_as_they_went() {
        let client = [
            ExecClientFrame::Stdin(7, Bytes::from_static(b"abc")),
            ExecClientFrame::StdinEnd(u64::MAX),
            ExecClientFrame::Resize(24, 300),
            ExecClientFrame::Signal(2),
        ];
        for frame in client {
            assert_eq!(ExecClientFrame::decode(frame.encode()), Some(frame));
        }
        let server = [
            ExecServerFrame::Stdout(0, Bytes::from_static(b"\0\xff")),
            ExecServerFrame::Stderr(1 << 40, Bytes::new()),
            ExecServerFrame::StdinTaken(3),
        ];
        for frame in server {
            assert_eq!(ExecServerFrame::decode(frame.encode().unwrap()), Some(frame));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let bytes = Bytes::from(bytes);
            let _ = ExecClientFrame::decode(bytes.clone());
            let _ = ExecServerFrame::decode(bytes);
        }
    }
}
