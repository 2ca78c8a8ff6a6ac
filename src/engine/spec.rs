//! What the engine tells a keeper: the words between `grpc`, `images`, `keeper` and `jail`. Plain data.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// How ids of the host appear inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdMode {
    /// The engine runs as root: 65,536 ids from a free range, never 0 → 0.
    Range,
    /// An ordinary user with a range in `/etc/subuid`: 0 → the user, 1… → the range, by `newuidmap`.
    Subuid,
    /// An ordinary user without one: 0 → the user, and `chown` pretends to work.
    Single,
}

/// One line of a uid or gid map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// First id inside.
    pub inside: u32,
    /// First id on the host.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// The map that all sandboxes, layers and volumes of a data dir share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// How it came about.
    pub mode: IdMode,
    /// Lines for users.
    pub uids: Vec<IdRange>,
    /// Lines for groups.
    pub gids: Vec<IdRange>,
}

/// One overlay mount of a sandbox's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// Where it is mounted inside: `/` or `/usr`.
    pub target: String,
    /// Read-only layers, topmost first.
    pub lowers: Vec<PathBuf>,
    /// What this sandbox writes.
    pub upper: PathBuf,
    /// overlayfs' own scratch folder, on the file system of `upper`.
    pub work: PathBuf,
}

/// One bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// File or folder of the host.
    pub source: PathBuf,
    /// Where it appears; made if missing.
    pub target: String,
    /// Writes are refused with EROFS.
    pub read_only: bool,
}

/// Everything that makes a sandbox's file system. `/proc`, `/dev`, `/tmp`, `/run` and `/sys` are the jail's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The overlay for `/` first, then those below it.
    pub overlays: Vec<Overlay>,
    /// Volumes, mounts and single files, in order.
    pub binds: Vec<Bind>,
    /// Symbolic links made before start if nothing is there: (path inside, target).
    pub links: Vec<(String, String)>,
}

/// What a sandbox may use. Zero means the engine's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Thousandths of a core.
    pub milli_cpu: u64,
    /// Seconds from start until the sandbox is ended with [`End::Timeout`].
    pub timeout_secs: u64,
    /// Bytes of output kept for one exec.
    pub exec_log: u64,
    /// Bytes of output kept for all execs together.
    pub sandbox_log: u64,
    /// Free bytes on the data dir's disk below which output is no longer taken (its writers wait); the default is by the
    /// disk's size.
    #[serde(default)]
    pub disk_floor: u64,
}

/// What the sandbox may reach. It has a network namespace with loopback alone; these listeners are made inside it
/// by the keeper and served by the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Network {
    /// Port of the HTTP proxy on 127.0.0.1 inside; absent when all network is blocked.
    pub proxy_port: Option<u16>,
    /// Ports on 127.0.0.1 inside that lead to the same port of the host's loopback (the store).
    pub forwards: Vec<u16>,
}

/// A sandbox as its keeper starts it: `DIR/spec.json`. No environment in it (keys would lie on disk): that comes
/// through a pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Modal's id.
    pub sandbox_id: String,
    /// Id of its one task.
    pub task_id: String,
    /// Host name inside.
    pub hostname: String,
    /// Its file system.
    pub root: Root,
    /// Its ids.
    pub ids: IdMap,
    /// Its limits.
    pub limits: Limits,
    /// Its network.
    pub network: Network,
    /// argv of the first command; empty: the sandbox stays up until it is ended.
    pub entrypoint: Vec<String>,
    /// Where commands start unless they say otherwise.
    pub workdir: String,
}

/// A command to run in a sandbox. Its environment is complete: nothing is added but what the jail itself must set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Chosen by the client; the same id starts once.
    pub exec_id: String,
    /// argv.
    pub command: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Absolute folder; the sandbox's own when absent.
    pub workdir: Option<String>,
    /// Rows and columns of a terminal; pipes when absent.
    pub pty: Option<(u16, u16)>,
    /// Seconds until SIGKILL.
    pub timeout_secs: Option<u64>,
    /// Keep standard output (false: /dev/null).
    pub stdout: bool,
    /// Keep standard error (false: /dev/null).
    pub stderr: bool,
    /// Make a listening socket for this exec's keys, visible to it under [`ExecSpec::key_socket_path`].
    pub key_socket: bool,
}

impl ExecSpec {
    /// Where the exec finds its key socket, inside.
    pub fn key_socket_path(exec_id: &str) -> String {
        format!("/run/sandbank/{exec_id}.sock")
    }
}

/// What a listening socket is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerName {
    /// The sandbox's HTTP proxy.
    Proxy,
    /// A forward to this port of the host's loopback.
    Forward(u16),
    /// The keys of this exec.
    Keys(String),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecEnd {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// How a sandbox ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum End {
    /// Its first command ended.
    Exited {
        /// Its exit code, 128 + n for signal n.
        code: i32,
    },
    /// Somebody ended it.
    Terminated,
    /// Its time was over.
    Timeout,
    /// It used more memory than it may.
    OutOfMemory,
    /// It could not be started.
    Failed {
        /// What failed, on what, and what to do.
        reason: String,
    },
    /// Its keeper is gone without a word (killed, or the machine stopped).
    Lost,
}
