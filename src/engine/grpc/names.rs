//! Names of objects, by Modal's rules.

use tonic::Status;

use crate::proto::client::{ListPagination, ObjectCreationType};

/// The environment that no name means.
pub const ENVIRONMENT: &str = "main";

/// An environment's name as rows have it.
pub fn environment(asked: &str) -> String {
    if asked.is_empty() { ENVIRONMENT.to_owned() } else { asked.to_owned() }
}

/// A name for a new object: 1–64 of `[a-zA-Z0-9-_.]`.
///
/// # Errors
/// INVALID_ARGUMENT.
pub fn check(kind: &str, name: &str) -> Result<(), Status> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(fine) {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "{name:?} can't be the name of {kind}: names have 1 to 64 letters, digits, dashes, underscores or dots"
    )))
}

/// What a get-or-create call wants.
///
/// # Errors
/// INVALID_ARGUMENT for one that doesn't exist.
pub fn creation(asked: i32) -> Result<ObjectCreationType, Status> {
    ObjectCreationType::try_from(asked).map_err(|_| Status::invalid_argument("unknown object_creation_type"))
}

/// Most rows in one page of a list, as Modal's have.
const PAGE: i32 = 100;

/// What a caller wants of a list, newest first: rows made before this, and how many.
pub fn page(asked: Option<ListPagination>) -> (f64, i32) {
    let asked = asked.unwrap_or_default();
    let before = if asked.created_before > 0.0 { asked.created_before } else { f64::MAX };
    (before, if asked.max_objects > 0 { asked.max_objects.min(PAGE) } else { PAGE })
}

/// An object that a caller named is not there.
pub fn missing(kind: &str, name: &str) -> Status {
    Status::not_found(format!("there is no {kind} {name:?} in this engine"))
}
