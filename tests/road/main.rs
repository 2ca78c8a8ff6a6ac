//! The whole road from the shell, with the real binary and, where it says so, the real Claude CLI.

mod bad_input;
mod claude;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/scripted_api.rs"]
mod scripted_api;
