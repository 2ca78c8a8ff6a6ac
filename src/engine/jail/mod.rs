//! The jail: Linux namespaces, an own root, limits and a system call filter around hostile programs. Directly by system
//! calls: no daemon, no container runtime.
//!
//! What must stay true: nothing runs without all of it. Where the machine forbids a part, [`available`] says which
//! setting does, and there is no sandbox.
#![allow(unsafe_code)]

pub mod helper;
pub mod ids;
pub mod limits;
mod namespace;

pub use helper::{remove_tree, run_helper};
pub use ids::{choose, make_dir};
pub use namespace::available;
