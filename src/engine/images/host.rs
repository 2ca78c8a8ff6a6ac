//! The base that needs no registry: the host's own `/usr`, read-only, below a *skeleton*.
//!
//! In a user namespace an overlay over `/usr` refuses to create, remove or append, because its folders belong to an id
//! that isn't mapped. A layer above it that holds only those folders, owned by the sandboxes' root, makes create, remove
//! and replace work, as package managers do them. It takes seconds, so it is made once for a state of the host's
//! packages, kept in the user's cache folder, and shared by data dirs.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use super::skeleton;
use crate::engine::{Settings, jail, random, spec::IdMap};

/// Folder in the cache, and its lock.
const FOLDER: &str = "host";
const LOCK: &str = "lock";

/// The host base of one state of the host.
#[derive(Debug, Clone)]
pub struct Host {
    cache: PathBuf,
    program: PathBuf,
    ids: IdMap,
}

impl Host {
    /// For these settings and ids.
    pub fn new(settings: &Settings, ids: &IdMap) -> Self {
        Self { cache: settings.cache.join(FOLDER), program: settings.program.clone(), ids: ids.clone() }
    }

    /// Names the state of the host's packages, for this user, these ids and this way of making it.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{} {:?} {:?}", skeleton::VERSION, rustix::process::getuid(), self.ids));
        for file in ["/var/lib/dpkg/status", "/etc/os-release"] {
            // Hosts without dpkg have the second only.
            hash.update(fs::read(file).unwrap_or_default());
        }
        hex::encode(&hash.finalize()[..16])
    }

    /// The folder of a state; `root` and `usr` lie in it.
    pub fn folder(&self, key: &str) -> PathBuf {
        self.cache.join(key)
    }

    /// Makes it if it isn't there. `say` hears of work that takes time. Blocking; two that start at once agree by a lock.
    ///
    /// # Errors
    /// A sentence.
    pub fn ensure(&self, key: &str, say: &dyn Fn(&str)) -> Result<PathBuf, String> {
        let folder = self.folder(key);
        if folder.is_dir() {
            return Ok(folder);
        }
        if key != self.key() {
            return Err("the host's packages changed since this image was built: build it again".to_owned());
        }
        if !Path::new("/bin").is_symlink() {
            return Err("this host's /bin is not part of /usr: install `usrmerge`, or run the engine on another host \
                        (sandboxes show the host's /usr alone)"
                .to_owned());
        }
        say("preparing this machine's /usr as the base of images (once until its packages change)");
        let fail = |e: io::Error| format!("cannot prepare the host's /usr in {}: {e}", self.cache.display());
        fs::create_dir_all(&self.cache).map_err(fail)?;
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.cache.join(LOCK));
        let lock = lock.map_err(fail)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|e| fail(e.into()))?;
        if folder.is_dir() {
            return Ok(folder);
        }
        // Under the lock, what another one left half-made is nobody's.
        let left = fs::read_dir(&self.cache).map_err(fail)?.flatten().map(|e| e.path());
        let left: Vec<PathBuf> = left.filter(|p| p.extension().is_some_and(|e| e == "new")).collect();
        let left: Vec<&Path> = left.iter().map(PathBuf::as_path).collect();
        if !left.is_empty() {
            jail::remove_tree(&self.program, &self.ids, &left).map_err(fail)?;
        }
        let new = self.cache.join(format!("{}.new", random::id("base", 22).map_err(fail)?));
        jail::make_dir(&self.ids, &new).map_err(fail)?;
        let args = [OsString::from(skeleton::WORD), new.clone().into()];
        let done = jail::run_helper(&self.program, &self.ids, &args).map_err(fail)?;
        if !done.status.success() {
            return Err(fail(io::Error::other(String::from_utf8_lossy(&done.stderr).trim().to_owned())));
        }
        fs::rename(&new, &folder).map_err(fail)?;
        say("the base is ready");
        Ok(folder)
    }
}
