//! `sandbank completions`

use clap::CommandFactory;

use super::{args::Args, failure::Failure, out};

pub(super) fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "sandbank", &mut script);
    Ok(out::raw(&script)?)
}
