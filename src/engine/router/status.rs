//! A keeper's refusal in the router's codes.

use tonic::Status;

use crate::engine::keeper::KeeperError;

/// What a client is told.
pub fn status(error: KeeperError) -> Status {
    let said = error.to_string();
    match error {
        // What clients take for the end of a sandbox.
        KeeperError::Gone | KeeperError::NoSuchExec => Status::not_found(said),
        KeeperError::OutOfRange { .. } => Status::out_of_range(said),
        KeeperError::Gap { .. } | KeeperError::StdinClosed | KeeperError::Refused(_) => {
            Status::failed_precondition(said)
        }
        KeeperError::Io(_) | KeeperError::Protocol(_) => Status::internal(said),
    }
}
