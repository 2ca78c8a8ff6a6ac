//! What went wrong, on what.

use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::core::Untrusted;

/// Kinds of failure that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No such object, bucket or version.
    NotFound,
    /// Something is there that must not be (412).
    Exists,
    /// Somebody else writes the same at this moment (409).
    Busy,
    /// The keys are wrong or may not do this.
    Denied,
    /// There are no keys.
    NotConfigured,
    /// It can't be reached now.
    Unavailable,
    /// It has no space left (507).
    Full,
    /// The store can't do this at all.
    Unsupported,
    /// A manifest or claim that can't be what it says.
    Damaged,
    /// Everything else.
    Other,
}

/// An action on the bucket that failed. Holds no key and no URL.
#[derive(Debug, Clone)]
pub struct StorageError {
    /// Which kind.
    pub kind: ErrorKind,
    /// What was being done: `read the manifest of 1700000000`.
    pub action: String,
    /// What the store, or the network, said.
    pub message: Untrusted,
}

impl StorageError {
    /// An error of our own finding.
    pub fn new(kind: ErrorKind, action: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, action: action.into(), message: Untrusted::new(message) }
    }

    /// An error of the SDK. Its own texts may show requests with their headers, so they are made again here.
    pub(super) fn from_sdk<E>(action: &str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata,
    {
        let (kind, message) = match error {
            SdkError::ServiceError(said) => {
                let status = said.raw().status().as_u16();
                let code = said.err().code().unwrap_or_default();
                let text = said.err().message().unwrap_or_default();
                (kind_of(status, code), format!("{code} {text} (status {status})").trim_start().to_owned())
            }
            SdkError::TimeoutError(_) => (ErrorKind::Unavailable, "the store took too long".to_owned()),
            SdkError::DispatchFailure(failure) => {
                let cause = failure.as_connector_error().map(|e| deepest(e)).unwrap_or_default();
                // No keys is found out before anything is sent.
                match failure.as_connector_error() {
                    Some(_) => (ErrorKind::Unavailable, format!("the store can't be reached: {cause}")),
                    None => (ErrorKind::NotConfigured, "there are no keys for the store".to_owned()),
                }
            }
            SdkError::ResponseError(answer) => (
                ErrorKind::Unavailable,
                format!("the answer is cut or no S3 answer (status {})", answer.raw().status()),
            ),
            SdkError::ConstructionFailure(_) => (ErrorKind::Other, "the request can't be made".to_owned()),
            _ => (ErrorKind::Other, "the request failed".to_owned()),
        };
        Self::new(kind, action, message)
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            ErrorKind::Denied => "see the keys and rights of the bucket: `sandbank doctor` tells which keys are used",
            ErrorKind::NotConfigured => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or [s3] in the configuration"
            }
            ErrorKind::Unavailable => "try again; `sandbank doctor` looks at the connection",
            ErrorKind::Unsupported => {
                "versions need a store with conditional writes (If-None-Match), as AWS, R2 and MinIO have"
            }
            ErrorKind::Full => "free space where the store is, or delete versions; nothing was lost",
            ErrorKind::Busy => "try again",
            _ => "",
        }
    }
}

fn kind_of(status: u16, code: &str) -> ErrorKind {
    match (status, code) {
        (404, _) => ErrorKind::NotFound,
        (412, _) => ErrorKind::Exists,
        (409, _) => ErrorKind::Busy,
        (401 | 403, _) => ErrorKind::Denied,
        (_, "ExpiredToken" | "InvalidToken" | "AuthorizationHeaderMalformed") => ErrorKind::Denied,
        (501, _) => ErrorKind::Unsupported,
        (507, _) => ErrorKind::Full,
        (429 | 500..=599, _) => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// The first cause, which says most (`Connection refused`).
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.action, self.message.clean_line())
    }
}

impl std::error::Error for StorageError {}
