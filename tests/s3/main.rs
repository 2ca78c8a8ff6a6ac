//! The engine's S3 store and the clients that people use: the aws cli and boto3.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sandbank::engine::s3::{Settings, Store};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::spawn_blocking};
use tokio_util::sync::{CancellationToken, DropGuard};

const KEY_ID: &str = "AKIDHERON";
const SECRET: &str = "reeds-and-water";

/// A store with a bucket `bank`, and a folder to work in.
struct Served {
    url: String,
    work: TempDir,
    _dir: TempDir,
    _stop: DropGuard,
}

async fn served() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        dir: dir.path().to_owned(),
        access_key_id: KEY_ID.into(),
        secret_access_key: SECRET.into(),
        region: "us-east-1".into(),
    };
    let store = Store::open(settings).await.unwrap();
    store.make_bucket("bank").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move { store.serve(listener, token).await });
    Served { url, work: tempfile::tempdir().unwrap(), _dir: dir, _stop: stop.drop_guard() }
}

impl Served {
    /// The program with what it needs to find the store, and nothing of the machine's own settings.
    fn command(&self, program: &Path) -> Command {
        // Both still make URLs with the signature of 2006, unless told.
        let config = self.work.path().join("aws.config");
        std::fs::write(&config, "[default]\ns3 =\n  signature_version = s3v4\n").unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(self.work.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.work.path())
            .env("LC_ALL", "C.UTF-8")
            .env("AWS_CONFIG_FILE", config)
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }
}

/// The program that the variable names, or `fallback` if it answers; none is fine unless all are required.
fn find(variable: &str, fallback: &str, probe: &[&str]) -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| OsString::from(fallback)));
    let works = Command::new(&program).args(probe).output().is_ok_and(|out| out.status.success());
    if !works {
        assert!(std::env::var_os("SANDBANK_TEST_REQUIRE").is_none(), "{fallback} is required and not there");
        let _ = writeln!(std::io::stderr(), "skipped: no usable {fallback} (name one in {variable})");
    }
    works.then_some(program)
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_is_satisfied() {
    let Some(python) = find("SANDBANK_TEST_PYTHON", "python3", &["-c", "import boto3"]) else { return };
    let served = served().await;
    let mut command = served.command(&python);
    command.arg("-c").arg(include_str!("client.py"));
    let out = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(out.status.success(), "{}", text(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_is_satisfied() {
    let Some(aws) = find("SANDBANK_TEST_AWS", "aws", &["--version"]) else { return };
    let served = served().await;
    let script = include_str!("cli.sh");
    let mut command = served.command(Path::new("sh"));
    command.arg("-euc").arg(script).env("AWS", aws);
    let out = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(out.status.success(), "{}", text(&out));
}
