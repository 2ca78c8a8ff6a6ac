//! The local engine: Modal's protocol and S3 on loopback, sandboxes by Linux namespaces.

use std::{ffi::OsString, process::ExitCode};

pub mod spec;

/// Entry of the engine's small processes (`engine keep DIR`, `engine helper …`).
pub fn small(args: &[OsString]) -> ExitCode {
    let _ = args;
    ExitCode::from(2)
}
