//! A store, a workspace, and runs.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt, fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use futures::FutureExt;
use sandbank::{
    api::{
        ApiError,
        command::{Changes, Saved},
    },
    config::S3Access,
    core::{AccountId, RequestId, Version},
    engine::s3::{Settings, Store},
    service::{
        run::Run,
        versions::{Conduit, Ground, Wish, list_in, restore_on, save_on},
    },
    storage::{Bucket, Keys},
};
use tokio::{
    io::{DuplexStream, duplex},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
};
use tokio_util::sync::CancellationToken;

const KEY: (&str, &str, &str) = ("AKIATEST", "not so secret", "us-east-1");

/// The store that tests which run at the same time share; gone with the last of them.
struct Shared {
    endpoint: String,
    stop: CancellationToken,
    server: Option<thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Shared {
    fn get() -> Arc<Self> {
        static LAST: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        last.upgrade().unwrap_or_else(|| {
            // Other tests fill the same disk.
            let new = Arc::new(Self::start(0));
            *last = Arc::downgrade(&new);
            new
        })
    }

    fn start(reserve: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            dir: dir.path().join("s3"),
            access_key_id: KEY.0.into(),
            secret_access_key: KEY.1.into(),
            region: KEY.2.into(),
        };
        let (tell, told) = std::sync::mpsc::channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        // A runtime of its own: those of the tests end with them.
        let server = thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let store = Store::open_with_reserve(settings, reserve).await.unwrap();
                store.make_bucket("bank").await.unwrap();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                store.serve(listener, stopped).await;
            });
        });
        let endpoint = format!("http://{}", told.recv().unwrap());
        Self { endpoint, stop, server: Some(server), _dir: dir }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
        self.server.take().unwrap().join().unwrap();
    }
}

/// An account of its own in a store.
pub struct Place {
    pub bucket: Bucket,
    pub account: AccountId,
    _store: Arc<Shared>,
}

impl Place {
    pub async fn new() -> Self {
        Self::with(KEY.1, tokio::task::spawn_blocking(Shared::get).await.unwrap()).await
    }

    /// One that signs with another key than the store knows.
    pub async fn with_wrong_key() -> Self {
        Self::with("another secret", tokio::task::spawn_blocking(Shared::get).await.unwrap()).await
    }

    /// A store of its own, without space.
    pub async fn full() -> Self {
        // More than any disk has: the store keeps that much free for others.
        let store = tokio::task::spawn_blocking(|| Arc::new(Shared::start(1 << 60)));
        Self::with(KEY.1, store.await.unwrap()).await
    }

    async fn with(secret: &str, store: Arc<Shared>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let access = S3Access {
            bucket: "bank".into(),
            region: Some(KEY.2.into()),
            endpoint_url: Some(store.endpoint.clone()),
            profile: None,
            keys: Some((KEY.0.into(), secret.into(), None)),
        };
        let account = format!("heron-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let bucket = Bucket::new(access).await.unwrap();
        Self { bucket, account: AccountId::new(account).unwrap(), _store: store }
    }

    pub fn keys(&self) -> Keys {
        Keys::new(&self.account)
    }

    pub async fn save(&self, ground: &Ground) -> Result<Saved, ApiError> {
        save_on(&self.bucket, &self.account, ground, "", &run()).await
    }

    pub async fn restore(&self, ground: &Ground, version: &str) -> Result<Changes, ApiError> {
        restore_on(&self.bucket, &self.account, ground, wish(version), &run()).await
    }

    /// A restore that changes only what a comparison has told.
    pub async fn restore_only(&self, ground: &Ground, seen: &Changes) -> Result<Changes, ApiError> {
        let wish = Wish { expected: seen.digest.as_deref(), ..wish("latest") };
        restore_on(&self.bucket, &self.account, ground, wish, &run()).await
    }

    pub async fn compare(&self, ground: &Ground, version: &str) -> Result<Changes, ApiError> {
        restore_on(&self.bucket, &self.account, ground, Wish { dry_run: true, ..wish(version) }, &run()).await
    }

    pub async fn list(&self) -> Vec<Version> {
        list_in(&self.bucket, &self.account).await.unwrap()
    }

    /// All keys of the account.
    pub async fn objects(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut from = None;
        loop {
            let page = self.bucket.list("list", self.keys().root(), false, from).await.unwrap();
            keys.extend(page.objects.into_iter().map(|o| o.key));
            from = page.next;
            if from.is_none() {
                return keys;
            }
        }
    }
}

/// Whatever is there becomes this version.
pub fn wish(version: &str) -> Wish<'_> {
    Wish { version, dry_run: false, expected: None }
}

/// A run that nobody watches.
pub fn run() -> Run {
    watched(|_| {})
}

/// A run whose steps are told.
pub fn watched(step: impl Fn(&str) + Send + Sync + 'static) -> Run {
    Run {
        request_id: RequestId::new(),
        attempts: 1,
        cancel: CancellationToken::new(),
        progress: Arc::new(move |what, _, _| step(what)),
    }
}

/// A run that is stopped when it comes to a step, as by ctrl-c.
pub fn stopped_at(step: &'static str) -> Run {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let progress = move |what: &str, _, _| {
        if what == step {
            stop.cancel();
        }
    };
    Run { cancel, progress: Arc::new(progress), ..run() }
}

/// A folder that is a workspace.
pub struct Workspace(tempfile::TempDir);

impl Workspace {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn with(tree: &Tree) -> Self {
        let workspace = Self::new();
        workspace.write(tree);
        workspace
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The real mover on it.
    pub fn ground(&self) -> Ground {
        Ground::new(self.path().to_str().unwrap(), || async { Ok(mover()) }.boxed())
    }

    /// Empties it and makes it this tree.
    pub fn write(&self, tree: &Tree) {
        for entry in fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            match fs::symlink_metadata(&path).unwrap().is_dir() {
                true => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
        for (path, node) in &tree.0 {
            let at = self.path().join(OsStr::from_bytes(&path.join(&b'/')));
            match node {
                Node::Folder(_) => fs::create_dir(&at).unwrap(),
                Node::Link(target) => symlink(OsStr::from_bytes(target), &at).unwrap(),
                Node::File(content, mode) => {
                    fs::write(&at, content).unwrap();
                    fs::set_permissions(&at, fs::Permissions::from_mode(*mode)).unwrap();
                }
            }
        }
        for (path, node) in tree.0.iter().rev() {
            if let Node::Folder(mode) = node {
                let at = self.path().join(OsStr::from_bytes(&path.join(&b'/')));
                fs::set_permissions(&at, fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
    }

    /// What is there: path → what it is, mode, time, content or target.
    pub fn read(&self) -> Snapshot {
        let mut found = Snapshot::new();
        read(self.path(), Path::new(""), &mut found);
        found
    }
}

pub type Snapshot = BTreeMap<PathBuf, (&'static str, u32, (i64, i64), Vec<u8>)>;

fn read(root: &Path, below: &Path, found: &mut Snapshot) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        let at = root.join(&path);
        let meta = fs::symlink_metadata(&at).unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        let time = (meta.mtime(), meta.mtime_nsec());
        let what = if meta.is_dir() {
            read(root, &path, found);
            ("folder", mode, time, Vec::new())
        } else if meta.is_symlink() {
            ("link", 0, time, fs::read_link(&at).unwrap().into_os_string().into_vec())
        } else {
            ("file", mode, time, fs::read(&at).unwrap())
        };
        found.insert(path, what);
    }
}

/// The mover as a child of this process, with pipes.
pub fn mover() -> Conduit {
    let (mut child, input, output) = start_mover();
    tokio::spawn(async move { child.wait().await });
    Conduit::pipes(output, input)
}

/// The mover as a child of this process, with somebody between it and the service, who sees what it says.
pub fn mover_through<F>(between: impl FnOnce(Child, ChildStdout, DuplexStream) -> F) -> Conduit
where
    F: Future<Output = ()> + Send + 'static,
{
    let (child, input, output) = start_mover();
    let (ours, theirs) = duplex(64 << 10);
    tokio::spawn(between(child, output, theirs));
    Conduit::pipes(ours, input)
}

fn start_mover() -> (Child, ChildStdin, ChildStdout) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbank"));
    let mut child = command.args(["inside", "mover"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, input, output)
}

/// A tree by the names of its paths, so that folders come before what is in them.
#[derive(Clone, Default)]
pub struct Tree(pub BTreeMap<Vec<Vec<u8>>, Node>);

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, node) in &self.0 {
            let (what, bytes) = match node {
                Node::Folder(mode) => (format!("folder {mode:o}"), &[][..]),
                Node::File(content, mode) => (format!("file {mode:o}"), content.as_slice()),
                Node::Link(target) => ("link".to_owned(), target.as_slice()),
            };
            writeln!(f, "\"{}\" {what} \"{}\"", path.join(&b'/').escape_ascii(), bytes.escape_ascii())?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub enum Node {
    Folder(u32),
    File(Vec<u8>, u32),
    Link(Vec<u8>),
}

impl Tree {
    /// Adds a path; folders above it are made, what is in their way goes.
    pub fn put(&mut self, path: &[u8], node: Node) {
        let names: Vec<Vec<u8>> = path.split(|b| *b == b'/').map(<[u8]>::to_vec).collect();
        for i in 1..names.len() {
            let above = self.0.entry(names[..i].to_vec()).or_insert(Node::Folder(0o755));
            if !matches!(above, Node::Folder(_)) {
                *above = Node::Folder(0o755);
            }
        }
        if !matches!(node, Node::Folder(_)) {
            self.0.retain(|other, _| !(other.len() > names.len() && other.starts_with(&names)));
        }
        self.0.insert(names, node);
    }

    /// Files with a content.
    pub fn files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut tree = Self::default();
        for (path, content) in files {
            tree.put(path.as_bytes(), Node::File(content.into(), 0o644));
        }
        tree
    }
}
