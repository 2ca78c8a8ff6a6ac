//! The command line: one file for each command.
//!
//! What a command prints goes to stdout, progress and messages to stderr. With `--json` one document goes to stdout
//! and nothing else; an error is a document too.

mod args;
mod ask;
mod chat;
mod completions;
mod config;
mod context;
mod doctor;
mod engine;
mod examples;
mod failure;
mod local;
mod man;
mod out;
mod progress;
mod sandbox;
mod screen;
mod screen_log;
mod serve;
mod signals;
mod table;
mod version;
mod work;

use std::process::ExitCode;

use clap::Parser;

use self::{
    args::{Args, Command, EngineCommand},
    context::Context,
    failure::Failure,
};
use crate::core::figures as show;

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(error) => return args::refused(&error, std::env::args_os().any(|arg| arg == "--json")),
    };
    let json = args.global.json;
    failure::exit(run(args), json)
}

/// What was typed. Nothing, mostly: then the screen need not wait until all commands are described.
fn args() -> Result<Args, clap::Error> {
    if std::env::args_os().len() <= 1 { Ok(Args::default()) } else { Args::try_parse() }
}

fn run(args: Args) -> Result<(), Failure> {
    let Args { global, command } = args;
    let Some(command) = command else {
        return screen::run(&global);
    };
    // What serves needs a runtime of its own kind, and what only reads needs none.
    match command {
        Command::Serve(args::Serve { command: None, background: true }) => serve::background(&global),
        Command::Serve(args::Serve { command: None, background: false }) => serve::foreground(&global, false),
        Command::Engine { command: EngineCommand::Run } => serve::foreground(&global, true),
        Command::Config { command } => config::run(&global, &command),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { words, to: None } => man::print(&words),
        Command::Man { to: Some(folder), .. } => man::write_all(&folder),
        Command::Doctor => wait(doctor::run(&global)),
        command => {
            let context = Context::new(&global)?;
            wait(dispatch(&context, command))
        }
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Sandbox { command } => sandbox::run(context, command).await,
        Command::Version { command } => version::run(context, command).await,
        Command::Chat(args) => chat::run(context, args).await,
        Command::Serve(args::Serve { command: Some(command), .. }) => serve::tell(context, command).await,
        Command::Engine { command } => engine::run(context, command).await,
        // Handled before there is a runtime.
        Command::Serve(_)
        | Command::Config { .. }
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Doctor => Ok(()),
    }
}

/// Runs a client's work on one thread: it waits for a server, nothing more.
fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = signals::interrupted() => Err(Failure::interrupted()),
        }
    });
    // A thread may still wait for the terminal; it ends with the process.
    runtime.shutdown_background();
    result
}
