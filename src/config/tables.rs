//! The tables of `config.toml`, as serde reads them. `config.example.toml` explains every key; a test keeps the two
//! together.

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

use super::range::{bucket, path, paths, stand_ins, unless_empty, url, within};
use crate::core::{AccountId, Profile, sandbox::HOST_IMAGE};

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which place is meant when nothing else says so.
    pub profile: Profile,
    /// Whose things are meant when nothing else says so.
    pub account: AccountId,
    /// The server.
    pub server: Server,
    /// Sandboxes of both places.
    pub sandbox: Sandboxes,
    /// Versions of the place `local`.
    pub local: Local,
    /// Modal.
    pub modal: Modal,
    /// The bucket that goes with Modal.
    pub s3: S3,
    /// The engine.
    pub engine: Engine,
    /// Claude.
    pub claude: Claude,
    /// The screen.
    pub screen: Screen,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            account: default_account(),
            server: Server::default(),
            sandbox: Sandboxes::default(),
            local: Local::default(),
            modal: Modal::default(),
            s3: S3::default(),
            engine: Engine::default(),
            claude: Claude::default(),
            screen: Screen::default(),
        }
    }
}

#[allow(clippy::expect_used, reason = "a constant that a test checks")]
fn default_account() -> AccountId {
    AccountId::new("default").expect("the default account's name is well-formed")
}

/// `[server]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Seconds with nothing to tend until it ends.
    #[serde(deserialize_with = "within::<1, 86_400, u32, _>")]
    pub idle_secs: u32,
    /// What its log keeps: `error`, `warn`, `info`, `debug` or `trace`.
    pub log: LogLevel,
}

impl Default for Server {
    fn default() -> Self {
        Self { idle_secs: 60, log: LogLevel::Info }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// As `tracing` names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `[sandbox]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandboxes {
    /// Seconds until a sandbox ends by itself. Modal's own default of 300 s loses work; its maximum is 24 h.
    #[serde(deserialize_with = "within::<1, 86_400, u32, _>")]
    pub timeout_secs: u32,
}

impl Default for Sandboxes {
    fn default() -> Self {
        Self { timeout_secs: 86_400 }
    }
}

/// `[local]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Local {
    /// Base image of new sandboxes.
    pub image: String,
    /// Bucket of the engine's store that holds the versions.
    #[serde(deserialize_with = "bucket")]
    pub bucket: Option<String>,
}

impl Default for Local {
    fn default() -> Self {
        Self { image: HOST_IMAGE.to_owned(), bucket: Some("sandbank".to_owned()) }
    }
}

/// `[modal]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Modal {
    /// Base image of new sandboxes.
    pub image: String,
    /// Profile of `~/.modal.toml`.
    #[serde(deserialize_with = "unless_empty")]
    pub profile: Option<String>,
    /// Where Modal is.
    #[serde(deserialize_with = "url")]
    pub server_url: Option<String>,
    /// Environment of the workspace; its default one when not set.
    #[serde(deserialize_with = "unless_empty")]
    pub environment: Option<String>,
    /// Token's id (`ak-…`).
    #[serde(deserialize_with = "unless_empty")]
    pub token_id: Option<String>,
    /// Token's secret (`as-…`).
    #[serde(deserialize_with = "unless_empty", serialize_with = "hidden")]
    pub token_secret: Option<SecretString>,
    /// File with the token's secret.
    #[serde(deserialize_with = "path")]
    pub token_secret_file: Option<PathBuf>,
    /// Command that prints the token's secret.
    #[serde(deserialize_with = "unless_empty")]
    pub token_secret_command: Option<String>,
}

impl Default for Modal {
    fn default() -> Self {
        Self {
            image: "debian:bookworm-slim".to_owned(),
            profile: None,
            server_url: None,
            environment: None,
            token_id: None,
            token_secret: None,
            token_secret_file: None,
            token_secret_command: None,
        }
    }
}

/// `[s3]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Bucket that holds the versions.
    #[serde(deserialize_with = "bucket")]
    pub bucket: Option<String>,
    /// Its region.
    #[serde(deserialize_with = "unless_empty")]
    pub region: Option<String>,
    /// Where the store is, if not AWS.
    #[serde(deserialize_with = "url")]
    pub endpoint_url: Option<String>,
    /// Profile of `~/.aws`.
    #[serde(deserialize_with = "unless_empty")]
    pub profile: Option<String>,
    /// Key's id.
    #[serde(deserialize_with = "unless_empty")]
    pub access_key_id: Option<String>,
    /// Key's secret.
    #[serde(deserialize_with = "unless_empty", serialize_with = "hidden")]
    pub secret_access_key: Option<SecretString>,
    /// File with the key's secret.
    #[serde(deserialize_with = "path")]
    pub secret_access_key_file: Option<PathBuf>,
    /// Command that prints the key's secret.
    #[serde(deserialize_with = "unless_empty")]
    pub secret_access_key_command: Option<String>,
}

/// `[engine]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Loopback port of Modal's protocol; 0 takes a free one once and keeps it.
    #[serde(deserialize_with = "within::<0, 65_535, u16, _>")]
    pub modal_port: u16,
    /// Loopback port of the store; 0 takes a free one once and keeps it.
    #[serde(deserialize_with = "within::<0, 65_535, u16, _>")]
    pub s3_port: u16,
    /// Images.
    pub images: EngineImages,
    /// What of this machine sandboxes see.
    pub host: EngineHost,
}

/// `[engine.images]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineImages {
    /// Image names that mean another one: `"alpine:3.21" = "host"`.
    #[serde(deserialize_with = "stand_ins")]
    pub stand_ins: BTreeMap<String, String>,
}

/// `[engine.host]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineHost {
    /// More folders that every sandbox sees, read-only.
    #[serde(deserialize_with = "paths")]
    pub extra: Vec<PathBuf>,
    /// The Claude CLI; the first `claude` of the PATH when not set.
    #[serde(deserialize_with = "path")]
    pub claude: Option<PathBuf>,
}

/// `[claude]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Claude {
    /// `ANTHROPIC_API_KEY`
    #[serde(deserialize_with = "unless_empty", serialize_with = "hidden")]
    pub api_key: Option<SecretString>,
    /// File with it.
    #[serde(deserialize_with = "path")]
    pub api_key_file: Option<PathBuf>,
    /// Command that prints it.
    #[serde(deserialize_with = "unless_empty")]
    pub api_key_command: Option<String>,
    /// `CLAUDE_CODE_OAUTH_TOKEN`
    #[serde(deserialize_with = "unless_empty", serialize_with = "hidden")]
    pub oauth_token: Option<SecretString>,
    /// File with it.
    #[serde(deserialize_with = "path")]
    pub oauth_token_file: Option<PathBuf>,
    /// Command that prints it.
    #[serde(deserialize_with = "unless_empty")]
    pub oauth_token_command: Option<String>,
    /// `AWS_BEARER_TOKEN_BEDROCK`
    #[serde(deserialize_with = "unless_empty", serialize_with = "hidden")]
    pub bedrock_api_key: Option<SecretString>,
    /// File with it.
    #[serde(deserialize_with = "path")]
    pub bedrock_api_key_file: Option<PathBuf>,
    /// Command that prints it.
    #[serde(deserialize_with = "unless_empty")]
    pub bedrock_api_key_command: Option<String>,
    /// `CLAUDE_CODE_USE_BEDROCK`
    pub use_bedrock: bool,
    /// `AWS_REGION` for Bedrock.
    #[serde(deserialize_with = "unless_empty")]
    pub aws_region: Option<String>,
    /// `ANTHROPIC_BASE_URL`
    #[serde(deserialize_with = "url")]
    pub base_url: Option<String>,
}

/// `[screen]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Screen {
    /// Clicks and the wheel go to the screen; one key gives them back to the terminal.
    pub mouse: bool,
    /// Borders and marks are plain ASCII.
    pub ascii: bool,
    /// Nothing moves by itself: for screen readers and slow lines.
    pub still: bool,
    /// What the colours are for.
    pub background: Background,
}

impl Default for Screen {
    fn default() -> Self {
        Self { mouse: true, ascii: false, still: false, background: Background::Auto }
    }
}

/// What the screen's colours are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// What the terminal says.
    #[default]
    Auto,
    /// Light letters on dark.
    Dark,
    /// Dark letters on light.
    Light,
}

/// What `config show` prints in place of a key.
fn hidden<S: Serializer>(secret: &Option<SecretString>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(if secret.is_some() { "(set, not shown)" } else { "" })
}
