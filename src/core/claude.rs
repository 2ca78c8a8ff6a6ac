//! How Claude is run, in the original system's words. The command line itself is built in `agent`.

use serde::{Deserialize, Serialize};

use super::{ExecId, Problems, SandboxId, sandbox::absolute};

/// What the CLI prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputFormat {
    /// The answer's text at the end.
    Text,
    /// One JSON object at the end.
    Json,
    /// One JSON object a line as things happen.
    #[default]
    StreamJson,
}

impl OutputFormat {
    /// The value of `--output-format`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::StreamJson => "stream-json",
        }
    }
}

/// One run of the CLI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaudeExecConfig {
    /// What the user asks.
    pub prompt: String,
    /// Where it works; the sandbox's own working directory when absent.
    #[serde(default)]
    pub workdir: Option<String>,
    /// What it prints.
    #[serde(default)]
    pub output_format: OutputFormat,
    /// `--dangerously-skip-permissions`: the sandbox is the wall, not the questions.
    #[serde(default = "yes")]
    pub skip_permissions: bool,
    /// `--verbose`, which `stream-json` needs.
    #[serde(default = "yes")]
    pub verbose: bool,
    /// More words for the command line, after the prompt.
    #[serde(default)]
    pub additional_flags: Vec<String>,
}

fn yes() -> bool {
    true
}

impl ClaudeExecConfig {
    /// The original's defaults for a prompt.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            workdir: None,
            output_format: OutputFormat::default(),
            skip_permissions: true,
            verbose: true,
            additional_flags: Vec::new(),
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// All fields that can't be taken.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        if self.prompt.trim().is_empty() {
            problems.add("prompt", "must not be empty: the CLI refuses it");
        }
        if self.prompt.contains('\0') {
            problems.add("prompt", "must not contain NUL");
        }
        // The CLI cuts its stdin off at about 10 MB (measured); longer would lose the end silently.
        if self.prompt.len() > 10_000_000 {
            problems.add("prompt", "must have at most 10 MB; put long material into a file and name it with @path");
        }
        if let Some(path) = &self.workdir {
            problems.check("workdir", absolute(path));
        }
        if self.output_format == OutputFormat::StreamJson && !self.verbose {
            problems.add("verbose", "must be true for the output format stream-json");
        }
        if self.additional_flags.iter().any(|f| f.contains('\0')) {
            problems.add("additional_flags", "must not contain NUL");
        }
        problems.into_result()
    }
}

/// A run of the CLI that has been started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaudeProcess {
    /// Where it runs.
    pub sandbox_id: SandboxId,
    /// The exec whose spool holds its output.
    pub exec_id: ExecId,
    /// What was asked of it.
    pub config: ClaudeExecConfig,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_must_say_something() {
        assert_eq!(ClaudeExecConfig::new("make a heron file").validate(), Ok(()));
        assert_eq!(ClaudeExecConfig::new(" \n").validate().unwrap_err().0[0].field, "prompt");
        let mut quiet = ClaudeExecConfig::new("x");
        quiet.verbose = false;
        assert_eq!(quiet.validate().unwrap_err().0[0].field, "verbose");
    }
}
