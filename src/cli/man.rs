//! `sandbank man`

use std::{fs, path::Path};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{args::Args, failure::Failure, out};
use crate::api::ApiError;

/// Prints the page of a command, named by its words; of the program if there are none.
pub(super) fn print(words: &[String]) -> Result<(), Failure> {
    let mut command = &whole();
    for (at, word) in words.iter().enumerate() {
        command = command.find_subcommand(word).ok_or_else(|| {
            let known = command.get_subcommands().map(Command::get_name).collect::<Vec<_>>().join(", ");
            let asked = words[..=at].join(" ");
            ApiError::usage(format!("there is no command `{asked}`")).hint(if known.is_empty() {
                "it has no commands of its own".to_owned()
            } else {
                format!("there are: {known}")
            })
        })?;
    }
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(out::raw(&page)?)
}

/// Writes the pages of all commands into a folder, which is made if it isn't there.
pub(super) fn write_all(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(whole(), folder))
        .map_err(|e| ApiError::usage(format!("the pages can't be written to {}: {e}", folder.display())).into())
}

/// The program's command with all below it named in full: `sandbank-sandbox-create`.
fn whole() -> Command {
    let mut command = of_its_own(Args::command());
    command.build();
    command
}

/// Each page says of which version it is; `help COMMAND`, which gives the same, has none.
fn of_its_own(command: Command) -> Command {
    let below = |command: Command| of_its_own(command.version(env!("CARGO_PKG_VERSION")).disable_version_flag(true));
    command.disable_help_subcommand(true).mut_subcommands(below)
}
