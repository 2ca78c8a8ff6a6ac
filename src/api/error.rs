//! What can go wrong, as every client sees it.

use serde::{Deserialize, Serialize};

use crate::core::Problems;

/// The kinds of failure that scripts tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself can't be taken.
    Usage,
    /// Something that only the user can supply is missing: a key, a setting of this machine.
    NotConfigured,
    /// What was named isn't there.
    NotFound,
    /// It contradicts what is there: a name taken, an id used for something else.
    Conflict,
    /// A place can't be reached now; trying again may help.
    Unavailable,
    /// It could be done and is not: it needs a confirmation, or another right.
    Refused,
    /// It was tried and did not work.
    Failed,
    /// It was stopped before its end.
    Interrupted,
}

impl ErrorCode {
    /// The process exit code that scripts rely on.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage | Self::Refused => 2,
            Self::NotConfigured => 3,
            Self::NotFound => 4,
            Self::Conflict | Self::Unavailable | Self::Failed => 1,
            Self::Interrupted => 130,
        }
    }
}

/// A failure: what happened, on what, and what to do next. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Which kind.
    pub code: ErrorCode,
    /// What failed, on what.
    pub message: String,
    /// What to do next; empty when there is nothing to say.
    #[serde(default)]
    pub hint: String,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: String::new() }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The request itself can't be taken.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// Something only the user can supply is missing.
    pub fn not_configured(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotConfigured, message)
    }

    /// What was named isn't there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// It contradicts what is there.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }

    /// A place can't be reached now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// It needs a confirmation or another right.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Refused, message)
    }

    /// It was tried and did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Failed, message)
    }

    /// It was stopped before its end.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Interrupted, message)
    }
}

/// An error as a document: the body of an answer, and what `--json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ApiError,
}

impl From<Problems> for ApiError {
    fn from(problems: Problems) -> Self {
        Self::usage(problems.to_string())
    }
}
