//! The server's life and the shell's manners, with the real binary and without sandboxes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

#[path = "../support/program.rs"]
#[allow(dead_code, reason = "the road's tests use the rest")]
mod program;

mod life;
mod manners;
