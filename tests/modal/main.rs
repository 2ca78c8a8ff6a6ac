//! Modal's own Python package, unchanged, against the engine; and our messages against its descriptors.
//!
//! What a user's program does is written down in `scripts/`, in the package's words: they run against Modal as well.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

use std::{collections::BTreeMap, env, fs, io::Write as _, path::PathBuf, process::Stdio, time::Duration};

use sandbank::engine::{Engine, Settings, jail};
use tokio::process::Command;

/// How long a script may take. Generous: the first one makes the base of this machine.
const DEADLINE: Duration = Duration::from_secs(240);

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/modal");

#[tokio::test]
async fn our_messages_are_modals() {
    let Some(python) = python() else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), sandbank::proto::DESCRIPTORS).unwrap();
    run(Command::new(python).arg(format!("{HERE}/descriptors.py")).arg(file.path())).await;
}

/// One test for each script.
macro_rules! scripts {
    ($($name:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            script(stringify!($name)).await;
        })*
    };
}

scripts!(commands, volumes, secrets, images, sandboxes, files);

async fn script(name: &str) {
    let Some(python) = python() else { return };
    if let Err(why) = jail::available() {
        return skip(&why);
    }
    // Below target/, because overlays need a disk of their own kind.
    let dir = tempfile::Builder::new().prefix("modal-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings = settings(dir.path().to_path_buf());
    let engine = Engine::start(settings.clone()).await.unwrap();
    let access = engine.access();
    run(Command::new(python)
        .arg(format!("{HERE}/scripts/{name}.py"))
        .env("MODAL_SERVER_URL", &access.modal_url)
        .env("MODAL_TOKEN_ID", &access.token_id)
        .env("MODAL_TOKEN_SECRET", &access.token_secret)
        // No settings of whoever runs the tests.
        .env("MODAL_CONFIG_PATH", dir.path().join("none.toml"))
        .env("PYTHONDONTWRITEBYTECODE", "1"))
    .await;
    engine.stop().await;
    for sandbox in fs::read_dir(settings.dir.join("sandboxes")).into_iter().flatten().flatten() {
        if let Ok(keeper) = sandbank::engine::keeper::KeeperHandle::attach(&sandbox.path()).await {
            keeper.terminate().await.unwrap();
        }
        sandbank::engine::keeper::KeeperHandle::reap(&sandbox.path()).await;
    }
}

fn settings(dir: PathBuf) -> Settings {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("engine-cache");
    let engine = dir.join("engine");
    for folder in [&cache, &engine] {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }
    Settings {
        dir: engine,
        cache,
        data_dir: dir,
        program: env!("CARGO_BIN_EXE_sandbank").into(),
        modal_port: 0,
        s3_port: 0,
        bucket: "sandbank".to_owned(),
        stand_ins: BTreeMap::new(),
        extra: Vec::new(),
        claude: None,
        disk_floor: 0,
        withhold: Vec::new(),
    }
}

async fn run(command: &mut Command) {
    let child = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let out = tokio::time::timeout(DEADLINE, child).await.expect("a script hangs").unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{}\n{}", said(&out.stdout), said(&out.stderr));
}

/// The Python that has the package, or why the test skips.
fn python() -> Option<PathBuf> {
    let python = env::var_os("SANDBANK_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skip("no Python with the package modal (name one in SANDBANK_TEST_PYTHON)");
    }
    python
}

fn skip(why: &str) {
    assert!(env::var_os("SANDBANK_TEST_REQUIRE").is_none(), "required, but: {why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
