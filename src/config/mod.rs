//! Settings, typed, in layers: defaults, then the file, then the environment, then flags.
//!
//! A key that isn't known, a value of the wrong type or out of range is an error that names file, line, key and what
//! is allowed; nothing is ignored. Keys and passwords are [`Secret`]s: each can be written as it is, read from a file
//! or printed by a command, and none is ever shown. Modal's and AWS's own variables and profiles count as they do in
//! their tools (`modal`, `s3`).

mod data_dir;
mod error;
mod keys;
mod modal;
mod named;
mod range;
mod s3;
mod secret;
mod tables;

pub use data_dir::DataDir;
pub use error::ConfigError;
pub use keys::{ClaudeKeys, KEY_NAMES};
pub use modal::ModalAccess;
pub use named::{Missing, is_program};
pub use s3::S3Access;
pub use secret::{Secret, SecretError};
pub use tables::{
    Background, Claude, Config, Engine, EngineHost, EngineImages, Local, Modal, S3, Sandboxes, Screen, Server,
};

use std::path::{Path, PathBuf};

/// Where the configuration is looked for unless a flag or `SANDBANK_CONFIG` says otherwise:
/// `~/.config/sandbank/config.toml`.
pub fn default_path() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "sandbank").map(|dirs| dirs.config_dir().join("config.toml"))
}

/// Reads the configuration. `named` is a file that the user named and that must be there; without it the default
/// place is read if it is there.
///
/// # Errors
/// A named file that can't be read, or anything in it that can't be taken.
pub fn load(named: Option<&Path>) -> Result<Config, ConfigError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => match default_path() {
            Some(path) if path.exists() => path,
            _ => return Ok(Config::default()),
        },
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|source| ConfigError::Read { path: path.display().to_string(), source })?;
    parse(&text, &path)
}

/// Reads the configuration from its text; `path` is only named in errors.
///
/// # Errors
/// Anything in it that can't be taken.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    toml::from_str(text).map_err(|e| ConfigError::at(path, text, &e))
}

#[cfg(test)]
mod tests;
