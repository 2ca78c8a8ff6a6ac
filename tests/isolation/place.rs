//! A machine with an engine's folder on it, and sandboxes started there.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use futures::TryStreamExt;
use sandbank::engine::{
    jail::{self, Init},
    keeper::{KeeperError, KeeperHandle, OutputFd},
    spec::{Bind, End, ExecEnd, ExecSpec, IdMap, Limits, Network, Overlay, Root, SandboxSpec},
};

#[allow(dead_code, reason = "shared with the kills")]
#[path = "../support/processes.rs"]
mod processes;
#[path = "../support/waiting.rs"]
mod waiting;

pub use processes::with as processes_with;
pub use waiting::{soon, until};

/// The program that is started as keeper.
pub fn program() -> PathBuf {
    env::var_os("SANDBANK_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_sandbank").into(), PathBuf::from)
}

/// An engine's folder with a base that holds links, an own `/etc`, and the host's `/usr` by a bind.
pub struct Place {
    dir: tempfile::TempDir,
    pub ids: IdMap,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sandbank-isolation-").tempdir().unwrap();
        for folder in ["cache", "data", "base", "scratch", "sandboxes", "outside"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let ids = jail::choose(&dir.path().join("cache"), &dir.path().join("data")).unwrap();
        let place = Self { dir, ids };
        place.furnish();
        place
    }

    fn furnish(&self) {
        let base = self.path("base");
        for folder in ["etc", "usr", "root", "home", "var", "opt", "mnt"] {
            fs::create_dir(base.join(folder)).unwrap();
        }
        for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
            if Path::new("/").join(name).exists() {
                symlink(format!("usr/{name}"), base.join(name)).unwrap();
            }
        }
        fs::write(base.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nheron:x:1000:1000::/home:/bin/sh\n")
            .unwrap();
        fs::write(base.join("etc/group"), "root:x:0:\ntty:x:5:\nheron:x:1000:\n").unwrap();
        // What an engine keeps, and what lies beside it.
        fs::write(self.path("data/access.json"), "as-the-token").unwrap();
        fs::set_permissions(self.path("data/access.json"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(self.path("outside/heron.txt"), "outside").unwrap();
    }

    /// A path of the host, in this place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What to start: nothing but a root and this test binary at `/probe`.
    pub fn spec(&self, id: &str) -> SandboxSpec {
        let scratch = self.path("scratch").join(id);
        let (upper, work) = (scratch.join("upper"), scratch.join("work"));
        fs::create_dir(&scratch).unwrap();
        for folder in [&upper, &work] {
            jail::make_dir(&self.ids, folder).unwrap();
        }
        let bind = |source: PathBuf, target: &str| Bind { source, target: target.to_string(), read_only: true };
        SandboxSpec {
            sandbox_id: format!("sb-{id}"),
            task_id: format!("ta-{id}"),
            hostname: "heron".to_string(),
            root: Root {
                overlays: vec![Overlay { target: "/".to_string(), lowers: vec![self.path("base")], upper, work }],
                binds: vec![bind("/usr".into(), "/usr"), bind(env::current_exe().unwrap(), "/probe")],
                links: Vec::new(),
            },
            ids: self.ids.clone(),
            limits: Limits::default(),
            network: Network::default(),
            entrypoint: Vec::new(),
            workdir: "/root".to_string(),
        }
    }

    /// Starts a sandbox that waits for commands.
    pub async fn start(&self, id: &str) -> Sandbox {
        self.start_spec(&self.spec(id)).await.unwrap()
    }

    pub async fn start_spec(&self, spec: &SandboxSpec) -> Result<Sandbox, KeeperError> {
        let dir = self.path("sandboxes").join(&spec.sandbox_id);
        let handle = soon("start", KeeperHandle::start(&program(), &dir, spec, &environment())).await?;
        Ok(Sandbox { handle, dir })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for dir in fs::read_dir(self.path("sandboxes")).into_iter().flatten().flatten() {
            end(&dir.path());
        }
        // What belongs to the sandboxes' ids; the folders above are ours.
        let scratch = fs::read_dir(self.path("scratch")).into_iter().flatten().flatten().map(|e| e.path());
        let trees: Vec<_> = scratch.flat_map(|s| [s.join("upper"), s.join("work")]).collect();
        let left = jail::remove_tree(&program(), &self.ids, &trees.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        if !std::thread::panicking() {
            left.unwrap();
        }
    }
}

/// Ends whatever a test left running, also one that failed.
fn end(dir: &Path) {
    let dir = dir.to_path_buf();
    let ended = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            if let Ok(handle) = KeeperHandle::attach(&dir).await {
                let _ = handle.terminate().await;
            }
            KeeperHandle::reap(&dir).await
        })
    });
    let _ = ended.join();
}

/// A running sandbox.
pub struct Sandbox {
    pub handle: KeeperHandle,
    pub dir: PathBuf,
}

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    pub end: ExecEnd,
    pub out: String,
    pub err: String,
}

impl Sandbox {
    /// Runs a shell script to its end.
    pub async fn sh(&self, script: &str) -> Done {
        let exec = sh(script);
        self.handle.exec(&exec).await.unwrap();
        self.done(&exec.exec_id).await
    }

    /// Runs a shell script that must succeed; its output.
    pub async fn ok(&self, script: &str) -> String {
        let done = self.sh(script).await;
        assert_eq!(done.end, ExecEnd::Code(0), "{script}: {done:?}");
        done.out
    }

    /// Runs one of [`crate::inside`]'s checks in the sandbox.
    pub async fn probe(&self, check: &str, env: &[(&str, String)]) {
        let name = format!("inside::{check}");
        let mut exec = command(&["/probe", &name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        exec.env.extend(env.iter().map(|(k, v)| ((*k).to_string(), v.clone())));
        self.handle.exec(&exec).await.unwrap();
        let done = self.done(&exec.exec_id).await;
        assert!(done.end == ExecEnd::Code(0) && done.out.contains("1 passed"), "{name}: {}{}", done.out, done.err);
    }

    /// Waits for a command's end and takes all of its output.
    pub async fn done(&self, exec_id: &str) -> Done {
        let read = |fd| self.handle.output(exec_id, fd, 0).try_collect::<Vec<_>>();
        let end = soon("the end of a command", self.handle.wait(exec_id)).await.unwrap();
        let (out, err) = soon("its output", async { (read(OutputFd::Out).await, read(OutputFd::Err).await) }).await;
        let text = |pieces: Vec<bytes::Bytes>| String::from_utf8_lossy(&pieces.concat()).into_owned();
        Done { end, out: text(out.unwrap()), err: text(err.unwrap()) }
    }

    /// Waits for the sandbox's end.
    pub async fn ended(&self) -> End {
        soon("the end of the sandbox", self.handle.ended()).await
    }

    /// The jail's first process, seen from the host.
    pub fn init(&self) -> Init {
        Init::read(&self.dir).unwrap().expect("a running sandbox has a first process")
    }

    /// Its keeper's process id: the parent of the first process.
    pub fn keeper(&self) -> i32 {
        parent(self.init().pid)
    }
}

fn parent(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|l| l.strip_prefix("PPid:")?.trim().parse().ok()).unwrap()
}

/// The environment that commands get.
pub fn environment() -> BTreeMap<String, String> {
    BTreeMap::from([("PATH".to_string(), "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_string())])
}

/// A command by its argv.
pub fn command(argv: &[&str]) -> ExecSpec {
    ExecSpec {
        exec_id: uuid::Uuid::new_v4().to_string(),
        command: argv.iter().map(|a| (*a).to_string()).collect(),
        env: environment(),
        workdir: None,
        pty: None,
        timeout_secs: None,
        stdout: true,
        stderr: true,
        key_socket: false,
    }
}

/// A shell script.
pub fn sh(script: &str) -> ExecSpec {
    command(&["sh", "-c", script])
}
