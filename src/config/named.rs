//! Files that the configuration names: whether they are there. Asked by `config check` and `doctor`; a command that
//! doesn't need one of them isn't kept by it.

use std::path::Path;

use super::Config;

/// A key that names something which isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The key.
    pub key: String,
    /// What is wrong with what it names.
    pub problem: String,
}

impl Config {
    /// Everything that is named and isn't there, or can't be used. Runs no commands.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        let mut say = |key: &str, problem: String| missing.push(Missing { key: key.to_owned(), problem });
        let host = &self.engine.host;
        if let Some(claude) = host.claude.as_deref().filter(|path| !is_program(path)) {
            say("engine.host.claude", format!("{} is no program that you may run", claude.display()));
        }
        for folder in host.extra.iter().filter(|path| !path.exists()) {
            say("engine.host.extra", format!("{} is not there", folder.display()));
        }
        let secrets = [
            self.modal.token_secret(),
            self.s3.secret_access_key(),
            self.claude.api_key(),
            self.claude.oauth_token(),
            self.claude.bedrock_api_key(),
        ];
        for error in secrets.iter().filter_map(|secret| secret.look().err()) {
            say(&error.key, error.problem);
        }
        missing
    }
}

/// Whether it is a file that this user may run.
pub fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_by_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let (there, key) = (dir.path().join("claude"), dir.path().join("key"));
        std::fs::write(&there, "#!/bin/sh\n").unwrap();
        std::fs::write(&key, "hunter2").unwrap();
        let mut config = Config::default();
        assert_eq!(config.missing(), []);
        config.engine.host.claude = Some(there.clone());
        config.engine.host.extra = vec![dir.path().to_owned(), dir.path().join("tools")];
        config.claude.api_key_file = Some(key);
        config.claude.oauth_token_file = Some("/nonexistent/token".into());
        config.claude.bedrock_api_key_command = Some("exit 1".to_owned());
        let keys = |config: &Config| config.missing().into_iter().map(|m| m.key).collect::<Vec<_>>();
        let rest = ["engine.host.extra", "claude.oauth_token_file"];
        assert_eq!(keys(&config), [&["engine.host.claude"][..], &rest].concat(), "it may not be run");
        std::fs::set_permissions(&there, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(keys(&config), rest);
        assert!(!format!("{:?}", config.missing()).contains("hunter2"));
    }
}
