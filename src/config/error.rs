//! What is wrong with a configuration, in the user's words: file, line, key, what is allowed.

use std::{io, path::Path};

use crate::core::text::sanitize_line;

/// A configuration that can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {path} can't be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Something in it can't be taken.
    #[error("{path}:{line}: {key}{problem}")]
    Value {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// The key and `": "`; empty when the text isn't TOML at all.
        key: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The data dir can't be used.
    #[error("{0}")]
    DataDir(String),
}

impl ConfigError {
    /// Names the place of what the TOML reader found.
    pub(super) fn at(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let problem = problem(error.message());
        let key = match key(error) {
            // The sentence names the key itself.
            none if none.is_empty() && !problem.starts_with("unknown key") => start_of(text, line),
            key => key,
        };
        Self::Value { path: path.display().to_string(), line, key, problem }
    }
}

/// What a line that isn't TOML begins with. Never what stands behind its `=`, which may be a key or a password.
fn start_of(text: &str, line: usize) -> String {
    // Enough to find the line by.
    const MAX: usize = 40;
    let line = text.lines().nth(line - 1).unwrap_or_default();
    let name = line.split('=').next().unwrap_or_default().trim();
    let name: String = sanitize_line(name).as_str().chars().take(MAX).collect();
    if name.is_empty() { name } else { format!("{name}: ") }
}

/// The dotted key. The reader tells it only in the text that it makes for errors without their input.
fn key(error: &toml::de::Error) -> String {
    let mut bare = error.clone();
    bare.set_input(None);
    let text = bare.to_string();
    text.lines()
        .find_map(|line| line.strip_prefix("in `")?.strip_suffix('`').map(|key| format!("{key}: ")))
        .unwrap_or_default()
}

/// serde's and TOML's sentences in the words of this program.
fn problem(message: &str) -> String {
    let message = message.trim_end().replace('\n', "; ");
    let message = message.replace("unknown field", "unknown key").replace("unknown variant", "unknown value");
    let Some((what, expected)) = message.split_once(", expected ") else { return message };
    let expected = expected.strip_prefix("one of ").unwrap_or(expected);
    if !["unknown ", "invalid type", "invalid value"].iter().any(|start| what.starts_with(start)) {
        return format!("{what}; expected {expected}");
    }
    let allowed = match expected {
        "i64" => "a whole number",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "a map" => "a table",
        table if table.starts_with("struct ") => "a table",
        other => other,
    };
    format!("{what}; allowed: {allowed}")
}
