//! What can be typed.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

use super::{examples, failure, out};
use crate::{
    api::ApiError,
    core::{AccountId, ConversationId, Profile, RequestId, text::sanitize},
};

/// Claude Code in isolated sandboxes, every version of the work banked in S3.
#[derive(Debug, Default, Parser)]
#[command(name = "sandbank", bin_name = "sandbank", version, max_term_width = 100, after_help = examples::SANDBANK)]
pub(super) struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command takes. Flags win over the environment, that over the configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Global {
    /// Print JSON and nothing else on stdout
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Where: `local` (this machine) or `modal` [env: SANDBANK_PROFILE]
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Whose things [env: SANDBANK_ACCOUNT] [default: default]
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "NAME")]
    pub account: Option<AccountId>,
    /// Configuration file [env: SANDBANK_CONFIG]
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of everything that is kept [env: SANDBANK_DATA_DIR]
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Id of the command; given again, only its result is told
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "UUID")]
    pub request_id: Option<RequestId>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sandboxes of the account
    Sandbox {
        #[command(subcommand)]
        command: SandboxCommand,
    },
    /// Versions of the workspace
    Version {
        #[command(subcommand)]
        command: VersionCommand,
    },
    /// Ask Claude in a sandbox; the answer streams in
    Chat(Chat),
    /// Check this machine and the settings, and say how to mend them
    Doctor,
    /// Serve in the foreground; commands start the server by themselves
    Serve(Serve),
    /// The local Modal and S3, for other programs too
    Engine {
        #[command(subcommand)]
        command: EngineCommand,
    },
    /// The configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of a command, or write all pages into a folder
    #[command(after_help = examples::MAN)]
    Man {
        /// The command, such as `sandbox create`; the program's own page without one
        #[arg(value_name = "COMMAND")]
        words: Vec<String>,
        /// Write the pages of all commands into this folder
        #[arg(long, value_name = "FOLDER", conflicts_with = "words")]
        to: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SandboxCommand {
    /// Start a sandbox
    Create(Create),
    /// List sandboxes, newest first
    List {
        /// Also those that have ended
        #[arg(long)]
        all: bool,
    },
    /// Show one sandbox
    Show {
        /// Id, name, or the beginning of one
        sandbox: String,
    },
    /// End a sandbox; asks whether to save its workspace first
    Terminate(Terminate),
    /// Run a command; its input, output and exit code are passed through
    Exec(Exec),
    /// Open a shell
    Shell {
        /// Id, name, or the beginning of one
        sandbox: String,
    },
    /// Print what the sandbox's first process wrote
    Logs {
        /// Id, name, or the beginning of one
        sandbox: String,
        /// Go on until it ends
        #[arg(short, long)]
        follow: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::CREATE)]
pub(super) struct Create {
    /// Name for it; one is made when left out
    #[arg(long)]
    pub name: Option<String>,
    /// Base image; `host` is this machine's own programs
    #[arg(long)]
    pub image: Option<String>,
    /// Shell command that adds a layer to the image; may be repeated
    #[arg(long, value_name = "CMD")]
    pub run: Vec<String>,
    /// Modal secret whose keys become variables; may be repeated
    #[arg(long, value_name = "NAME")]
    pub secret: Vec<String>,
    /// Variable of all its commands; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Where commands start; the workspace when left out
    #[arg(long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Seconds until it ends by itself [default: 86400]
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub timeout: Option<u32>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::TERMINATE)]
pub(super) struct Terminate {
    /// Id, name, or the beginning of one
    pub sandbox: String,
    /// Save the workspace first
    #[arg(long, conflicts_with = "no_save")]
    pub save: bool,
    /// Don't save it
    #[arg(long)]
    pub no_save: bool,
    /// Don't ask; this alone does not save
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "sandbank sandbox exec [OPTIONS] <SANDBOX> -- <COMMAND>...",
    after_help = examples::EXEC
)]
pub(super) struct Exec {
    /// Id, name, or the beginning of one
    pub sandbox: String,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Where it starts
    #[arg(long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum VersionCommand {
    /// List versions, newest first
    List {
        /// Saves that have not ended instead: under way, or given up
        #[arg(long)]
        unfinished: bool,
    },
    /// Print the newest version
    Latest,
    /// Show one version
    Show {
        /// Unix seconds, or `latest`
        version: String,
    },
    /// Save a sandbox's workspace as a version
    Save {
        /// Id, name, or the beginning of one
        sandbox: String,
        /// Kept beside the version
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Make a workspace exactly what a version was; shows what would change and asks
    #[command(after_help = examples::RESTORE)]
    Restore {
        /// Id, name, or the beginning of one
        sandbox: String,
        /// Unix seconds, or `latest`
        version: String,
        /// Don't ask
        #[arg(long, short)]
        yes: bool,
        /// Only list all that would change
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::CHAT)]
pub(super) struct Chat {
    /// Id, name, or the beginning of one
    pub sandbox: String,
    /// What to ask; read from stdin when left out
    pub prompt: Option<String>,
    /// Print the conversation so far instead
    #[arg(long, conflicts_with = "prompt")]
    pub show: bool,
    /// Which conversation; the sandbox's latest when left out
    #[arg(long, value_name = "ID")]
    pub conversation: Option<ConversationId>,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Serve {
    #[command(subcommand)]
    pub command: Option<ServeCommand>,
    /// Tell the starter by one line on stdout how the start went, and leave its session
    #[arg(long, hide = true)]
    pub background: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ServeCommand {
    /// Tell whether a server runs
    Status,
    /// Stop the server; sandboxes go on, and what is under way is taken up by the next one
    Stop,
}

#[derive(Debug, Subcommand)]
pub(super) enum EngineCommand {
    /// Serve in the foreground with the engine started, also when nobody uses it
    Run,
    /// Tell whether the engine runs, and where
    Status,
    /// Print variables that point other programs at the engine; starts it
    #[command(after_help = examples::ENV)]
    Env,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say what is wrong with the configuration, by line and key
    Check,
    /// Print all settings as they are in force, without keys
    Show,
    /// Print where the configuration is read from
    Path,
}

/// `KEY=VALUE`; what a key may be is checked with the whole configuration.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("must be KEY=VALUE".to_owned()),
    }
}

/// Tells why the arguments can't be taken, or prints the help that was asked for. The parser repeats what was typed,
/// which may hold anything: only what is safe to show reaches the terminal.
pub(super) fn refused(error: &clap::Error, json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody reads it: nothing to tell.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    // Of a lone `sandbank sandbox` the parser gives the whole help, which alone would not say what was wrong.
    let lacks = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let text = if lacks { format!("a command is missing\n\n{text}") } else { text };
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    if json {
        let problem = text.split("\n\n").next().unwrap_or(text);
        failure::tell(&ApiError::usage(problem).hint("--help shows what can be typed"), true);
    } else {
        out::note(format_args!("sandbank: {}", sanitize(text)));
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn nothing_typed_is_what_is_taken_without_parsing() {
        let parsed = Args::try_parse_from(["sandbank"]).unwrap();
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Args::default()));
    }

    #[rstest::rstest]
    #[case::nothing("", true)]
    #[case::create("sandbox create --run true --run false --env A=1 --env B=x=y --secret s --timeout 60", true)]
    #[case::bad_variable("sandbox create --env A", false)]
    #[case::too_long("sandbox create --timeout 86401", false)]
    #[case::exec("sandbox exec a -- ls -l --json", true)]
    #[case::exec_without_dashes("sandbox exec -t a ls -l", true)]
    #[case::exec_nothing("sandbox exec a", false)]
    #[case::both("sandbox terminate a --save --no-save", false)]
    #[case::restore("version restore a latest --yes", true)]
    #[case::restore_what("version restore a", false)]
    #[case::chat_dash("chat a -- -p", true)]
    #[case::chat_both("chat a hello --show", false)]
    #[case::conversation("chat a --conversation x", false)]
    #[case::serve("serve", true)]
    #[case::serve_stop("serve stop --json", true)]
    #[case::engine("engine", false)]
    #[case::profile("--profile moon doctor", false)]
    #[case::account("--account a/b doctor", false)]
    #[case::id("doctor --request-id 7", false)]
    fn lines(#[case] line: &str, #[case] good: bool) {
        let parsed = Args::try_parse_from(["sandbank"].into_iter().chain(line.split_whitespace()));
        assert_eq!(parsed.is_ok(), good, "{parsed:?}");
    }

    #[test]
    fn what_follows_the_dashes_belongs_to_the_command() {
        let args = Args::try_parse_from(["sandbank", "sandbox", "exec", "a", "--", "ls", "--json"]).unwrap();
        assert!(!args.global.json);
        let Some(Command::Sandbox { command: SandboxCommand::Exec(exec) }) = args.command else { panic!() };
        assert_eq!(exec.command, ["ls", "--json"]);
    }
}
