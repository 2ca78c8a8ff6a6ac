//! The credentials that the CLI runs with: found in the environment or the configuration, never shown.

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret, SecretString};

/// Variables that name a credential; each goes into the sandbox as a secret of the one command that needs it.
pub const API_KEY: &str = "ANTHROPIC_API_KEY";
/// A subscription's token.
pub const OAUTH_TOKEN: &str = "CLAUDE_CODE_OAUTH_TOKEN";
/// Bedrock's key, as the CLI reads it.
pub const BEDROCK_TOKEN: &str = "AWS_BEARER_TOKEN_BEDROCK";
/// Bedrock's key, as the original system's configuration called it.
pub const BEDROCK_KEY: &str = "AWS_BEDROCK_API_KEY";
/// Switches the CLI to Bedrock.
pub const USE_BEDROCK: &str = "CLAUDE_CODE_USE_BEDROCK";
/// Where Bedrock runs; it has no default, since models differ by region.
pub const REGION: &str = "AWS_REGION";
/// Another address of the API; not a secret, but it belongs to the key.
pub const BASE_URL: &str = "ANTHROPIC_BASE_URL";

/// Which kind of credential is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ANTHROPIC_API_KEY`.
    ApiKey,
    /// `CLAUDE_CODE_OAUTH_TOKEN`.
    Subscription,
    /// Amazon Bedrock.
    Bedrock,
}

/// What the CLI needs to be let in.
#[derive(Clone)]
pub struct Keys {
    kind: Kind,
    env: BTreeMap<String, SecretString>,
}

/// Names only: the values are secrets.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("kind", &self.kind).field("names", &self.env.keys()).finish()
    }
}

/// What has to be set before Claude can be asked anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{missing} is not set")]
pub struct MissingKey {
    /// The variable, or the choice of variables.
    pub missing: &'static str,
}

impl Keys {
    /// Takes the first kind that `lookup` has: Bedrock if it is switched on, else an API key, else a subscription's
    /// token, else Bedrock by its key alone. An empty value counts as absent.
    ///
    /// # Errors
    /// The name of what is missing.
    pub fn find(lookup: impl Fn(&str) -> Option<SecretString>) -> Result<Self, MissingKey> {
        let get = |name: &str| lookup(name).filter(|v| !v.expose_secret().trim().is_empty());
        let on = |v: SecretString| !matches!(v.expose_secret().trim(), "0" | "false");
        let bedrock_key = || get(BEDROCK_TOKEN).or_else(|| get(BEDROCK_KEY));

        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: SecretString| {
            env.insert(name.to_owned(), value);
        };
        let kind = if get(USE_BEDROCK).is_some_and(on) || (get(API_KEY).or_else(|| get(OAUTH_TOKEN))).is_none() {
            let Some(key) = bedrock_key() else {
                let missing = if get(USE_BEDROCK).is_some_and(on) { BEDROCK_TOKEN } else { API_KEY };
                return Err(MissingKey { missing });
            };
            set(BEDROCK_TOKEN, key);
            set(USE_BEDROCK, "1".to_owned().into());
            set(REGION, get(REGION).ok_or(MissingKey { missing: REGION })?);
            Kind::Bedrock
        } else if let Some(key) = get(API_KEY) {
            set(API_KEY, key);
            Kind::ApiKey
        } else {
            set(OAUTH_TOKEN, get(OAUTH_TOKEN).ok_or(MissingKey { missing: OAUTH_TOKEN })?);
            Kind::Subscription
        };
        if kind != Kind::Bedrock
            && let Some(url) = get(BASE_URL)
        {
            set(BASE_URL, url);
        }
        Ok(Self { kind, env })
    }

    /// Which kind was found.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Names of the variables, for `doctor`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.env.keys().map(String::as_str)
    }

    /// The variables with their values, for the one place that sends them.
    pub fn expose(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(k, v)| (k.as_str(), v.expose_secret()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(vars: &[(&str, &str)]) -> Result<Keys, MissingKey> {
        let vars: BTreeMap<_, _> = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Keys::find(|name| vars.get(name).cloned().map(Into::into))
    }

    #[rstest::rstest]
    #[case(&[("ANTHROPIC_API_KEY", "k")], Ok(Kind::ApiKey))]
    #[case(&[("ANTHROPIC_API_KEY", "k"), ("CLAUDE_CODE_OAUTH_TOKEN", "t")], Ok(Kind::ApiKey))]
    #[case(&[("CLAUDE_CODE_OAUTH_TOKEN", "t")], Ok(Kind::Subscription))]
    #[case(&[("AWS_BEDROCK_API_KEY", "b"), ("AWS_REGION", "r")], Ok(Kind::Bedrock))]
    #[case(&[("AWS_BEARER_TOKEN_BEDROCK", "b"), ("AWS_REGION", "r"), ("CLAUDE_CODE_USE_BEDROCK", "1"), ("ANTHROPIC_API_KEY", "k")], Ok(Kind::Bedrock))]
    #[case(&[("ANTHROPIC_API_KEY", "k"), ("CLAUDE_CODE_USE_BEDROCK", "0")], Ok(Kind::ApiKey))]
    #[case(&[], Err("ANTHROPIC_API_KEY"))]
    #[case(&[("ANTHROPIC_API_KEY", "  ")], Err("ANTHROPIC_API_KEY"))]
    #[case(&[("CLAUDE_CODE_USE_BEDROCK", "1"), ("ANTHROPIC_API_KEY", "k")], Err("AWS_BEARER_TOKEN_BEDROCK"))]
    #[case(&[("AWS_BEARER_TOKEN_BEDROCK", "b")], Err("AWS_REGION"))]
    fn the_kind_is_chosen_or_what_is_missing_named(
        #[case] vars: &[(&str, &str)],
        #[case] expected: Result<Kind, &'static str>,
    ) {
        assert_eq!(find(vars).map(|k| k.kind()).map_err(|e| e.missing), expected);
    }

    #[test]
    fn values_are_not_shown() {
        let keys = find(&[("ANTHROPIC_API_KEY", "hunter2"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")]).unwrap();
        assert!(!format!("{keys:?}").contains("hunter2"));
        assert_eq!(keys.names().collect::<Vec<_>>(), ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"]);
    }
}
