//! The mover: tells the tree of a workspace, sends and fetches its bytes by presigned requests, restores versions.
//! `docs/mover.md` has the protocol and its reasons.

pub mod codec;
pub mod path;
pub mod words;
