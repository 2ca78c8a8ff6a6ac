//! Errors that several use cases have.

use crate::api::ApiError;

/// Nothing can be done in a sandbox any more.
pub(super) fn has_ended(name: &str, reason: &str) -> ApiError {
    ApiError::conflict(format!("the sandbox {name} has ended: {reason}"))
        .hint("start another with `sandbank sandbox create`; the workspace is still there")
}

/// The user stopped it in time.
pub(super) fn interrupted() -> ApiError {
    ApiError::interrupted("interrupted before its end; nothing was changed")
}
