//! One of the two places, as the use cases see it: a Modal and a bucket. Which they are is configuration; nothing
//! here asks.

use std::path::PathBuf;

use futures::future::BoxFuture;

use crate::{
    api::{ApiError, DoctorCheck, EngineStatus, ErrorCode},
    config::{ModalAccess, S3Access},
    core::Profile,
    modal::{ErrorKind, Modal, ModalError},
    storage::Bucket,
};

/// A place that is ready: clients of its Modal and of its bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Place {
    /// Which.
    pub profile: Profile,
    /// Its Modal.
    pub modal: Modal,
    /// Its bucket of versions.
    pub bucket: Bucket,
}

/// How to reach the engine once it runs.
#[derive(Debug, Clone)]
pub struct LocalAccess {
    /// Its Modal.
    pub modal: ModalAccess,
    /// Its store. The bucket is there.
    pub s3: S3Access,
}

/// The engine as the service knows it: something that starts when first needed, and can then be reached by the same
/// protocols as Modal and S3. `cli::serve` gives it; the service knows no engine.
pub trait LocalPlace: Send + Sync {
    /// Starts it if it isn't running.
    fn access(&self) -> BoxFuture<'_, Result<LocalAccess, ApiError>>;
    /// What it says of itself, without starting it.
    fn status(&self) -> EngineStatus;
    /// What `engine env` prints: names and values. Starts it.
    fn variables(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, ApiError>>;
    /// The `claude` of the client that spoke last: sandboxes created from now on get it.
    fn set_claude(&self, path: Option<PathBuf>);
    /// Whether this machine can run it, without starting it.
    fn checks(&self) -> BoxFuture<'_, Vec<DoctorCheck>>;
    /// Programs other than this server that are connected to it, and sandboxes that run: while there are any, the
    /// server has something to tend.
    fn busy(&self) -> usize;
}

impl From<ModalError> for ApiError {
    fn from(error: ModalError) -> Self {
        let code = match error.kind {
            ErrorKind::NotFound => ErrorCode::NotFound,
            ErrorKind::AlreadyExists | ErrorKind::Conflict => ErrorCode::Conflict,
            ErrorKind::Auth => ErrorCode::NotConfigured,
            ErrorKind::Denied => ErrorCode::Refused,
            ErrorKind::Exhausted | ErrorKind::Unavailable => ErrorCode::Unavailable,
            // What the user wrote was checked before it was sent: the rest is not a matter of its spelling.
            ErrorKind::Invalid
            | ErrorKind::OutOfRange
            | ErrorKind::Unimplemented
            | ErrorKind::Build
            | ErrorKind::Other => ErrorCode::Failed,
        };
        let hint = error.hint();
        Self::new(code, error.to_string()).hint(hint)
    }
}
