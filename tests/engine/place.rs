//! A data dir with an engine that can be stopped and started again, and a client of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures::TryStreamExt;
use rustix::process::{Pid, Signal, kill_process};
use sandbank::{
    config::ModalAccess,
    core::{AccountId, ExecId, SandboxConfig},
    engine::{Engine, Settings, jail},
    modal::{CreateRequest, ExecExit, ExecRequest, Modal, ModalError, Sandbox, StdioFd},
};
use uuid::Uuid;

#[allow(dead_code, reason = "shared with the kills")]
#[path = "../support/processes.rs"]
pub mod processes;
#[path = "../support/waiting.rs"]
mod waiting;

pub use waiting::{soon, until};

/// Sandboxes of a test that failed end by themselves.
const LIFE: Duration = Duration::from_secs(180);

/// A data dir, its engine and a client.
pub struct Place {
    dir: tempfile::TempDir,
    /// The program that is started as keeper.
    pub program: PathBuf,
    /// Free disk that must be there; 0: as everywhere.
    pub disk_floor: u64,
    engine: Option<Engine>,
}

impl Place {
    /// `None`, said, where this machine forbids sandboxes.
    pub async fn new() -> Option<Self> {
        if let Err(why) = jail::available() {
            println!("SKIPPED: {why}");
            return None;
        }
        // Below target/, because overlays need a disk.
        let dir = tempfile::Builder::new().prefix("engine-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut place = Self { dir, program: env!("CARGO_BIN_EXE_sandbank").into(), disk_floor: 0, engine: None };
        place.start().await;
        Some(place)
    }

    /// Starts an engine on the data dir.
    pub async fn start(&mut self) {
        let settings = self.settings();
        for folder in [&settings.cache, &settings.dir] {
            fs::create_dir_all(folder).unwrap();
            fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        }
        self.engine = Some(soon("the engine's start", Engine::start(settings)).await.unwrap());
    }

    /// What its engine is started with.
    pub fn settings(&self) -> Settings {
        Settings {
            dir: self.engine_dir(),
            // The layers of the host are made once for all tests.
            cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine-cache"),
            data_dir: self.dir.path().to_path_buf(),
            program: self.program.clone(),
            modal_port: 0,
            s3_port: 0,
            bucket: "sandbank".to_owned(),
            stand_ins: BTreeMap::new(),
            extra: Vec::new(),
            claude: None,
            disk_floor: self.disk_floor,
            withhold: vec!["ANTHROPIC_API_KEY".to_owned()],
        }
    }

    /// Stops the engine; sandboxes go on.
    pub async fn stop(&mut self) {
        soon("the engine's stop", self.engine.take().unwrap().stop()).await;
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    pub fn engine_dir(&self) -> PathBuf {
        self.dir.path().join("engine")
    }

    /// Names in a folder of the engine.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.engine_dir().join(folder)).into_iter().flatten().flatten();
        entries.filter_map(|e| e.file_name().into_string().ok()).collect()
    }

    /// A client of the engine that runs now.
    pub fn modal(&self) -> Modal {
        let access = self.engine().access();
        Modal::new(ModalAccess {
            server_url: access.modal_url.clone(),
            token_id: access.token_id.clone(),
            token_secret: access.token_secret.clone().into(),
            environment: String::new(),
        })
        .unwrap()
    }

    /// Makes a sandbox of this name.
    pub async fn sandbox(&self, name: &str) -> Sandbox {
        self.create(&request(name)).await.unwrap()
    }

    pub async fn create(&self, request: &CreateRequest) -> Result<Sandbox, ModalError> {
        soon("a sandbox", self.modal().create(request, &|_| ())).await
    }

    /// Ends everything; what is left then is a leak.
    pub async fn close(mut self) {
        let modal = self.modal();
        let app = modal.app(&account().app()).await.unwrap();
        for row in modal.sandboxes(&app, false).await.unwrap() {
            let sandbox = modal.sandbox(&row.id);
            sandbox.terminate().await.unwrap();
            soon("an end", sandbox.wait()).await.unwrap();
        }
        until("scratch is cleared", async || self.names("scratch").is_empty()).await;
        until("no keeper is left", async || self.processes("").is_empty()).await;
        self.stop().await;
    }

    /// Process ids of the keeper of a sandbox, or of all, each with the first process of its jail, which is a copy.
    pub fn processes(&self, id: &str) -> Vec<u32> {
        let folder = self.engine_dir().join("sandboxes").join(id);
        let folder = folder.to_str().unwrap().trim_end_matches('/').to_owned();
        let keeps = |pid: &u32| processes::command_line(*pid).contains("engine keep");
        processes::with(&folder).into_iter().filter(keeps).collect()
    }
}

/// Kills a sandbox's keeper.
pub fn kill_keeper(place: &Place, id: &str) {
    let all = place.processes(id);
    // The jail's first process hides its arguments.
    let [keeper] = all[..] else { panic!("{all:?} tend {id}") };
    let keeper = Pid::from_raw(keeper.try_into().unwrap()).unwrap();
    kill_process(keeper, Signal::KILL).unwrap();
}

/// Whose sandboxes they are.
pub fn account() -> AccountId {
    AccountId::new("heron").unwrap()
}

/// What a sandbox of this name is made from.
pub fn request(name: &str) -> CreateRequest {
    CreateRequest {
        config: SandboxConfig::new(account()),
        name: name.to_owned(),
        timeout: LIFE,
        mounts: Vec::new(),
        volumes: Vec::new(),
        tags: BTreeMap::new(),
        key: Uuid::new_v4(),
    }
}

/// A shell script.
pub fn sh(script: &str) -> ExecRequest {
    ExecRequest::new(ExecId::new(), ["sh", "-c", script])
}

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    pub exit: ExecExit,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end.
pub async fn run(sandbox: &Sandbox, request: &ExecRequest) -> Done {
    let work = async {
        let exec = sandbox.exec(request).await.unwrap();
        let read = async |fd| text(exec.read(fd, 0).try_collect::<Vec<_>>().await.unwrap());
        let (out, err) = (read(StdioFd::Out).await, read(StdioFd::Err).await);
        Done { exit: exec.wait().await.unwrap(), out, err }
    };
    soon("the end of a command", work).await
}

/// Runs a script that must succeed; its output.
pub async fn ok(sandbox: &Sandbox, script: &str) -> String {
    let done = run(sandbox, &sh(script)).await;
    assert_eq!(done.exit, ExecExit::Code(0), "{script}: {done:?}");
    done.out
}

pub fn text(pieces: Vec<Bytes>) -> String {
    String::from_utf8_lossy(&pieces.concat()).into_owned()
}
