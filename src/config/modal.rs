//! How to reach Modal: the environment, then the configuration, then `~/.modal.toml`, as Modal's own tools read it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use secrecy::SecretString;

use super::{Modal, Secret};

/// The public service, as Modal's Go and JavaScript clients name it.
const DEFAULT_URL: &str = "https://api.modal.com";

/// Everything a connection needs.
#[derive(Debug, Clone)]
pub struct ModalAccess {
    /// `https://…`, or `http://…` for a loopback server; the first of a comma list.
    pub server_url: String,
    /// `ak-…`
    pub token_id: String,
    /// `as-…`
    pub token_secret: SecretString,
    /// Empty: the workspace's default.
    pub environment: String,
}

impl Modal {
    /// The token's secret as the configuration has it.
    pub fn token_secret(&self) -> Secret {
        Secret::new("modal.token_secret", &self.token_secret, &self.token_secret_file, &self.token_secret_command)
    }

    /// What a connection needs, from a client's environment, the configuration and Modal's own file.
    ///
    /// # Errors
    /// What is missing or can't be read, in words that say where to put it.
    pub fn access(&self, env: &BTreeMap<String, String>) -> Result<ModalAccess, String> {
        let file = profile(env, self.profile.as_deref())?;
        let setting = |name: &str, configured: &Option<String>| {
            env.get(&format!("MODAL_{}", name.to_ascii_uppercase()))
                .filter(|v| !v.is_empty())
                .cloned()
                .or_else(|| configured.clone())
                .or_else(|| file.get(name).and_then(|v| v.as_str()).map(str::to_owned))
        };
        let missing = |what: &str| {
            format!(
                "no {what} for Modal: run `modal token set`, or set MODAL_{}",
                what.replace(' ', "_").to_uppercase()
            )
        };
        let token_id = setting("token_id", &self.token_id).ok_or_else(|| missing("token id"))?;
        let from_env = env.get("MODAL_TOKEN_SECRET").filter(|v| !v.is_empty()).cloned().map(SecretString::from);
        let token_secret = match from_env {
            Some(secret) => secret,
            None => match self.token_secret().get().map_err(|e| e.to_string())? {
                Some(secret) => secret,
                None => {
                    setting("token_secret", &None).map(SecretString::from).ok_or_else(|| missing("token secret"))?
                }
            },
        };
        let urls = setting("server_url", &self.server_url).unwrap_or_else(|| DEFAULT_URL.to_owned());
        Ok(ModalAccess {
            server_url: urls.split(',').next().unwrap_or(DEFAULT_URL).trim().to_owned(),
            token_id,
            token_secret,
            environment: setting("environment", &self.environment).unwrap_or_default(),
        })
    }
}

/// The table of `~/.modal.toml` that counts; empty when there is no file.
fn profile(env: &BTreeMap<String, String>, wanted: Option<&str>) -> Result<toml::Table, String> {
    let path = match env.get("MODAL_CONFIG_PATH") {
        Some(path) => PathBuf::from(path),
        None => match directories::BaseDirs::new() {
            Some(dirs) => dirs.home_dir().join(".modal.toml"),
            None => return Ok(toml::Table::new()),
        },
    };
    let Ok(text) = fs::read_to_string(&path) else { return Ok(toml::Table::new()) };
    // The reader's own message would show the line, which may hold a token.
    let all: toml::Table = text.parse().map_err(|_| format!("{} is not valid TOML", path.display()))?;
    let tables: Vec<(&String, &toml::Table)> =
        all.iter().filter_map(|(name, v)| v.as_table().map(|t| (name, t))).collect();
    let find = |name: &str| tables.iter().find(|(n, _)| *n == name).map(|(_, t)| (*t).clone());
    if let Some(name) = env.get("MODAL_PROFILE").map(String::as_str).or(wanted) {
        return find(name).ok_or_else(|| format!("{} has no profile {name:?}", path.display()));
    }
    let active: Vec<_> =
        tables.iter().filter(|(_, t)| t.get("active").and_then(toml::Value::as_bool) == Some(true)).collect();
    match active.as_slice() {
        [(_, table)] => Ok((*table).clone()),
        [] => Ok(find("default").unwrap_or_default()),
        _ => Err(format!("{} has more than one active profile; keep one, or set MODAL_PROFILE", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn environment_then_configuration_then_modals_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("modal.toml");
        fs::write(
            &path,
            "[a]\ntoken_id='ak-a'\ntoken_secret='as-a'\n[b]\ntoken_id='ak-b'\ntoken_secret='as-b'\nactive=true\n",
        )
        .unwrap();
        let path = path.to_str().unwrap();
        let access = Modal::default().access(&env(&[("MODAL_CONFIG_PATH", path)])).unwrap();
        assert_eq!((access.token_id.as_str(), access.server_url.as_str()), ("ak-b", DEFAULT_URL));

        let configured =
            Modal { profile: Some("a".into()), server_url: Some("http://127.0.0.1:9".into()), ..Modal::default() };
        let access = configured.access(&env(&[("MODAL_CONFIG_PATH", path), ("MODAL_TOKEN_SECRET", "as-e")])).unwrap();
        assert_eq!((access.token_id.as_str(), access.server_url.as_str()), ("ak-a", "http://127.0.0.1:9"));
        assert_eq!(access.token_secret.expose_secret(), "as-e");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Modal::default().access(&env(&[("MODAL_CONFIG_PATH", "/nonexistent")])).unwrap_err();
        assert_eq!(error, "no token id for Modal: run `modal token set`, or set MODAL_TOKEN_ID");
    }
}
