//! Claude's keys: which are there, from where, under the names that the CLI reads.
//!
//! The environment of the client that asks wins over the configuration, as flags and environment do everywhere. What
//! is missing is told by name before anything is started.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::{Claude, Secret, SecretError};

/// The variables that can hold a key for Claude; Bedrock's has two names.
pub const KEY_NAMES: [&str; 4] =
    ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_BEDROCK_API_KEY"];

/// Everything that a run of the CLI gets as secrets of its exec.
#[derive(Clone, Default)]
pub struct ClaudeKeys {
    /// Variables with keys or addresses, by the names that the CLI reads.
    pub variables: BTreeMap<String, SecretString>,
    /// For each name where its value comes from: `environment`, or the configuration's key. For `doctor`.
    pub sources: BTreeMap<String, String>,
}

impl ClaudeKeys {
    /// Whether the CLI has any way to sign in.
    pub fn can_sign_in(&self) -> bool {
        KEY_NAMES.iter().any(|name| self.variables.contains_key(*name))
    }

    /// What to say when it has none; [`Self::remedy`] is the hint to it.
    pub fn missing() -> &'static str {
        "there is no key for Claude"
    }

    /// Where a key can be put.
    pub fn remedy() -> &'static str {
        "run `export ANTHROPIC_API_KEY=…` (or CLAUDE_CODE_OAUTH_TOKEN, or AWS_BEARER_TOKEN_BEDROCK) and start sandbank \
         again, or set [claude] api_key, oauth_token or bedrock_api_key in the file that `sandbank config path` names"
    }

    fn put(&mut self, name: &str, value: SecretString, source: String) {
        if !value.expose_secret().is_empty() {
            self.variables.insert(name.to_owned(), value);
            self.sources.insert(name.to_owned(), source);
        }
    }
}

impl Claude {
    /// The keys and addresses for a run, from a client's environment and the configuration.
    ///
    /// # Errors
    /// A file or command of the configuration that gives no key.
    pub fn keys(&self, env: &BTreeMap<String, String>) -> Result<ClaudeKeys, SecretError> {
        let mut keys = ClaudeKeys::default();
        let secrets = [
            ("ANTHROPIC_API_KEY", self.api_key()),
            ("CLAUDE_CODE_OAUTH_TOKEN", self.oauth_token()),
            ("AWS_BEARER_TOKEN_BEDROCK", self.bedrock_api_key()),
        ];
        for (name, secret) in secrets {
            // A key in the environment spares the file or command, which may be slow or gone.
            if env.contains_key(name) {
                continue;
            }
            if let Some(value) = secret.get()? {
                keys.put(name, value, secret.source().unwrap_or_default());
            }
        }
        let plain = [
            ("CLAUDE_CODE_USE_BEDROCK", self.use_bedrock.then(|| "1".to_owned()), "claude.use_bedrock"),
            ("AWS_REGION", self.aws_region.clone(), "claude.aws_region"),
            ("ANTHROPIC_BASE_URL", self.base_url.clone(), "claude.base_url"),
        ];
        for (name, value, source) in plain {
            if let Some(value) = value {
                keys.put(name, SecretString::from(value), source.to_owned());
            }
        }
        for (name, value) in env.iter().filter(|(name, _)| is_passed(name)) {
            keys.put(name, SecretString::from(value.clone()), "environment".to_owned());
        }
        // The original's name for Bedrock's key; the CLI reads only AWS's own.
        if let Some(value) = keys.variables.remove("AWS_BEDROCK_API_KEY") {
            let source = keys.sources.remove("AWS_BEDROCK_API_KEY").unwrap_or_default();
            if !keys.variables.contains_key("AWS_BEARER_TOKEN_BEDROCK") {
                keys.put("AWS_BEARER_TOKEN_BEDROCK", value, source);
            }
        }
        Ok(keys)
    }

    /// `ANTHROPIC_API_KEY` as the configuration has it.
    pub fn api_key(&self) -> Secret {
        Secret::new("claude.api_key", &self.api_key, &self.api_key_file, &self.api_key_command)
    }

    /// `CLAUDE_CODE_OAUTH_TOKEN` as the configuration has it.
    pub fn oauth_token(&self) -> Secret {
        Secret::new("claude.oauth_token", &self.oauth_token, &self.oauth_token_file, &self.oauth_token_command)
    }

    /// `AWS_BEARER_TOKEN_BEDROCK` as the configuration has it.
    pub fn bedrock_api_key(&self) -> Secret {
        Secret::new(
            "claude.bedrock_api_key",
            &self.bedrock_api_key,
            &self.bedrock_api_key_file,
            &self.bedrock_api_key_command,
        )
    }
}

/// Whether a client's variable goes to its runs of the CLI: keys, addresses, and settings that a user puts into their
/// shell for it.
fn is_passed(name: &str) -> bool {
    if KEY_NAMES.contains(&name) || name == "AWS_REGION" {
        return true;
    }
    // These are about the machine that they were set on, or about a run of the CLI that our client was started by: they
    // would tell ours of files that aren't there, or that it is a part of that run.
    const ENDS: [&str; 7] = ["_FILE", "_DIR", "_DIRS", "_PATH", "_SOCKET", "_PORT", "_DESCRIPTOR"];
    const PARTS: [&str; 7] = ["SESSION", "REMOTE", "CHILD", "ENTRYPOINT", "EXECPATH", "TMPDIR", "_HOST_"];
    ["ANTHROPIC_", "CLAUDE_CODE_"].iter().any(|start| name.starts_with(start))
        && !ENDS.iter().any(|end| name.ends_with(end))
        && !PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_and_the_source_is_told() {
        let claude = Claude {
            api_key: Some(SecretString::from("from-config")),
            use_bedrock: true,
            oauth_token_command: Some("exit 1".into()),
            ..Claude::default()
        };
        let env = BTreeMap::from([
            ("ANTHROPIC_API_KEY".to_owned(), "from-env".to_owned()),
            ("CLAUDE_CODE_OAUTH_TOKEN".to_owned(), "t".to_owned()),
        ]);
        let keys = claude.keys(&env).unwrap();
        assert_eq!(keys.variables["ANTHROPIC_API_KEY"].expose_secret(), "from-env");
        assert_eq!(keys.sources["ANTHROPIC_API_KEY"], "environment");
        assert_eq!(keys.sources["CLAUDE_CODE_USE_BEDROCK"], "claude.use_bedrock");
        assert!(keys.can_sign_in());
    }

    #[test]
    fn bedrock_has_the_originals_name_too() {
        let env = BTreeMap::from([("AWS_BEDROCK_API_KEY".to_owned(), "k".to_owned())]);
        let keys = Claude::default().keys(&env).unwrap();
        assert_eq!(keys.variables.keys().collect::<Vec<_>>(), ["AWS_BEARER_TOKEN_BEDROCK"]);
    }

    #[rstest::rstest]
    #[case("ANTHROPIC_AUTH_TOKEN", true)]
    #[case("ANTHROPIC_DEFAULT_OPUS_MODEL", true)]
    #[case("CLAUDE_CODE_MAX_RETRIES", true)]
    #[case("AWS_REGION", true)]
    #[case("AWS_SECRET_ACCESS_KEY", false)]
    #[case("MODAL_TOKEN_SECRET", false)]
    #[case("ANTHROPIC_UNIX_SOCKET", false)]
    #[case("CLAUDE_CODE_SESSION_ID", false)]
    #[case("CLAUDE_CODE_ENTRYPOINT", false)]
    #[case("CLAUDE_CODE_SSE_PORT", false)]
    #[case("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", false)]
    fn settings_of_requests_are_passed_and_nothing_about_the_clients_machine(#[case] name: &str, #[case] passed: bool) {
        let env = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        assert_eq!(Claude::default().keys(&env).unwrap().variables.contains_key(name), passed);
    }

    #[test]
    fn an_empty_variable_is_no_key() {
        let env = BTreeMap::from([("ANTHROPIC_API_KEY".to_owned(), String::new())]);
        assert!(!Claude::default().keys(&env).unwrap().can_sign_in());
    }
}
