//! What went wrong, on what.

use std::fmt;

use tonic::{Code, Status};

use crate::core::Untrusted;

/// Kinds of failure, as Modal's own clients tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request can't be taken.
    Invalid,
    /// What was named isn't there.
    NotFound,
    /// A name is taken.
    AlreadyExists,
    /// It contradicts the state of things: the sandbox has ended, a secret lacks a key.
    Conflict,
    /// The token isn't valid.
    Auth,
    /// The token may not do this.
    Denied,
    /// A quota or rate, or a full disk.
    Exhausted,
    /// Output below the asked offset is gone.
    OutOfRange,
    /// The other side doesn't know this call.
    Unimplemented,
    /// It can't be reached now, or took too long.
    Unavailable,
    /// The image could not be built.
    Build,
    /// Everything else.
    Other,
}

/// A call that failed. Holds no token.
#[derive(Debug, Clone)]
pub struct ModalError {
    /// Which kind.
    pub kind: ErrorKind,
    /// What was being done: `create the sandbox`.
    pub action: String,
    /// What the other side, or the network, said.
    pub message: Untrusted,
}

impl ModalError {
    /// An error of the caller's own finding.
    pub fn new(kind: ErrorKind, action: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, action: action.into(), message: Untrusted::new(message) }
    }

    pub(super) fn from_status(action: &str, status: &Status) -> Self {
        let kind = match status.code() {
            Code::InvalidArgument => ErrorKind::Invalid,
            Code::OutOfRange => ErrorKind::OutOfRange,
            Code::NotFound => ErrorKind::NotFound,
            Code::AlreadyExists => ErrorKind::AlreadyExists,
            Code::FailedPrecondition | Code::Aborted => ErrorKind::Conflict,
            Code::PermissionDenied => ErrorKind::Denied,
            Code::Unauthenticated => ErrorKind::Auth,
            Code::ResourceExhausted => ErrorKind::Exhausted,
            Code::Unimplemented => ErrorKind::Unimplemented,
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        };
        Self::new(kind, action, status.message())
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            ErrorKind::Auth => "the token is not valid there: see `modal token info`, or MODAL_TOKEN_ID and _SECRET",
            // A limit of a workspace in Modal, or a disk here: the message says which.
            ErrorKind::Exhausted => "make room, or end sandboxes that are no longer needed",
            ErrorKind::Unavailable => "try again; `sandbank doctor` looks at the connection",
            _ => "",
        }
    }
}

impl fmt::Display for ModalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.action, self.message.clean_line())
    }
}

impl std::error::Error for ModalError {}
