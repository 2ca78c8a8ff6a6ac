//! The words between an engine and a keeper, and the frames they travel in.
//!
//! A frame is two little-endian `u32` lengths (JSON, raw bytes), the JSON, the raw bytes. One connection carries one
//! request at a time and its answer; what waits (output, an exit, the end) holds only its own connection. File
//! descriptors ride on the first byte of a [`Reply::Listeners`] frame.
//!
//! What must stay true: a keeper outlives the engine that started it, so a word is never given another meaning;
//! [`VERSION`] goes up when one is added, and an engine speaks its own version and the one before.

use std::io;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::engine::spec::{End, ExecEnd, ExecSpec};

/// Version of these words.
pub const VERSION: u32 = 1;

/// Longest JSON part: the kernel's own bound on argv and environment together is 2 MiB by default, and escaping may
/// double it.
pub const JSON_MAX: usize = 8 << 20;

/// Longest raw part: what a keeper holds in memory for one pending write to a standard input.
pub const DATA_MAX: usize = 256 << 10;

/// Most descriptors in one answer: the kernel's SCM_MAX_FD.
pub const FDS_MAX: usize = 253;

/// Exec id under which the first command's output is read.
pub const ENTRYPOINT: &str = "entrypoint";

/// What an engine asks, with the version it speaks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of the asker.
    pub version: u32,
    /// The question.
    pub ask: Ask,
}

/// Which log of an exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFd {
    /// Standard output, or everything a terminal showed.
    Out,
    /// Standard error; empty for a terminal.
    Err,
}

impl OutputFd {
    /// First part of the names of its log files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }
}

/// The questions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Start a command; the same id again is a success without a second start.
    Exec(Box<ExecSpec>),
    /// Answered when the log reaches beyond `offset` or its writers are gone.
    Output {
        /// Which exec.
        exec: String,
        /// Which of its logs.
        fd: OutputFd,
        /// Bytes that the asker has.
        offset: u64,
    },
    /// The frame's raw bytes go to a standard input. Answered when the process's pipe has taken them.
    Stdin {
        /// Which exec.
        exec: String,
        /// Place of the first byte, counted from the start of the input.
        offset: u64,
        /// Nothing follows.
        eof: bool,
    },
    /// How far a standard input got.
    StdinStatus {
        /// Which exec.
        exec: String,
    },
    /// The exit of an exec, if it ended.
    Poll {
        /// Which exec.
        exec: String,
    },
    /// The exit of an exec, when it ends.
    Wait {
        /// Which exec.
        exec: String,
    },
    /// End the sandbox.
    Terminate,
    /// Answered when the sandbox has ended.
    Ended,
    /// All listening sockets made in the sandbox.
    Listeners,
    /// What the sandbox uses now.
    Stats,
}

/// The answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done.
    Done,
    /// To [`Ask::Output`].
    Output {
        /// Bytes in the log since its start.
        end: u64,
        /// No more will come.
        closed: bool,
    },
    /// To [`Ask::Stdin`] and [`Ask::StdinStatus`].
    Stdin {
        /// Bytes taken.
        written: u64,
        /// No more are taken.
        closed: bool,
    },
    /// To [`Ask::Poll`] and [`Ask::Wait`].
    Exit(Option<ExecEnd>),
    /// To [`Ask::Ended`].
    End(End),
    /// What each descriptor sent along is, in order.
    Listeners(Vec<ListenerName>),
    /// To [`Ask::Stats`].
    Stats(Stats),
    /// It was refused.
    Fault(Fault),
}

/// What a listening socket is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerName {
    /// The sandbox's HTTP proxy.
    Proxy,
    /// A forward to this port of the host's loopback.
    Forward(u16),
    /// The keys of this exec.
    Keys(String),
}

/// What a sandbox uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Bytes of memory; absent where no cgroup counts them.
    pub memory: Option<u64>,
    /// Processes and threads; absent where no cgroup counts them.
    pub pids: Option<u64>,
}

/// Why a keeper said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No exec has this id.
    NoSuchExec,
    /// Bytes before `offset` are missing.
    Gap {
        /// Bytes that are there.
        have: u64,
    },
    /// The process takes no more input.
    StdinClosed,
    /// Anything else, as a sentence.
    Refused(String),
}

/// What a keeper says on its standard output, once, when the jail stands or cannot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// Execs are taken.
    Ready,
    /// What failed, on what, and what to do.
    Failed(String),
}

/// Bytes of a frame.
pub fn frame<T: Serialize>(value: &T, data: &[u8]) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    if json.len() > JSON_MAX || data.len() > DATA_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long for a keeper"));
    }
    let mut out = Vec::with_capacity(8 + json.len() + data.len());
    for part in [json.len(), data.len()] {
        out.extend_from_slice(&u32::try_from(part).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend_from_slice(&json);
    out.extend_from_slice(data);
    Ok(out)
}

/// Lengths of the JSON and raw parts, from a frame's first eight bytes; an error when either is beyond its bound.
pub fn lengths(head: [u8; 8]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = head;
    let (json, data) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    if json > JSON_MAX || data > DATA_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    Ok((json, data))
}

/// Takes one whole frame off the front of `buffer`, if it is there.
pub fn take<T: DeserializeOwned>(buffer: &mut Vec<u8>) -> io::Result<Option<(T, Vec<u8>)>> {
    let Some(head) = buffer.first_chunk::<8>() else { return Ok(None) };
    let (json, data) = lengths(*head)?;
    if buffer.len() < 8 + json + data {
        return Ok(None);
    }
    let value = serde_json::from_slice(&buffer[8..8 + json])?;
    let raw = buffer[8 + json..8 + json + data].to_vec();
    buffer.drain(..8 + json + data);
    Ok(Some((value, raw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_only_when_whole_and_leaves_the_next() {
        let first = frame(&Fault::Gap { have: 7 }, b"raw").unwrap();
        let mut buffer = Vec::new();
        for byte in &first[..first.len() - 1] {
            buffer.push(*byte);
            assert!(take::<Fault>(&mut buffer).unwrap().is_none());
        }
        buffer.push(first[first.len() - 1]);
        buffer.extend_from_slice(&[1, 2]);
        assert_eq!(take::<Fault>(&mut buffer).unwrap(), Some((Fault::Gap { have: 7 }, b"raw".to_vec())));
        assert_eq!(buffer, [1, 2]);
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_anything_is_held() {
        assert!(take::<Fault>(&mut vec![0xff; 8]).is_err());
    }
}
