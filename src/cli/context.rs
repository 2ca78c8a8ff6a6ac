//! What a command works with: the settings in force, and a client of the server.

use std::{path::PathBuf, str::FromStr};

use super::{args::Global, failure::Failure};
use crate::{
    api::{ApiError, Scope},
    client::{Client, Options},
    config::{self, Config, DataDir},
    core::{AccountId, Profile, RequestId},
};

/// Settings in force: flags, then the environment, then the configuration.
pub(super) struct Context {
    pub config: Config,
    /// The configuration file that the user named.
    pub named: Option<PathBuf>,
    pub data: DataDir,
    pub account: AccountId,
    pub profile: Profile,
    pub json: bool,
    pub request_id: Option<RequestId>,
}

impl Context {
    /// Reads the configuration and the environment.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let named = named_config(global)?;
        let config = config::load(named.as_deref())?;
        let account = match &global.account {
            Some(account) => account.clone(),
            None => variable("SANDBANK_ACCOUNT")?.unwrap_or_else(|| config.account.clone()),
        };
        let profile = match global.profile {
            Some(profile) => profile,
            None => variable("SANDBANK_PROFILE")?.unwrap_or(config.profile),
        };
        let data = data_dir(global)?;
        Ok(Self { config, named, data, account, profile, json: global.json, request_id: global.request_id })
    }

    /// A client of the server, which is started by the first call if none runs.
    pub fn client(&self) -> Result<Client, Failure> {
        self.data.prepare()?;
        let program = std::env::current_exe()
            .map_err(|e| ApiError::failed(format!("the program's own file can't be found: {e}")))?;
        Ok(Client::new(Options { data: self.data.clone(), config: self.named.clone(), program }))
    }

    /// Whose things, and where.
    pub fn scope(&self) -> Scope {
        Scope { account: self.account.clone(), profile: self.profile, all: false }
    }
}

/// The configuration file that the user named, by its absolute path.
pub(super) fn named_config(global: &Global) -> Result<Option<PathBuf>, Failure> {
    let named = global.config.clone().or_else(|| path("SANDBANK_CONFIG"));
    Ok(named.map(std::path::absolute).transpose()?)
}

/// The data dir, not looked at yet.
pub(super) fn data_dir(global: &Global) -> Result<DataDir, Failure> {
    let named = global.data_dir.clone().or_else(|| path("SANDBANK_DATA_DIR"));
    Ok(DataDir::find(named.as_deref())?)
}

/// A variable that names a file or folder; an empty one counts as unset.
fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A variable's value; an empty one counts as unset.
fn variable<T: FromStr<Err = String>>(name: &str) -> Result<Option<T>, ApiError> {
    let value = std::env::var(name).unwrap_or_default();
    if value.is_empty() {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|problem| ApiError::usage(format!("{name} {problem}")))
}
