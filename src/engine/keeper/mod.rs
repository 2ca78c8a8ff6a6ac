//! The keeper: one small process for each sandbox, `engine keep DIR`, parent of the jail's first process.
//!
//! It holds terminals and pipes, writes output logs and exit codes to files, and answers any engine that connects, so
//! that a server can die or be replaced while sandboxes run. No tokio, one thread. If it is killed its sandbox ends.

pub mod client;
mod connection;
pub mod files;
pub mod logs;
mod reap;
pub mod wire;

pub use client::{KeeperError, KeeperHandle, Listener, StdinStatus};
pub use wire::{OutputFd, Stats};

/// Exec id under which the first command's output is read.
pub const ENTRYPOINT: &str = "entrypoint";

/// `engine keep DIR`.
pub fn main(args: &[std::ffi::OsString]) -> std::process::ExitCode {
    let _ = args;
    std::process::ExitCode::from(2)
}
