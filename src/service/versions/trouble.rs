//! What stops a transfer: something that another mover can mend, or an error for the user.

use tokio_util::sync::CancellationToken;

use super::conduit::Gone;
use crate::{
    api::{ApiError, ErrorCode},
    storage::{ErrorKind, StorageError},
};

/// Movers that may break in one transfer. A broken connection is mended below; so many broken movers have a reason.
const MAX_MOVERS: u32 = 3;

/// What stopped a transfer.
#[derive(Debug)]
pub enum Trouble {
    /// The mover, or the way to it, broke. Another one goes on where this one was.
    Broken(String),
    /// It can't be done.
    Failed(ApiError),
}

impl From<Gone> for Trouble {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Broken(why) => Self::Broken(why),
            Gone::Stopped(why) => Self::Failed(ApiError::failed(format!("the mover in the sandbox stopped: {why}"))),
        }
    }
}

impl<E: Into<ApiError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        let code = match error.kind {
            ErrorKind::NotFound => ErrorCode::NotFound,
            ErrorKind::NotConfigured => ErrorCode::NotConfigured,
            ErrorKind::Unavailable => ErrorCode::Unavailable,
            ErrorKind::Exists | ErrorKind::Busy => ErrorCode::Conflict,
            ErrorKind::Denied | ErrorKind::Unsupported | ErrorKind::Damaged | ErrorKind::Other => ErrorCode::Failed,
        };
        Self::new(code, error.to_string()).hint(error.hint())
    }
}

/// Does something with a mover, and with another one when that breaks.
pub async fn with_movers<T>(what: &str, mut once: impl AsyncFnMut() -> Result<T, Trouble>) -> Result<T, ApiError> {
    let mut broken = 0;
    loop {
        match once().await {
            Ok(done) => return Ok(done),
            Err(Trouble::Failed(error)) => return Err(error),
            Err(Trouble::Broken(why)) => {
                broken += 1;
                tracing::warn!(what, why, "a mover broke");
                if broken == MAX_MOVERS {
                    return Err(ApiError::unavailable(format!("could not {what}: the mover in the sandbox broke: {why}"))
                        .hint("see whether the sandbox still runs, then try again"));
                }
            }
        }
    }
}

/// The error of what was stopped on request.
pub fn interrupted(what: &str) -> ApiError {
    ApiError::interrupted(format!("{what} was stopped"))
}

/// Waits for something, unless it is to stop.
pub async fn unless_stopped<T>(
    cancel: &CancellationToken,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, Trouble> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Trouble::Failed(interrupted(what))),
        done = work => Ok(done),
    }
}
