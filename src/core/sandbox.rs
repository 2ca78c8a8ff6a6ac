//! What a sandbox is made from and what is known of one: the original system's types by their names, with checks.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Problems, SandboxId, ids};

/// Where the workspace lies in every sandbox, and what commands and Claude start in.
pub const WORKSPACE: &str = "/mnt/workspace";

/// Where an S3 mount lies unless its configuration says otherwise.
pub const S3_MOUNT: &str = "/mnt/s3-bucket";

/// The local engine's own base: this machine's programs, without its files.
pub const HOST_IMAGE: &str = "host";

/// Modal refuses more characters than this in all Dockerfile lines of a layer together only by its message size; a
/// line of a megabyte is a mistake, and is better told before an upload.
const MAX_COMMAND: usize = 1 << 20;

/// What the root file system of a sandbox is built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// The reference after `FROM`: `debian:bookworm-slim`, or `host` on the local engine.
    pub base_image: String,
    /// Dockerfile lines that follow it (`RUN …`, `ENV …`, `WORKDIR …`), one instruction each.
    #[serde(default)]
    pub dockerfile_commands: Vec<String>,
}

impl Default for ImageConfig {
    fn default() -> Self {
        Self { base_image: HOST_IMAGE.to_owned(), dockerfile_commands: Vec::new() }
    }
}

impl ImageConfig {
    fn check(&self, problems: &mut Problems) {
        let base = self.base_image.as_str();
        if base.is_empty() || base.len() > 512 || base.contains(char::is_whitespace) || base.contains(char::is_control)
        {
            problems.add("image.base_image", "must be one image reference, such as debian:bookworm-slim or host");
        }
        for (i, line) in self.dockerfile_commands.iter().enumerate() {
            let field = format!("image.dockerfile_commands[{i}]");
            let word = line.split_whitespace().next().unwrap_or_default();
            if line.len() > MAX_COMMAND || line.contains('\0') {
                problems.add(field, "must be text of at most 1 MiB without NUL");
            } else if word.eq_ignore_ascii_case("FROM") {
                problems.add(field, "must not be FROM: the base image has a field of its own");
            } else if word.is_empty() || !word.bytes().all(|b| b.is_ascii_alphabetic()) {
                problems.add(field, "must begin with a Dockerfile instruction, such as RUN, ENV or WORKDIR");
            }
        }
    }
}

/// A bucket (or a folder of one) mounted into the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3MountConfig {
    /// The bucket.
    pub bucket_name: String,
    /// The Modal secret with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub secret_name: String,
    /// Only keys below this prefix are seen; Modal wants it to end in `/`.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Absolute path in the sandbox.
    #[serde(default = "s3_mount")]
    pub mount_path: String,
    /// Writes are refused.
    #[serde(default = "yes")]
    pub read_only: bool,
    /// One version's folder instead of the whole prefix (Unix seconds).
    #[serde(default)]
    pub timestamp: Option<u64>,
}

fn s3_mount() -> String {
    S3_MOUNT.to_owned()
}

fn yes() -> bool {
    true
}

impl S3MountConfig {
    fn check(&self, problems: &mut Problems) {
        let bucket = self.bucket_name.as_str();
        if !(3..=63).contains(&bucket.len())
            || !bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        {
            problems.add("s3_config.bucket_name", "must be 3 to 63 of lower-case letters, digits, '-' and '.'");
        }
        problems.check("s3_config.secret_name", ids::name(&self.secret_name, 64));
        problems.check("s3_config.mount_path", absolute(&self.mount_path));
        if self.key_prefix.as_deref().is_some_and(|p| !p.ends_with('/') || p.starts_with('/')) {
            problems.add("s3_config.key_prefix", "must end in '/' and not begin with one");
        }
    }
}

/// Everything that is needed to start a sandbox of an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxConfig {
    /// Whose sandbox it is.
    pub account_id: AccountId,
    /// Its root file system.
    #[serde(default)]
    pub image: ImageConfig,
    /// The workspace's volume; `volume-{account}` when absent.
    #[serde(default)]
    pub volume_name: Option<String>,
    /// Where the workspace is mounted.
    #[serde(default = "workspace")]
    pub volume_mount_path: String,
    /// A bucket beside it.
    #[serde(default)]
    pub s3_config: Option<S3MountConfig>,
    /// Where commands start; the workspace when absent.
    #[serde(default)]
    pub workdir: Option<String>,
    /// Names of Modal secrets whose keys become environment variables.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Plain environment variables.
    #[serde(default)]
    pub environment_vars: BTreeMap<String, String>,
}

fn workspace() -> String {
    WORKSPACE.to_owned()
}

/// Values of environment variables are left out: people put keys there.
impl fmt::Debug for SandboxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxConfig")
            .field("account_id", &self.account_id)
            .field("image", &self.image)
            .field("volume_name", &self.volume_name)
            .field("volume_mount_path", &self.volume_mount_path)
            .field("s3_config", &self.s3_config)
            .field("workdir", &self.workdir)
            .field("secrets", &self.secrets)
            .field("environment_vars", &self.environment_vars.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl SandboxConfig {
    /// The defaults for an account: its volume at [`WORKSPACE`], the host image, nothing else.
    pub fn new(account_id: AccountId) -> Self {
        Self {
            account_id,
            image: ImageConfig::default(),
            volume_name: None,
            volume_mount_path: workspace(),
            s3_config: None,
            workdir: None,
            secrets: Vec::new(),
            environment_vars: BTreeMap::new(),
        }
    }

    /// The volume that holds the workspace.
    pub fn volume(&self) -> String {
        self.volume_name.clone().unwrap_or_else(|| self.account_id.volume())
    }

    /// Where commands start.
    pub fn workdir(&self) -> &str {
        self.workdir.as_deref().unwrap_or(&self.volume_mount_path)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// All fields that can't be taken, each with what is allowed.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        self.image.check(&mut problems);
        if let Some(name) = &self.volume_name {
            problems.check("volume_name", ids::name(name, 64));
        }
        problems.check("volume_mount_path", absolute(&self.volume_mount_path));
        if let Some(path) = &self.workdir {
            problems.check("workdir", absolute(path));
        }
        if let Some(s3) = &self.s3_config {
            s3.check(&mut problems);
            if s3.mount_path == self.volume_mount_path {
                problems.add("s3_config.mount_path", "must differ from volume_mount_path");
            }
        }
        for (i, name) in self.secrets.iter().enumerate() {
            problems.check(&format!("secrets[{i}]"), ids::name(name, 64));
        }
        for (key, value) in &self.environment_vars {
            let mut bytes = key.bytes();
            let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                problems.add(
                    format!("environment_vars.{}", key.escape_debug()),
                    "must be a letter or '_', then letters, digits or '_'",
                );
            } else if value.contains('\0') {
                problems.add(format!("environment_vars.{key}"), "its value must not contain NUL");
            }
        }
        problems.into_result()
    }
}

/// Checks a path in a sandbox: absolute, without `.` or `..` as a step, no control characters, not the root.
pub fn absolute(path: &str) -> Result<(), String> {
    if !path.starts_with('/') || path == "/" {
        return Err("must be an absolute path below /".to_owned());
    }
    if path.contains(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    if path.split('/').any(|step| step == "." || step == "..") {
        return Err("must not contain . or .. as a step".to_owned());
    }
    Ok(())
}

/// Which place a sandbox runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// The engine on this machine.
    Local,
    /// Modal.
    Modal,
}

/// What a sandbox is doing. The original knew running, terminated and error; Modal can also still be starting one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxStatus {
    /// Asked for, not yet started: the image is being built or the container scheduled.
    Pending,
    /// It runs.
    Running,
    /// It has ended, by whatever cause; `SandboxInfo::reason` says which.
    Terminated,
    /// It could not be started, or its state can't be told.
    Error,
}

impl SandboxStatus {
    /// Nothing runs in it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Terminated | Self::Error)
    }
}

impl fmt::Display for SandboxStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Terminated => "terminated",
            Self::Error => "error",
        })
    }
}

/// What is known of one sandbox; the keys that scripts rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxInfo {
    /// Modal's id for it.
    pub sandbox_id: SandboxId,
    /// The name the user gave, or one made for them.
    pub name: String,
    /// Whose it is.
    pub account_id: AccountId,
    /// What it is doing.
    pub status: SandboxStatus,
    /// The base image's name.
    pub image: String,
    /// Where it runs.
    pub backend: Backend,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Why it ended or failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SandboxConfig {
        SandboxConfig::new(AccountId::new("default").unwrap())
    }

    #[test]
    fn the_defaults_are_valid_and_name_the_accounts_volume() {
        let config = config();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.volume(), "volume-default");
        assert_eq!(config.workdir(), WORKSPACE);
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let mut bad = config();
        bad.image.base_image = "two words".into();
        bad.image.dockerfile_commands = vec!["RUN true".into(), "from x".into(), "&& y".into()];
        bad.volume_name = Some("a/b".into());
        bad.volume_mount_path = "/mnt/../etc".into();
        bad.workdir = Some("relative".into());
        bad.secrets = vec!["ok".into(), "\u{7}".into()];
        bad.environment_vars.insert("1X".into(), String::new());
        let fields: Vec<_> = bad.validate().unwrap_err().0.into_iter().map(|p| p.field).collect();
        assert_eq!(
            fields,
            [
                "image.base_image",
                "image.dockerfile_commands[1]",
                "image.dockerfile_commands[2]",
                "volume_name",
                "volume_mount_path",
                "workdir",
                "secrets[1]",
                "environment_vars.1X",
            ]
        );
    }

    #[test]
    fn a_bucket_mount_is_checked() {
        let mut bad = config();
        bad.s3_config = Some(S3MountConfig {
            bucket_name: "NO".into(),
            secret_name: String::new(),
            key_prefix: Some("/x".into()),
            mount_path: WORKSPACE.into(),
            read_only: true,
            timestamp: None,
        });
        assert_eq!(bad.validate().unwrap_err().0.len(), 4);
    }

    #[test]
    fn debug_output_holds_no_values_of_variables() {
        let mut config = config();
        config.environment_vars.insert("KEY".into(), "hunter2".into());
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
