//! The mover: tells the tree of a workspace, sends and fetches its bytes by presigned requests, restores versions.
//! `docs/mover.md` has the protocol and its reasons.
//!
//! [`words`], [`codec`], [`path`] and [`http`] serve both ends; the rest runs inside the sandbox.

pub mod codec;
mod context;
mod hash;
pub mod http;
pub mod path;
mod pipes;
mod restore;
mod root;
mod send;
mod session;
mod stop;
mod tell;
mod threads;
mod walk;
pub mod words;

pub use session::main;
