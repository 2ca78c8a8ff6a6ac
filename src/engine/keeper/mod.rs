//! The keeper: one small process for each sandbox, `engine keep DIR`, parent of the jail's first process.
//!
//! It holds terminals and pipes, writes output logs and exit codes to files, and answers any engine that connects, so
//! that a server can die or be replaced while sandboxes run. No tokio, one thread. If it is killed its sandbox ends.
//!
//! ```text
//! of the keeper                          of the engine
//! serve    the loop, the sandbox's end   client      a handle: every call, output as a stream
//! execs    all commands                  connection  one question and its answer
//! exec     one: its pipes or terminal    reap        what is left when a keeper is gone
//! line     the engines' connections      error       why a call failed
//! waiting  their open questions
//! poll     one poll                      of both
//! disk     room for output               wire words  files the folder  logs output
//! ```

pub mod client;
mod connection;
mod disk;
mod error;
mod exec;
mod execs;
pub mod files;
mod line;
pub mod logs;
mod poll;
mod reap;
mod serve;
mod waiting;
pub mod wire;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

pub use client::{KeeperHandle, Listener, StdinStatus};
pub use error::KeeperError;
use rustix::{
    fs::{FlockOperation, Mode, flock},
    process::{setsid, umask},
};
pub use wire::{ENTRYPOINT, OutputFd, Stats};

use self::{files::Folder, serve::Keeper, wire::Started};
use crate::engine::{
    jail::{self, Jail, limits},
    json_file,
    spec::{End, SandboxSpec},
};

/// `engine keep DIR`: the environment of the first command comes as JSON on standard input; one [`Started`] goes to
/// standard output, then the process leaves its starter and lives as long as the sandbox.
pub fn main(args: &[OsString]) -> ExitCode {
    let [dir] = args else { return ExitCode::from(2) };
    let dir = PathBuf::from(dir);
    match start(&dir) {
        Ok(keeper) => {
            say(&Started::Ready);
            keeper.serve();
            ExitCode::SUCCESS
        }
        Err(reason) => {
            let _ = json_file::write(&dir.join(files::END), &End::Failed { reason: reason.clone() });
            let _ = fs::remove_dir_all(dir.join(files::KEYS));
            let _ = fs::remove_file(dir.join(files::SOCKET));
            say(&Started::Failed(reason));
            ExitCode::FAILURE
        }
    }
}

fn start(dir: &Path) -> Result<Keeper, String> {
    let say = |what: &'static str| move |e: io::Error| format!("cannot {what} ({}): {e}", dir.display());
    // Fails only for a leader of a group, which then is no part of its starter's terminal either.
    let _ = setsid();
    umask(Mode::from_raw_mode(0o077));
    let signals = jail::leave_starter().map_err(say("leave the engine"))?;
    let mut env = Vec::new();
    io::stdin().read_to_end(&mut env).map_err(say("read the sandbox's environment"))?;
    let env: BTreeMap<String, String> =
        serde_json::from_slice(&env).map_err(|e| format!("the sandbox's environment is not JSON: {e}"))?;
    let folder = Folder::open(dir).map_err(say("open the sandbox's folder"))?;
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join(files::LOCK));
    let lock = lock.map_err(say("make the sandbox's lock"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| format!("{} has a keeper already", dir.display()))?;
    // Held by the process, not by anything in it.
    std::mem::forget(lock);
    let spec: Option<SandboxSpec> = json_file::read(&dir.join(files::SPEC)).map_err(say("read the sandbox's spec"))?;
    let mut spec = spec.ok_or_else(|| format!("{} has no {}", dir.display(), files::SPEC))?;
    spec.limits = limits::with_defaults(spec.limits);
    jail::no_core_dumps().map_err(say("forbid core dumps"))?;
    jail::many_descriptors().map_err(say("have enough descriptors"))?;
    let keys = dir.join(files::KEYS);
    fs::DirBuilder::new().mode(0o755).create(&keys).map_err(say("make the folder of its keys"))?;
    // The mask took what the sandbox's users need to walk it; the folder above is closed to others.
    fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .map_err(say("open the folder of its keys"))?;
    let jail = Jail::start(dir, &keys, &spec)?;
    let listener = folder.listen(files::SOCKET).map_err(say("make the keeper's socket"))?;
    let starts = !spec.entrypoint.is_empty();
    let mut keeper = Keeper::new(folder, spec, jail, signals, listener);
    if starts {
        keeper.start_entrypoint(env)?;
    }
    Ok(keeper)
}

/// Tells the starter and lets go of its pipe.
fn say(started: &Started) {
    if let (Ok(json), Ok(mut pipe)) = (serde_json::to_vec(started), jail::take_stdout()) {
        // A starter that is gone finds out from the folder.
        let _ = pipe.write_all(&json);
    }
}
