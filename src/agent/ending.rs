//! How a run of the CLI ended: its exit code and its last result read together, since neither tells it alone (an API
//! error is a result with subtype `success`, and an interrupted run exits with 0).

use serde::{Deserialize, Serialize};

use super::stream::turn::ResultLine;
use crate::core::Untrusted;

/// Exit code of a process that SIGTERM ended, as a shell counts it.
const TERMINATED: i32 = 128 + 15;
/// Exit code of a process that SIGKILL ended.
const KILLED: i32 = 128 + 9;

/// How a sandbox gets the CLI: on this machine they share the user's own, elsewhere it comes with the image.
const INSTALL: &str = "on this machine set `[engine.host] claude` right if the configuration has it, or else run `npm \
                       install -g @anthropic-ai/claude-code` so that it is on your PATH; on Modal choose an image that \
                       has it or add it by `--run`; then create a new sandbox";

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Ending {
    /// It answered (perhaps with refused tools).
    Answered,
    /// The API refused in the end: its status, and the CLI's words.
    ApiError {
        /// HTTP status, if there was an answer at all.
        status: Option<u16>,
        /// What the CLI says.
        message: Untrusted,
    },
    /// `--max-turns` was reached.
    MaxTurns,
    /// `--max-budget-usd` was reached.
    MaxBudget,
    /// It was interrupted.
    Interrupted,
    /// It ended with an error of another kind.
    Failed {
        /// What the CLI says.
        message: Untrusted,
    },
    /// It was killed, or ended without a result: what it printed besides is the best that is known.
    Broken {
        /// Exit code, 128 + n for signal n; absent when nobody can tell.
        code: Option<i32>,
        /// The last text it printed that was no event.
        message: Untrusted,
    },
}

impl Ending {
    /// Reads exit code, last result and stray text together.
    pub fn of(code: Option<i32>, result: Option<&ResultLine>, stray: &str) -> Self {
        let Some(result) = result else {
            return Self::Broken { code, message: stray.trim().into() };
        };
        let message = || {
            let text = result.result.clone().unwrap_or_else(|| result.errors.join("; "));
            Untrusted::new(text)
        };
        match (result.subtype.as_str(), result.terminal_reason.as_deref()) {
            (_, Some("aborted_streaming" | "aborted_tools")) => Self::Interrupted,
            ("error_max_turns", _) => Self::MaxTurns,
            ("error_max_budget_usd", _) => Self::MaxBudget,
            (_, Some("api_error" | "prompt_too_long")) if result.is_error => {
                Self::ApiError { status: result.api_error_status, message: message() }
            }
            ("success", _) if !result.is_error => match code {
                Some(TERMINATED | KILLED) => Self::Broken { code, message: Untrusted::default() },
                _ => Self::Answered,
            },
            _ => Self::Failed { message: message() },
        }
    }

    /// Whether `chat` exits with 0.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered)
    }

    /// One sentence for people, with what to do next where there is something to do. Empty when all went well.
    pub fn sentence(&self) -> String {
        match self {
            Self::Answered => String::new(),
            Self::ApiError { status, message } => {
                let said = message.clean_line();
                match status {
                    Some(401) => format!("the API refused the key (401): {said}. Set ANTHROPIC_API_KEY to a valid key"),
                    Some(403) => format!("the API refused this request (403): {said}"),
                    Some(429) => format!("the API's rate limit is reached (429): {said}. Try again later"),
                    Some(status @ 500..) => format!("the API is in trouble ({status}): {said}. Try again later"),
                    Some(status) => format!("the API refused ({status}): {said}"),
                    None => format!("the API could not be reached: {said}"),
                }
            }
            Self::MaxTurns => "the limit of turns (--max-turns) was reached; send another prompt to go on".to_owned(),
            Self::MaxBudget => "the budget (--max-budget-usd) was reached".to_owned(),
            Self::Interrupted => "interrupted; the conversation goes on with the next prompt".to_owned(),
            Self::Failed { message } => format!("Claude ended with an error: {}", message.clean_line()),
            Self::Broken { code, message } => {
                let said = message.clean_line();
                let how = match code {
                    Some(127) => {
                        return format!("there is no `claude` in the sandbox: {INSTALL}");
                    }
                    Some(code) if *code > 128 => format!("Claude was ended by signal {}", code - 128),
                    Some(code) => format!("Claude ended without a result (exit code {code})"),
                    None => "Claude is gone without a result".to_owned(),
                };
                if said.as_str().is_empty() { how } else { format!("{how}: {said}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::stream::{Event, parse};

    /// The last result and the stray text of a recording, with the exit code that its run had.
    fn ending(name: &str, code: i32) -> Ending {
        let path = format!("{}/tests/fixtures/claude/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let results: Vec<_> = text
            .lines()
            .filter_map(|l| match parse(l).event {
                Event::Result(r) => Some(*r),
                _ => None,
            })
            .collect();
        Ending::of(Some(code), results.last(), "")
    }

    #[rstest::rstest]
    #[case("plain", 0, "answered")]
    #[case("perm-default", 0, "answered")]
    #[case("background-bash", 0, "answered")]
    #[case("err-401", 1, "api_error 401")]
    #[case("err-403", 1, "api_error 403")]
    #[case("err-429-give-up", 1, "api_error 429")]
    #[case("err-529-give-up", 1, "api_error 529")]
    #[case("err-net-down", 1, "api_error none")]
    #[case("err-prompt-too-long", 1, "api_error 400")]
    #[case("max-turns", 1, "max_turns")]
    #[case("sigint-while-streaming", 0, "interrupted")]
    #[case("sigint-in-bash-tool", 0, "interrupted")]
    #[case("sigterm-while-streaming", 143, "broken 143")]
    fn each_recorded_ending_is_told(#[case] fixture: &str, #[case] code: i32, #[case] expected: &str) {
        let told = match ending(fixture, code) {
            Ending::Answered => "answered".to_owned(),
            Ending::ApiError { status, .. } => {
                format!("api_error {}", status.map_or_else(|| "none".into(), |s| s.to_string()))
            }
            Ending::MaxTurns => "max_turns".to_owned(),
            Ending::MaxBudget => "max_budget".to_owned(),
            Ending::Interrupted => "interrupted".to_owned(),
            Ending::Failed { .. } => "failed".to_owned(),
            Ending::Broken { code, .. } => format!("broken {}", code.unwrap_or(-1)),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn without_a_result_the_stray_text_is_told() {
        let end = Ending::of(Some(1), None, "No conversation found with session ID: x\n");
        assert!(end.sentence().contains("No conversation found"), "{}", end.sentence());
        assert!(Ending::of(Some(127), None, "").sentence().contains("no `claude`"));
    }
}
