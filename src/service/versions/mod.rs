//! Versions: save and restore. Not there yet.

use super::{Place, Run};
use crate::{
    api::{
        ApiError,
        command::{Changes, Saved},
    },
    core::{AccountId, Version},
    modal::Sandbox,
};

fn missing() -> ApiError {
    ApiError::failed("versions are not there yet")
}

/// Saves a workspace.
///
/// # Errors
/// Always.
pub async fn save(_: &Place, _: &Sandbox, _: &AccountId, _: &str, _: &Run) -> Result<Saved, ApiError> {
    Err(missing())
}

/// Restores a version.
///
/// # Errors
/// Always.
pub async fn restore(_: &Place, _: &Sandbox, _: &AccountId, _: &str, _: bool, _: &Run) -> Result<Changes, ApiError> {
    Err(missing())
}

/// Lists versions.
///
/// # Errors
/// Always.
pub async fn list(_: &Place, _: &AccountId) -> Result<Vec<Version>, ApiError> {
    Err(missing())
}

/// Shows one.
///
/// # Errors
/// Always.
pub async fn show(_: &Place, _: &AccountId, _: &str) -> Result<Version, ApiError> {
    Err(missing())
}
