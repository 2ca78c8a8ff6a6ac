//! All that runs inside a sandbox: shim and mover, and the words they speak with the server.

use std::{ffi::OsString, process::ExitCode};

/// Entry of `sandbank inside …`: no runtime, no configuration, no terminal.
pub fn main(args: &[OsString]) -> ExitCode {
    let _ = args;
    ExitCode::from(2)
}
