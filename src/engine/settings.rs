//! What the engine is started with: a plain struct, so that it shares nothing with the rest of the program.

use std::{collections::BTreeMap, path::PathBuf};

/// Settings of one engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Everything that it keeps; 0700, its parent is there.
    pub dir: PathBuf,
    /// The user's cache folder, shared by data dirs: id range, skeleton layers.
    pub cache: PathBuf,
    /// The data dir as a whole, for the note of its id range and its owner.
    pub data_dir: PathBuf,
    /// The binary that is started as keeper and helper.
    pub program: PathBuf,
    /// Loopback port of Modal's protocol; 0: a free one, chosen once and kept in `dir`.
    pub modal_port: u16,
    /// Loopback port of the store; 0: a free one, chosen once and kept in `dir`.
    pub s3_port: u16,
    /// Bucket that is made at start.
    pub bucket: String,
    /// Image names that mean another one.
    pub stand_ins: BTreeMap<String, String>,
    /// More folders that every sandbox sees, read-only.
    pub extra: Vec<PathBuf>,
    /// The Claude CLI that sandboxes get at `/opt/claude`.
    pub claude: Option<PathBuf>,
    /// Free bytes on the disk below which nothing is started and no output is taken; 0: by the disk's size.
    pub disk_floor: u64,
    /// Variables of an exec that never enter a sandbox: the proxy puts them into requests to the API.
    pub withhold: Vec<String>,
}

/// Where the engine listens, and what it asks callers for. Made once for a data dir.
#[derive(Clone)]
pub struct Access {
    /// `http://127.0.0.1:PORT`
    pub modal_url: String,
    /// `ak-…`
    pub token_id: String,
    /// `as-…`
    pub token_secret: String,
    /// `http://127.0.0.1:PORT`
    pub s3_url: String,
    /// S3 key's id.
    pub access_key_id: String,
    /// S3 key's secret.
    pub secret_access_key: String,
    /// The region that requests are signed for.
    pub region: String,
}

/// Secrets are not shown.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("modal_url", &self.modal_url).field("s3_url", &self.s3_url).finish()
    }
}
