//! What is wrong with a configuration, in the user's words: file, line, key, what is allowed.

use std::{io, path::Path};

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
        Self::Value { path: path.display().to_string(), line, key: key(error), problem: problem(error.message()) }
    }
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
    let message = message.trim_end().replace("unknown field", "unknown key").replace('\n', "; ");
    match message.split_once(", expected ") {
        Some((what, allowed)) => {
            let allowed = allowed.strip_prefix("one of ").unwrap_or(allowed);
            format!("{what}; allowed: {allowed}")
        }
        None => message,
    }
}
