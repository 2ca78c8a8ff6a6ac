//! The first words of a client: who it is, and what of its shell's environment counts.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Beginnings of the names that a client sends along: the keys and addresses that the tools of Anthropic, AWS and
/// Modal read from their environment.
pub const ENV_PREFIXES: [&str; 4] = ["ANTHROPIC_", "CLAUDE_CODE_", "AWS_", "MODAL_"];

/// Whether a variable belongs to what a client sends along.
pub fn is_override(name: &str) -> bool {
    ENV_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Sent once by each client process; kept in the server's memory only, since it holds keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the API's words.
    pub protocol: u32,
    /// Crate version.
    pub version: String,
    /// Build of that version.
    pub build: String,
    /// Variables whose names [`is_override`].
    pub env: BTreeMap<String, String>,
    /// Where the client's PATH has `claude`.
    #[serde(default)]
    pub claude: Option<PathBuf>,
}

/// Values are keys: only names are shown.
impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("protocol", &self.protocol)
            .field("version", &self.version)
            .field("build", &self.build)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("claude", &self.claude)
            .finish()
    }
}

/// The server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// To be sent with each later request ([`super::CLIENT_HEADER`]).
    pub client_id: Uuid,
    /// The server's version of the words.
    pub protocol: u32,
    /// The server's crate version.
    pub version: String,
    /// The server's build.
    pub build: String,
    /// Calls it is in the middle of: a newer client lets them end before it replaces the server.
    pub running: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_values() {
        let hello = Hello {
            protocol: 1,
            version: "1".into(),
            build: "b".into(),
            env: BTreeMap::from([("ANTHROPIC_API_KEY".into(), "hunter2".into())]),
            claude: None,
        };
        let shown = format!("{hello:?}");
        assert!(shown.contains("ANTHROPIC_API_KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
