//! Parses, chooses what to be, installs the panic hook.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    // First of all the small processes, which have no runtime, no configuration and no terminal: what runs inside a
    // sandbox, and what tends one.
    let args: Vec<_> = env::args_os().skip(1).collect();
    let word = |i: usize| args.get(i).and_then(|a| a.to_str()).unwrap_or_default();
    match (word(0), word(1)) {
        ("inside", _) => sandbank::inside::main(&args[1..]),
        ("engine", "keep" | "helper") => sandbank::engine::small(&args[1..]),
        _ => {
            // It only fails when a hook is there already, which is as good.
            let _ = color_eyre::install();
            sandbank::cli::main()
        }
    }
}
