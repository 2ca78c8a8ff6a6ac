//! The engine's S3 store: the protocol by `s3s`, behind a guard; rows in SQLite, large contents in files.
//!
//! What was answered with 200 is on disk. Keys are rows, never paths, so that every key of 1,024 bytes works, `a` can
//! stand beside `a/b`, and `..` is a name as any other. Equal content is kept once; a copy is a row.
//!
//! ```text
//! DIR/index.db     buckets, objects, uploads, contents up to 64 KiB
//! DIR/blobs/ab/…   larger contents
//! DIR/lock         one process owns the store
//! ```
//!
//! A request goes `serve` → `guard` → s3s → `api` → an operation (`buckets`, `objects`, `read`, `list`, `multipart`).
//! Operations take and send bytes by `body` and change rows (`rows`, `uploads`, `blobs`) through `index`.

mod api;
mod blobs;
mod body;
mod buckets;
mod fault;
mod files;
mod guard;
mod index;
mod list;
mod multipart;
mod numbers;
mod objects;
mod read;
mod rows;
mod serve;
mod sums;
mod uploads;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::FlockOperation;
use s3s::{
    S3Error, S3Result,
    auth::{S3Auth, SecretKey},
    path::check_bucket_name,
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{net::TcpListener, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use self::{fault::Fault, files::Files, index::Index, serve::Outside};

/// Bytes of the disk that the store leaves free: deleting needs room too (the index's log), and the engine's and the
/// server's databases lie on the same disk.
pub const RESERVE: u64 = 256 << 20;

/// What a store is opened with.
#[derive(Clone)]
pub struct Settings {
    /// Its folder; made if missing (its parent is not).
    pub dir: PathBuf,
    /// The one key's id.
    pub access_key_id: String,
    /// The one key's secret.
    pub secret_access_key: String,
    /// The region that it says it is in.
    pub region: String,
}

/// Secrets are not shown.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("dir", &self.dir).field("region", &self.region).finish_non_exhaustive()
    }
}

/// What the operations work on.
struct Api {
    index: Index,
    files: Files,
    region: Box<str>,
}

/// A store that is open. Its folder is free again when this and its connections are dropped.
pub struct Store {
    api: Arc<Api>,
    service: S3Service,
    outside: Arc<Outside>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens, or makes, a store; removes what a crash left.
    ///
    /// # Errors
    /// A sentence with what to do: another process owns the folder, it can't be written, its format is newer.
    pub async fn open(settings: Settings) -> Result<Self, String> {
        Self::open_with_reserve(settings, RESERVE).await
    }

    /// Like [`Self::open`], with another number of bytes that stay free on the disk than [`RESERVE`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_with_reserve(settings: Settings, reserve: u64) -> Result<Self, String> {
        let Settings { dir, access_key_id, secret_access_key, region } = settings;
        let shown = dir.display().to_string();
        let opened = spawn_blocking(move || open(&dir, reserve)).await.map_err(|e| e.to_string())?;
        let (index, files) = opened.map_err(|fault| match fault {
            Fault::Io(e) if e.kind() == io::ErrorKind::WouldBlock => {
                format!("The S3 store {shown} is open in another sandbank. Stop that one, or use another data folder.")
            }
            Fault::Io(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                format!(
                    "The S3 store {shown} can't be written ({e}). Make the folder yours, or use another data folder."
                )
            }
            fault => format!("The S3 store {shown} can't be opened: {fault}"),
        })?;
        let api = Arc::new(Api { index, files, region: region.into() });
        let mut builder = S3ServiceBuilder::new(api::Door(Arc::clone(&api)));
        builder.set_auth(Key { id: access_key_id, secret: secret_access_key.into() });
        Ok(Self { api, service: builder.build(), outside: Arc::default() })
    }

    /// Makes a bucket, unless it is there.
    ///
    /// # Errors
    /// A sentence: the name isn't one of S3's, or the disk failed.
    pub async fn make_bucket(&self, name: &str) -> Result<(), String> {
        if !check_bucket_name(name) {
            return Err(format!(
                "{name:?} can't be a bucket: use 3 to 63 small letters, digits, dots and hyphens, a letter or digit at both ends."
            ));
        }
        let made = buckets::make(&self.api, name.to_owned()).await;
        made.map(drop).map_err(|e| format!("The bucket {name} can't be made: {}", e.message().unwrap_or_default()))
    }

    /// Serves until `stop`; then requests under way have some seconds to end.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) {
        serve::serve(self.service.clone(), Arc::clone(&self.outside), listener, stop).await;
    }

    /// How much programs other than sandbank use the store now: their requests under way, or 1 if the last one ended
    /// less than a minute ago. A program is known by its user agent, which begins with `sandbank/` for ours.
    pub fn outside(&self) -> usize {
        self.outside.count()
    }
}

fn open(dir: &Path, reserve: u64) -> Result<(Index, Files), Fault> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e.into()),
        _ => {}
    }
    let lock = lock(dir)?;
    let files = Files::open(&dir.join("blobs"), reserve)?;
    let index = Index::open(dir, files.clone(), lock)?;
    Ok((index, files))
}

/// The system lets go of it when the process ends, however it ends. A process that its owner was just starting holds
/// a copy until it runs its own program, so a lock that is taken is tried again for a moment.
fn lock(dir: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join("lock"))?;
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            done => return done.map(|()| lock).map_err(Into::into),
        }
    }
}

/// A fork reaches its exec within milliseconds; a second covers a machine that is busy.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// The one key.
struct Key {
    id: String,
    secret: SecretKey,
}

#[tonic::async_trait]
impl S3Auth for Key {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.id { Ok(self.secret.clone()) } else { Err(unknown_key()) }
    }
}

fn unknown_key() -> S3Error {
    s3_error!(
        InvalidAccessKeyId,
        "This store doesn't know the access key id. `sandbank engine env` prints the right one."
    )
}
