//! The words between an engine and a keeper; they travel in [frames](crate::engine::frames).
//!
//! One connection carries one request at a time and its answer; what waits (output, an exit, the end) holds only its own
//! connection. File descriptors ride on the first byte of a [`Reply::Listeners`] frame.
//!
//! What must stay true: a keeper outlives the engine that started it, so a word is never given another meaning;
//! [`VERSION`] goes up when one is added, and an engine speaks its own version and the one before.

use serde::{Deserialize, Serialize};

use crate::engine::spec::{End, ExecEnd, ExecSpec, ListenerName};

/// Version of these words.
pub const VERSION: u32 = 1;

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
