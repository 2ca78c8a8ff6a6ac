//! From the shell: what a user waits for.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    Times,
    program::{self, Place},
    rounds,
    scripted_api::{ScriptedApi, text},
    starts,
};

const KEY: &str = "sk-ant-bench-0123456789";

/// `sandbox list` with a server that runs.
pub fn list(figure: &str) {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let mut times = Times::default();
    for _ in 0..rounds() {
        times.take("sandbank", || place.json(&["sandbox", "list"]));
    }
    times.print(figure, "sandbank sandbox list --json", Some(20.0));
}

/// A command in a sandbox that runs, and what starting our own program takes of that.
pub fn exec(figure: &str) {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let run = || place.ok(&["sandbox", "exec", "heron", "--", "true"]);
    run();
    let mut times = Times::default();
    for _ in 0..rounds() {
        times.take("sandbank", run);
        times.take("sandbank_version", || place.ok(&["--version"]));
        starts::bubblewrap(&mut times);
    }
    times.print(figure, "sandbank sandbox exec heron -- true", None);
}

/// One turn, beside the same turn of the bare CLI.
pub fn chat(figure: &str) {
    let Some(claude) = program::claude() else { return };
    let turns = (0..2 * rounds() + 2).map(|_| vec![text("Hello.")]).collect();
    let api = ScriptedApi::start(KEY, turns);
    let mut place = Place::new();
    let path = format!("{}:{}", claude.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let env = [("PATH", path.as_str()), ("ANTHROPIC_API_KEY", KEY), ("ANTHROPIC_BASE_URL", api.url())];
    for (name, value) in env {
        place.env(name, value);
    }
    place.json(&["sandbox", "create", "--name", "heron"]);
    let home = tempfile::tempdir().unwrap();
    let bare = || {
        let mut command = Command::new(&claude);
        command.args(["--dangerously-skip-permissions", "--verbose", "--output-format", "stream-json"]);
        command.args(["--include-partial-messages", "-p", "hello"]);
        command.env_clear().envs(env).env("HOME", home.path()).env("IS_SANDBOX", "1").current_dir(home.path());
        assert!(command.stdin(Stdio::null()).output().unwrap().status.success());
    };
    bare();
    place.ok(&["chat", "heron", "hello"]);
    let mut times = Times::default();
    for _ in 0..rounds() {
        times.take("sandbank", || place.ok(&["chat", "heron", "hello"]));
        times.take("claude", bare);
    }
    times.print(figure, "sandbank chat heron hello; claude -p hello; the aim is for the difference", Some(20.0));
}

/// 2,000 small files to the store and back, beside `aws s3 sync` on the same store.
pub fn save_and_restore(figure: &str) {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let make = "for d in $(seq 20); do mkdir -p d$d; for f in $(seq 100); do echo heron $d $f > d$d/$f; done; done";
    place.sh("heron", make);
    let (mut save, mut restore) = (Times::default(), Times::default());
    let aws = Aws::of(&place);
    for round in 0..rounds() {
        let saved = save.take("sandbank", || place.json(&["version", "save", "heron"]));
        let version = saved["version"].to_string();
        place.sh("heron", "rm -r d*");
        restore.take("sandbank", || place.json(&["version", "restore", "heron", &version, "--yes"]));
        if let Some(aws) = &aws {
            let there = format!("s3://{}/sync-{round}", aws.bucket);
            let local = tempfile::tempdir().unwrap();
            let (from, to) = (local.path().join("from"), local.path().join("to"));
            std::fs::create_dir(&from).unwrap();
            assert!(Command::new("bash").args(["-c", make]).current_dir(&from).status().unwrap().success());
            save.take("aws_s3_sync", || aws.sync(from.to_str().unwrap(), &there));
            restore.take("aws_s3_sync", || aws.sync(&there, to.to_str().unwrap()));
        }
    }
    save.print(&format!("{figure}_save"), "sandbank version save heron --json", None);
    restore.print(&format!("{figure}_restore"), "sandbank version restore heron VERSION --yes --json", None);
}

/// The aws cli on the engine's store.
struct Aws {
    program: PathBuf,
    env: Vec<(String, String)>,
    bucket: String,
}

impl Aws {
    fn of(place: &Place) -> Option<Self> {
        let program = std::env::var_os("SANDBANK_TEST_AWS").map(PathBuf::from)?;
        // Lines for a shell; a shell says what they mean.
        let script = format!("{}\nenv", place.ok(&["engine", "env"]));
        let out = Command::new("sh").args(["-c", &script]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
        let env: Vec<(String, String)> = program::text(&out.stdout)
            .lines()
            .filter_map(|l| l.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let bucket = env.iter().find(|(k, _)| k == "SANDBANK_BUCKET")?.1.clone();
        Some(Self { program, env, bucket })
    }

    fn sync(&self, from: &str, to: &str) {
        let out = Command::new(&self.program).args(["s3", "sync", "--quiet", from, to]).envs(self.env.clone()).output();
        let out = out.unwrap();
        assert!(out.status.success(), "{}", program::text(&out.stderr));
    }
}
