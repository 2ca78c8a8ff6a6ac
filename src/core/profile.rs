//! Which of the two places a request, a row or a setting is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Backend;

/// Which place a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The engine on this machine.
    #[default]
    Local,
    /// Modal and a bucket anywhere.
    Modal,
}

impl Profile {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Modal => "modal",
        }
    }

    /// The place as scripts see it on a sandbox.
    pub fn backend(self) -> Backend {
        match self {
            Self::Local => Backend::Local,
            Self::Modal => Backend::Modal,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Profile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "local" => Ok(Self::Local),
            "modal" => Ok(Self::Modal),
            _ => Err("must be local or modal".to_owned()),
        }
    }
}
