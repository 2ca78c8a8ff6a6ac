//! Mounts: sets of files that clients send, kept by their SHA-256 and shown read-only in sandboxes.

use std::{
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tonic::Status;

use super::blobs;
use crate::{
    engine::{
        Shared, names, random,
        spec::Bind,
        state::{State, now},
    },
    proto::client::{
        MountBatchedCheckExistenceRequest, MountBatchedCheckExistenceResponse, MountGetOrCreateRequest,
        MountGetOrCreateResponse, MountHandleMetadata, MountPutFileRequest, MountPutFileResponse,
        mount_put_file_request::DataOneof,
    },
};

/// Files in one mount: each is a mount of its own in the sandbox, and the kernel holds 100,000 of them for all.
const FILES_MAX: usize = 5_000;

/// Mode of a file that isn't run.
const PLAIN: u32 = 0o444;

/// All mounts of a data dir.
#[derive(Debug)]
pub struct Mounts {
    state: State,
    dir: PathBuf,
}

/// One file of a mount.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    target: String,
    sha256: String,
    executable: bool,
}

impl Mounts {
    /// Mounts whose files lie in `dir`.
    pub fn new(state: State, dir: PathBuf) -> Self {
        Self { state, dir }
    }

    /// Read-only binds of a mount's files.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub async fn binds(&self, mount_id: &str) -> Result<Vec<Bind>, Status> {
        let id = mount_id.to_owned();
        let sql = "SELECT files FROM mounts WHERE mount_id = ?1";
        let read = move |db: &mut Connection| {
            let files: Option<String> = db.query_row(sql, [id], |row| row.get(0)).optional()?;
            Ok(files.map(|f| serde_json::from_str::<Vec<File>>(&f)).transpose()?)
        };
        let files = self.state.call(read).await?.ok_or_else(|| names::missing("mount", mount_id))?;
        let bind = |f: File| Bind { source: self.path(&f.sha256, f.executable), target: f.target, read_only: true };
        Ok(files.into_iter().map(bind).collect())
    }

    /// Where the bytes of a digest lie. The mode is the file's own, so a file that is also run has a second copy.
    fn path(&self, sha256: &str, executable: bool) -> PathBuf {
        self.dir.join(if executable { format!("{sha256}.x") } else { sha256.to_owned() })
    }

    fn has(&self, sha256: &str) -> bool {
        self.path(sha256, false).exists()
    }

    /// Keeps the bytes of `from` if they have this digest.
    fn take(&self, sha256: &str, mut from: impl io::Read) -> io::Result<bool> {
        self.keep(&self.path(sha256, false), |new| {
            let mut file = create(new, PLAIN)?;
            let fits = copy(&mut from, &mut file)? == sha256;
            file.sync_all().map(|()| fits)
        })
    }

    /// Keeps a file that is on the same disk if it has this digest. It is moved: a large one shall not need twice the
    /// room. Before it is looked at, so that nothing can take its place afterwards.
    fn adopt(&self, sha256: &str, from: &Path) -> io::Result<bool> {
        self.keep(&self.path(sha256, false), |new| {
            std::fs::rename(from, new)?;
            let mut file = std::fs::File::open(new)?;
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(PLAIN))?;
            Ok(copy(&mut file, io::sink())? == sha256)
        })
    }

    /// The copy that may be run.
    fn make_executable(&self, sha256: &str) -> io::Result<()> {
        let path = self.path(sha256, true);
        if path.exists() {
            return Ok(());
        }
        let made = self.keep(&path, |new| {
            let mut file = create(new, 0o555)?;
            io::copy(&mut std::fs::File::open(self.path(sha256, false))?, &mut file).map(|_| true)
        });
        made.map(drop)
    }

    /// Makes a file under a name of its own, and shows it when it is right; else nothing is left of it.
    fn keep(&self, path: &Path, make: impl FnOnce(&Path) -> io::Result<bool>) -> io::Result<bool> {
        let new = self.dir.join(random::id("new", 22)?);
        match make(&new) {
            Ok(true) => std::fs::rename(&new, path).map(|()| true),
            other => {
                let _ = std::fs::remove_file(&new);
                other
            }
        }
    }
}

/// Copies everything; its SHA-256.
fn copy(from: &mut impl io::Read, to: impl io::Write) -> io::Result<String> {
    let mut hashing = Hashing { to, hash: Sha256::new() };
    io::copy(from, &mut hashing)?;
    Ok(hex::encode(hashing.hash.finalize()))
}

/// A file that every id of a sandbox may read: its owner is nobody there.
fn create(path: &Path, mode: u32) -> io::Result<std::fs::File> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    Ok(file)
}

struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: io::Write> io::Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// MountBatchedCheckExistence: which of these are not there?
pub async fn check(
    shared: Arc<Shared>,
    request: MountBatchedCheckExistenceRequest,
) -> Result<MountBatchedCheckExistenceResponse, Status> {
    request.sha256_hex_hashes.iter().try_for_each(|d| digest(d))?;
    let missing = request.sha256_hex_hashes.into_iter().filter(|d| !shared.mounts.has(d)).collect();
    Ok(MountBatchedCheckExistenceResponse {
        missing_sha256_hex_hashes: missing,
        checked_at: Some(std::time::SystemTime::now().into()),
    })
}

/// MountPutFile: asks for a digest, or brings its bytes.
pub async fn put(shared: Arc<Shared>, request: MountPutFileRequest) -> Result<MountPutFileResponse, Status> {
    digest(&request.sha256_hex)?;
    let sha256 = request.sha256_hex;
    let checked_at = Some(std::time::SystemTime::now().into());
    if shared.mounts.has(&sha256) {
        return Ok(MountPutFileResponse { exists: true, checked_at });
    }
    let blob = match &request.data_oneof {
        None => return Ok(MountPutFileResponse { exists: false, checked_at }),
        Some(DataOneof::DataBlobId(id)) => Some(blobs::path(&shared, id).await?),
        Some(DataOneof::Data(_)) => None,
    };
    let work = Arc::clone(&shared);
    let want = sha256.clone();
    let take = move || match (request.data_oneof, blob) {
        (Some(DataOneof::Data(bytes)), _) => work.mounts.take(&want, &*bytes),
        (_, Some(path)) => work.mounts.adopt(&want, &path),
        _ => Ok(false),
    };
    let fits = tokio::task::spawn_blocking(take).await.map_err(|e| Status::internal(e.to_string()))??;
    if !fits {
        return Err(Status::invalid_argument(format!("the bytes sent do not have the SHA-256 {sha256}")));
    }
    Ok(MountPutFileResponse { exists: true, checked_at })
}

/// MountGetOrCreate: equal lists of files are one mount.
pub async fn get_or_create(
    shared: Arc<Shared>,
    request: MountGetOrCreateRequest,
) -> Result<MountGetOrCreateResponse, Status> {
    if request.files.is_empty() && !request.deployment_name.is_empty() {
        return Err(names::missing("mount", &request.deployment_name));
    }
    if request.files.len() > FILES_MAX {
        return Err(Status::invalid_argument(format!(
            "a mount of {} files is too large for the local engine: it takes up to {FILES_MAX}; put them on a volume",
            request.files.len()
        )));
    }
    let mut files = Vec::with_capacity(request.files.len());
    for file in request.files {
        digest(&file.sha256_hex)?;
        if !file.filename.starts_with('/') || file.filename.split('/').any(|part| part == "..") {
            return Err(Status::invalid_argument(format!("{:?} is not an absolute path", file.filename)));
        }
        if !shared.mounts.has(&file.sha256_hex) {
            return Err(Status::failed_precondition(format!("the bytes of {} were not sent", file.filename)));
        }
        let executable = file.mode.unwrap_or(0) & 0o111 != 0;
        if executable {
            shared.mounts.make_executable(&file.sha256_hex)?;
        }
        files.push(File { target: file.filename, sha256: file.sha256_hex, executable });
    }
    files.sort_by(|a, b| a.target.cmp(&b.target));
    let json = serde_json::to_string(&files).map_err(|e| Status::internal(e.to_string()))?;
    let checksum = hex::encode(Sha256::digest(&json));
    let (id, key) = (random::id("mo", 22)?, checksum.clone());
    let find_or_make = move |db: &mut Connection| {
        let sql = "INSERT INTO mounts VALUES (?1, ?2, ?3, ?4) ON CONFLICT (digest) DO NOTHING";
        db.execute(sql, (id, &key, json, now()))?;
        Ok(db.query_row("SELECT mount_id FROM mounts WHERE digest = ?1", [&key], |row| row.get(0))?)
    };
    let mount_id = shared.state.call(find_or_make).await?;
    let handle_metadata = Some(MountHandleMetadata { content_checksum_sha256_hex: checksum });
    Ok(MountGetOrCreateResponse { mount_id, handle_metadata })
}

/// A digest becomes a file's name, so it must be one.
fn digest(text: &str) -> Result<(), Status> {
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(Status::invalid_argument("a SHA-256 has 64 hexadecimal digits in lower case"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_with_their_digest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("engine.db")).unwrap();
        let mounts = Mounts::new(state, dir.path().to_owned());
        let right = hex::encode(Sha256::digest(b"right"));
        assert!(!mounts.take(&right, &b"wrong"[..]).unwrap());
        assert!(!mounts.has(&right));
        assert!(mounts.take(&right, &b"right"[..]).unwrap());
        assert_eq!(std::fs::read(mounts.path(&right, false)).unwrap(), b"right");
        let blob = dir.path().join("blob");
        std::fs::write(&blob, "large").unwrap();
        assert!(!mounts.adopt(&right, &blob).unwrap() && !blob.exists());
        std::fs::write(&blob, "large").unwrap();
        let large = hex::encode(Sha256::digest(b"large"));
        assert!(mounts.adopt(&large, &blob).unwrap() && !blob.exists());
        let mode = std::fs::metadata(mounts.path(&large, false)).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, PLAIN);
        mounts.make_executable(&right).unwrap();
        let mode = std::fs::metadata(mounts.path(&right, true)).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o555);
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("new-")), "{left:?}");
    }

    #[test]
    fn a_digest_names_no_path() {
        for bad in ["", "../../etc/passwd", &"A".repeat(64), &"a".repeat(63), &format!("{}/", "a".repeat(63))] {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }
}
