//! The whole road from the shell, with the real binary and, where it says so, the real Claude CLI.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod bad_input;
mod claude;
mod ctrl_c;
mod odd_claude;
#[allow(dead_code, reason = "the kills use the rest")]
#[path = "../support/processes.rs"]
mod processes;
#[allow(dead_code, reason = "the kills use the rest")]
#[path = "../support/program.rs"]
mod program;
mod prompts;
#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "../support/pty.rs"]
mod pty;
mod screen;
#[allow(dead_code, reason = "the kills use the rest")]
#[path = "../support/scripted_api.rs"]
mod scripted_api;
#[path = "../support/user.rs"]
mod user;
mod users;
