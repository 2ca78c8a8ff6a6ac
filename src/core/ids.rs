//! Names of things. Each is a type of its own, so that one can't be taken for another, and each is checked when it
//! is made: an id that exists is well-formed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest account name: `volume-` (the longest prefix we put before it) and the name must fit the 64 characters
/// that Modal allows for an object's name.
pub const MAX_ACCOUNT: usize = 57;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id if it is well-formed, else what is wrong with it.
            pub fn new(text: impl Into<String>) -> Result<Self, String> {
                let text = text.into();
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text).map(|()| Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Whose app `app-{account}` and volume `volume-{account}` all its sandboxes share: 1 to 57 of `[A-Za-z0-9-_.]`,
    /// not `.` or `..` (it is also a folder of the bucket).
    AccountId,
    |t| name(t, MAX_ACCOUNT)
);

text_id!(
    /// A sandbox's id as Modal gave it: `sb-` and letters or digits.
    SandboxId,
    |t| match t.strip_prefix("sb-") {
        Some(rest) if !rest.is_empty() && rest.len() <= 64 && rest.bytes().all(|b| b.is_ascii_alphanumeric()) => Ok(()),
        _ => Err("not a sandbox id (sb- and letters or digits)".to_owned()),
    }
);

impl AccountId {
    /// The account's app in Modal.
    pub fn app(&self) -> String {
        format!("app-{self}")
    }

    /// The account's workspace volume in Modal.
    pub fn volume(&self) -> String {
        format!("volume-{self}")
    }

    /// The account's second volume, for conversations.
    pub fn agent_volume(&self) -> String {
        format!("agent-{self}")
    }
}

/// Checks a name by Modal's rule for objects: 1 to `max` of `[a-zA-Z0-9-_.]`, and not a relative path.
pub fn name(text: &str, max: usize) -> Result<(), String> {
    if text.is_empty() || text.len() > max {
        return Err(format!("must have 1 to {max} characters, has {}", text.chars().count()));
    }
    if text == "." || text == ".." {
        return Err("must not be a relative path".to_owned());
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        Some(c) => Err(format!("has {c:?}; only letters, digits, '-', '_' and '.' are allowed")),
        None => Ok(()),
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random id.
            #[allow(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Uuid::parse_str(text).map(Self).map_err(|_| "not a UUID".to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// One Claude conversation, with an id of ours from its first turn on.
    ConversationId
);
uuid_id!(
    /// One command in a sandbox; chosen by the client, so that a start sent twice starts once.
    ExecId
);
uuid_id!(
    /// One command of a client to the server; the same id sent again gets the same result.
    RequestId
);

/// One saved workspace of an account: the second (Unix time) that its save claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub u64);

impl FromStr for VersionId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // Only the one spelling that we write ourselves: "+5" or "007" would name an object that isn't there.
        match text.parse::<u64>() {
            Ok(n) if n.to_string() == text => Ok(Self(n)),
            _ => Err("not a version (Unix seconds, or `latest`)".to_owned()),
        }
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("default", true)]
    #[case("a.b-c_D9", true)]
    #[case("", false)]
    #[case("..", false)]
    #[case("a/b", false)]
    #[case("a\u{1b}[2J", false)]
    #[case("über", false)]
    fn account_names(#[case] text: &str, #[case] ok: bool) {
        assert_eq!(AccountId::new(text).is_ok(), ok, "{text:?}");
    }

    #[test]
    fn the_longest_account_name_still_fits_modal_with_its_prefix() {
        let longest = AccountId::new("a".repeat(MAX_ACCOUNT)).unwrap();
        assert!(longest.volume().len() <= 64);
        assert!(AccountId::new("a".repeat(MAX_ACCOUNT + 1)).is_err());
    }

    #[rstest::rstest]
    #[case("1700000000", Some(1_700_000_000))]
    #[case("0", Some(0))]
    #[case("007", None)]
    #[case("+5", None)]
    #[case("latest", None)]
    fn versions(#[case] text: &str, #[case] value: Option<u64>) {
        assert_eq!(text.parse().ok(), value.map(VersionId));
    }

    #[test]
    fn a_bad_id_is_refused_when_it_is_read() {
        assert!(serde_json::from_str::<SandboxId>("\"sb-1/../2\"").is_err());
        assert!(serde_json::from_str::<SandboxId>("\"sb-01ABC\"").is_ok());
    }
}
