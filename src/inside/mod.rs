//! All that runs inside a sandbox: shim and mover, and the words they speak with the server.
//!
//! Small processes without configuration or terminal, and without a runtime but for the mover's requests. They may run in
//! any image, on gVisor too: nothing here needs `/proc`, names of terminals, or a kernel newer than 4.4.

pub mod attach;
pub mod frames;
pub mod mover;
pub mod options;
pub mod run;
mod shim;
pub mod spawn;
pub mod spool;
pub mod words;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

/// Entry of `sandbank inside …`.
pub fn main(args: &[OsString]) -> ExitCode {
    let word = args.first().and_then(|w| w.to_str()).unwrap_or_default();
    let rest = args.iter().skip(1).cloned();
    let done = match word {
        "run" => options::RunOptions::parse(rest).and_then(|o| run::run(&o)),
        "attach" => options::AttachOptions::parse(rest).and_then(|o| attach::attach(&o)),
        "mover" => mover::main(),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: inside run|attach|mover …")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(io::stderr(), "sandbank inside {word}: {e}");
            ExitCode::from(if e.kind() == io::ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}
