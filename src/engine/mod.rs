//! The local engine: Modal's protocol and S3 on loopback, sandboxes by Linux namespaces.

use std::{ffi::OsString, process::ExitCode};

pub mod jail;
pub mod keeper;
mod proxy;
pub mod s3;
pub mod settings;
pub mod spec;

pub use settings::{Access, Settings};

/// Entry of the engine's small processes (`engine keep DIR`, `engine helper …`).
pub fn small(args: &[OsString]) -> ExitCode {
    let word = |i: usize| args.get(i).and_then(|a| a.to_str()).unwrap_or_default();
    match (word(0), word(1)) {
        ("keep", _) => keeper::main(&args[1..]),
        ("helper", word) => jail::helper::words(word, args.get(2..).unwrap_or_default()).unwrap_or(ExitCode::from(2)),
        _ => ExitCode::from(2),
    }
}
