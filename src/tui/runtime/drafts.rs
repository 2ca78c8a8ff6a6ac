//! Drafts that were not sent: a file for each sandbox, for the user alone, always replaced as a whole.
//!
//! Several screens of one account don't destroy each other's: each writes only what was changed in it, and of two that
//! write for the same sandbox the last one's stays.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io, mem,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{task::spawn_blocking, time::timeout};

use super::whole;
use crate::core::SandboxId;

/// Drafts that are kept: more sandboxes than anybody has something to say to. Those of sandboxes that are long gone are
/// the oldest, and go first.
const MAX_DRAFTS: usize = 100;

/// Bytes of all of them, which a start reads: two of the longest prompts (7 MiB), and all that is typed by hand.
const MAX_BYTES: u64 = 16 << 20;

/// A file that a killed screen hadn't finished is removed when it is that old: no writing takes so long.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// How long the disk may keep us from ending.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The name of the draft for no sandbox; no id is like it.
const NO_SANDBOX: &str = "none";

/// A draft, and the sandbox that it is for.
pub(super) type Draft = (Option<SandboxId>, String);

/// All drafts of an account.
#[derive(Debug, Clone)]
pub(super) struct Drafts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// What is yet to be written. Only the newest of each: a disk that stands still makes nothing pile up.
    waiting: Mutex<BTreeMap<Option<SandboxId>, String>>,
    /// Held while they are written, so that no older one is written after a newer one.
    writing: Mutex<()>,
}

impl Drafts {
    /// In a folder of their own, which the first draft makes.
    pub fn new(folder: PathBuf) -> Self {
        Self(Arc::new(Inner { folder, waiting: Mutex::default(), writing: Mutex::default() }))
    }

    /// Keeps a draft beside the loop; an empty one is forgotten.
    pub fn keep(&self, sandbox: Option<SandboxId>, text: String) {
        lock(&self.0.waiting).insert(sandbox, text);
        let this = self.clone();
        spawn_blocking(move || this.write_all());
    }

    /// All is written, or the disk takes too long.
    pub async fn settled(&self) {
        let this = self.clone();
        if timeout(LAST_WORDS, spawn_blocking(move || this.write_all())).await.is_err() {
            tracing::warn!(folder = %self.0.folder.display(), "the drafts can't be written in time");
        }
    }

    /// Those that are there, newest first. What is beyond the bounds is removed.
    pub fn load(&self) -> Vec<Draft> {
        let _turn = lock(&self.0.writing);
        let mut files: Vec<_> =
            fs::read_dir(&self.0.folder).into_iter().flatten().flatten().filter_map(found).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.changed));
        let (mut drafts, mut bytes) = (Vec::new(), 0_u64);
        for file in files {
            bytes = bytes.saturating_add(file.bytes);
            let Some(sandbox) = file.sandbox else {
                if file.changed.elapsed().is_ok_and(|age| age > UNFINISHED) {
                    let _ = fs::remove_file(&file.path);
                }
                continue;
            };
            if drafts.len() == MAX_DRAFTS || bytes > MAX_BYTES {
                let _ = fs::remove_file(&file.path);
            } else if let Ok(text) = fs::read_to_string(&file.path) {
                drafts.push((sandbox, text));
            }
        }
        drafts
    }

    fn write_all(&self) {
        let _turn = lock(&self.0.writing);
        let waiting = mem::take(&mut *lock(&self.0.waiting));
        for (sandbox, text) in waiting {
            let path = self.0.folder.join(sandbox.as_ref().map_or(NO_SANDBOX, SandboxId::as_str));
            if let Err(error) = write(&path, &text) {
                tracing::warn!(%error, path = %path.display(), "a draft can't be kept");
            }
        }
    }
}

struct Found {
    path: PathBuf,
    /// Of a file that isn't finished nothing is known.
    sandbox: Option<Option<SandboxId>>,
    changed: SystemTime,
    bytes: u64,
}

fn found(entry: fs::DirEntry) -> Option<Found> {
    let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    let name = entry.file_name().into_string().ok()?;
    let sandbox = if name == NO_SANDBOX { Some(None) } else { SandboxId::new(name).ok().map(Some) };
    Some(Found { path: entry.path(), sandbox, changed: meta.modified().ok()?, bytes: meta.len() })
}

/// Keeps a draft, or forgets it when it is empty.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    }
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    whole::write(path, text.as_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn id(n: usize) -> Option<SandboxId> {
        Some(SandboxId::new(format!("sb-{n}")).unwrap())
    }

    #[tokio::test]
    async fn the_last_word_of_each_sandbox_comes_back_and_an_empty_one_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(dir.path().join("local/default"));
        assert_eq!(drafts.load(), []);
        for n in 0..200 {
            drafts.keep(id(1), format!("{n} for one"));
        }
        drafts.keep(None, "for none\nyet".into());
        drafts.keep(id(2), "sent".into());
        drafts.keep(id(2), String::new());
        drafts.settled().await;
        let mut loaded = drafts.load();
        loaded.sort();
        assert_eq!(loaded, [(None, "for none\nyet".into()), (id(1), "199 for one".into())]);
        for entry in fs::read_dir(dir.path().join("local/default")).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn old_drafts_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(dir.path().to_owned());
        for n in 0..MAX_DRAFTS + 3 {
            let path = dir.path().join(format!("sb-{n}"));
            write(&path, "a draft").unwrap();
            let age = Duration::from_secs(60 * n as u64);
            fs::File::open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
        let loaded = drafts.load();
        assert_eq!((loaded.len(), &loaded[0].0), (MAX_DRAFTS, &id(0)));
        assert!(!dir.path().join(format!("sb-{MAX_DRAFTS}")).exists());
        write(&dir.path().join("sb-0"), &"x".repeat(MAX_BYTES as usize - 7)).unwrap();
        assert_eq!(drafts.load().len(), 2, "all bytes together have a bound");
    }
}
