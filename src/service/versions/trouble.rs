//! What stops a transfer: something that another mover can mend, or an error for the user.

use tokio_util::sync::CancellationToken;

use super::conduit::Gone;
use crate::{
    api::{ApiError, ErrorCode},
    core::Untrusted,
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
            Gone::Stopped(why) => Self::Failed(ApiError::failed(format!(
                "the mover in the sandbox stopped: {}",
                Untrusted::new(why).clean_line()
            ))),
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
            // Wrong keys are for the user to mend, as missing ones are.
            ErrorKind::NotConfigured | ErrorKind::Denied => ErrorCode::NotConfigured,
            ErrorKind::Unavailable => ErrorCode::Unavailable,
            ErrorKind::Exists | ErrorKind::Busy => ErrorCode::Conflict,
            ErrorKind::Full | ErrorKind::Unsupported | ErrorKind::Damaged | ErrorKind::Other => ErrorCode::Failed,
        };
        Self::new(code, error.to_string()).hint(error.hint())
    }
}

/// Bears with broken movers, but not for ever.
pub struct Patience {
    what: &'static str,
    broken: u32,
}

impl Patience {
    /// For something that movers are needed for (`save the workspace`).
    pub fn new(what: &'static str) -> Self {
        Self { what, broken: 0 }
    }

    /// Whether another mover may go on.
    ///
    /// # Errors
    /// It can't be done, or too many broke.
    pub fn bear(&mut self, trouble: Trouble) -> Result<(), ApiError> {
        let why = match trouble {
            Trouble::Failed(error) => return Err(error),
            Trouble::Broken(why) => why,
        };
        let what = self.what;
        self.broken += 1;
        tracing::warn!(what, why, "a mover broke");
        if self.broken < MAX_MOVERS {
            return Ok(());
        }
        let why = Untrusted::new(why).clean_line();
        Err(ApiError::unavailable(format!("could not {what}: the mover in the sandbox broke: {why}"))
            .hint("see whether the sandbox still runs, then try again"))
    }
}

/// The error of what was stopped on request.
pub fn interrupted(what: &str) -> ApiError {
    ApiError::interrupted(format!("{what} was stopped"))
}

/// Waits for something, unless it is to stop.
pub async fn unless_stopped<T, E: Into<ApiError>>(
    cancel: &CancellationToken,
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, ApiError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(interrupted(what)),
        done = work => done.map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_for_the_user_to_mend() {
        let error = ApiError::from(StorageError::new(ErrorKind::Denied, "list versions", "InvalidAccessKeyId"));
        assert_eq!(error.code.exit_code(), 3);
        assert!(error.hint.contains("keys"), "{error:?}");
    }
}
