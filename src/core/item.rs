//! Items: what a transcript shows, in the order in which their keys were first seen. Made by `agent::fold`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Untrusted, Usage};

/// One thing in a transcript. Stored as JSON; an item that changes keeps its key and its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Message id and block, tool call, prompt or line: the same from every source.
    pub key: String,
    /// The call of the sub-agent that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// RFC 3339, as the CLI says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// What it shows.
    #[serde(flatten)]
    pub body: ItemBody,
}

impl Item {
    /// The user's prompt, which the service writes before anything runs.
    pub fn prompt(key: impl Into<String>, text: impl Into<Untrusted>) -> Self {
        Self { key: key.into(), parent: None, timestamp: None, body: ItemBody::Prompt { text: text.into() } }
    }

    /// What a search looks through: what a reader sees of it, in lower case. Nothing for what is all figures, or not
    /// for reading.
    pub fn searched(&self) -> Option<String> {
        let text = match &self.body {
            ItemBody::Prompt { text } | ItemBody::Text { text, .. } | ItemBody::Notice { text, .. } => text.clean(),
            ItemBody::Tool(tool) => {
                let (subject, output) = (tool.subject().clean(), tool.output.clean());
                return Some(format!("{} {subject}\n{output}", tool.name.clean_line()).to_lowercase());
            }
            ItemBody::Thinking { .. } | ItemBody::Result { .. } => return None,
        };
        Some(text.as_str().to_lowercase())
    }
}

/// What an item shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ItemBody {
    /// What the user asked.
    Prompt {
        /// As they typed it.
        text: Untrusted,
    },
    /// Prose of Claude.
    Text {
        /// Markdown.
        text: Untrusted,
        /// Cut off by an interrupt.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        aborted: bool,
    },
    /// Thinking.
    Thinking {
        /// May be empty.
        text: Untrusted,
        /// How long it took.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
    },
    /// A call of a tool.
    Tool(Tool),
    /// A sentence about what happens.
    Notice {
        /// How much it matters.
        level: Level,
        /// The sentence.
        text: Untrusted,
    },
    /// A turn's end, with what it cost.
    Result {
        /// Tokens and money since the last result.
        usage: Usage,
        /// From prompt to end.
        duration_ms: u64,
        /// Rounds with the model.
        rounds: u64,
        /// It went wrong.
        is_error: bool,
        /// Tools that were refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        denied: Vec<Untrusted>,
    },
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as wanted, and the turn goes on.
    Warning,
    /// Something failed.
    Error,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolState {
    /// No result yet.
    #[default]
    Running,
    /// It gave a result.
    Done,
    /// Its result is an error.
    Failed,
    /// It was not allowed to run.
    Refused,
    /// No result came: it was stopped, or its program ended or could not be reached any longer.
    Interrupted,
}

/// A call of a tool and what it gave back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tool {
    /// The tool.
    pub name: Untrusted,
    /// What it was given, as JSON. Its texts are untrusted like all others.
    pub input: Value,
    /// How far it is.
    pub state: ToolState,
    /// What it gave back, as text.
    #[serde(default)]
    pub output: Untrusted,
    /// Exit code, of a command of the user's own; 128 + n for signal n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What it changed in a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<DiffLine>,
    /// How long it has run: of Claude's calls as heartbeats say (every 30 s), of the user's own in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

impl Tool {
    /// The one thing of the input that says what the call is about: the file, the command, the pattern.
    pub fn subject(&self) -> Untrusted {
        const NAMES: [&str; 8] = ["command", "file_path", "path", "pattern", "url", "query", "description", "prompt"];
        let found = NAMES.iter().find_map(|name| self.input.get(name)?.as_str());
        Untrusted::new(found.unwrap_or_default())
    }
}

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// Line number in the file as it is now (for removed lines: as it was).
    pub line: u64,
    /// `+`, `-` or blank.
    pub mark: char,
    /// The line.
    pub text: Untrusted,
}
