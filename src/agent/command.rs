//! The command line of one run of the CLI, and the environment that goes with it.

use std::collections::BTreeMap;

use crate::core::{ClaudeExecConfig, ConversationId};

/// Longest prompt that goes as an argument. The kernel ends one argument at 128 KiB and Modal's SDKs refuse more than
/// 64 KiB for all arguments together, so half of that leaves room for the flags.
pub const MAX_ARGUMENT: usize = 32 << 10;

/// Where conversations live: a volume beside the workspace, so that a restore of one leaves the other alone.
pub const AGENT_DIR: &str = "/mnt/agent";

/// Joins deltas that come within this time: a delta of 16 characters is a line of 290 bytes, and at 50 ms the stream
/// is a third of that without a reader noticing.
const STREAM_HOLD_MS: &str = "50";

/// Which session of the CLI a turn belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// The first turn: the session gets our id.
    New,
    /// A later turn: the id that the CLI's last `init` or `conversation_reset` gave.
    Resume(String),
}

/// A conversation, as a run of the CLI needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Our id; its folder is `/mnt/agent/{id}`.
    pub id: ConversationId,
    /// New or resumed.
    pub session: Session,
}

/// What to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// argv.
    pub command: Vec<String>,
    /// Variables that are no secrets.
    pub env: BTreeMap<String, String>,
    /// What to write to standard input and then close it: the prompt, when it can't be an argument. Without it
    /// standard input is the terminal.
    pub stdin: Option<String>,
}

impl Invocation {
    /// The original's command line: `claude [--dangerously-skip-permissions] [--verbose] [--output-format F] -c -p
    /// PROMPT [flags]`. With a conversation the same with `--include-partial-messages` (without it nothing streams),
    /// and `--session-id` or `--resume` in place of `-c`.
    pub fn new(config: &ClaudeExecConfig, conversation: Option<&Conversation>) -> Self {
        let mut command = vec!["claude".to_owned()];
        let mut push = |words: &[&str]| command.extend(words.iter().map(|w| (*w).to_owned()));
        if config.skip_permissions {
            push(&["--dangerously-skip-permissions"]);
        }
        if config.verbose {
            push(&["--verbose"]);
        }
        push(&["--output-format", config.output_format.as_str()]);
        match conversation {
            None => push(&["-c"]),
            Some(Conversation { id, session: Session::New }) => {
                push(&["--include-partial-messages", "--session-id", &id.to_string()]);
            }
            Some(Conversation { session: Session::Resume(current), .. }) => {
                push(&["--include-partial-messages", "--resume", current]);
            }
        }
        push(&["-p"]);
        // A word that begins with '-' would be read as an option.
        let by_stdin = config.prompt.len() > MAX_ARGUMENT || config.prompt.starts_with('-');
        if !by_stdin {
            push(&[&config.prompt]);
        }
        command.extend(config.additional_flags.iter().cloned());
        Self { command, env: environment(conversation), stdin: by_stdin.then(|| config.prompt.clone()) }
    }
}

fn environment(conversation: Option<&Conversation>) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = [
        // As uid 0 the CLI skips permissions only in a sandbox, and this is how it is told.
        ("IS_SANDBOX", "1"),
        // With these it connects to the API's address and to nothing else.
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_TELEMETRY", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("CLAUDE_CODE_STREAM_EVENT_HOLD_MS", STREAM_HOLD_MS),
        ("SHELL", "/bin/bash"),
        ("LANG", "C.UTF-8"),
        ("TERM", "xterm-256color"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    if let Some(conversation) = conversation {
        env.insert("CLAUDE_CONFIG_DIR".to_owned(), format!("{AGENT_DIR}/{}", conversation.id));
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(invocation: &Invocation) -> String {
        invocation.command.join(" ")
    }

    #[test]
    fn a_bare_run_has_the_originals_command_line() {
        let mut config = ClaudeExecConfig::new("fix it");
        config.additional_flags = vec!["--model".into(), "opus".into()];
        let run = Invocation::new(&config, None);
        assert_eq!(
            words(&run),
            "claude --dangerously-skip-permissions --verbose --output-format stream-json -c -p fix it --model opus"
        );
        assert!(!run.env.contains_key("CLAUDE_CONFIG_DIR"));
        assert_eq!(run.stdin, None);
    }

    #[test]
    fn permissions_and_verbose_are_left_out_when_not_wanted() {
        let mut config = ClaudeExecConfig::new("x");
        (config.skip_permissions, config.verbose) = (false, false);
        config.output_format = crate::core::OutputFormat::Text;
        assert_eq!(words(&Invocation::new(&config, None)), "claude --output-format text -c -p x");
    }

    #[test]
    fn a_conversation_names_its_session_and_has_a_folder_of_its_own() {
        let id = ConversationId::new();
        let config = ClaudeExecConfig::new("x");
        let first = Invocation::new(&config, Some(&Conversation { id, session: Session::New }));
        assert!(words(&first).ends_with(&format!("--include-partial-messages --session-id {id} -p x")));
        assert_eq!(first.env["CLAUDE_CONFIG_DIR"], format!("/mnt/agent/{id}"));
        let later = Conversation { id, session: Session::Resume("2f7c".into()) };
        assert!(words(&Invocation::new(&config, Some(&later))).contains("--resume 2f7c"));
        assert!(!words(&Invocation::new(&config, Some(&later))).contains(" -c "));
    }

    #[rstest::rstest]
    #[case("-x is a flag", true)]
    #[case("a plain prompt", false)]
    #[case(&"x".repeat(MAX_ARGUMENT), false)]
    #[case(&"x".repeat(MAX_ARGUMENT + 1), true)]
    fn what_cant_be_an_argument_goes_by_standard_input(#[case] prompt: &str, #[case] stdin: bool) {
        let run = Invocation::new(&ClaudeExecConfig::new(prompt), None);
        assert_eq!(run.stdin.as_deref(), stdin.then_some(prompt));
        assert_eq!(run.command.iter().any(|w| w == prompt), !stdin);
    }
}
