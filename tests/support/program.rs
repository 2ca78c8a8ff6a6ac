//! The program as a user has it: the real binary on a data dir of its own, with its own environment.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take before a test calls it hung. Generous: test machines are small and shared.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The key that clients of the scripted API have.
pub const KEY: &str = "sk-ant-real-0123456789";

/// One data dir and the environment that commands on it run with.
pub struct Place {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Place {
    /// A fresh data dir. The cache folder is shared by all tests of a run: the base of this machine is made once. Tests
    /// that run as another user bring theirs, and a program that this user may read.
    pub fn new() -> Self {
        let cache = std::env::var_os("SANDBANK_TEST_CACHE")
            .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"), PathBuf::from);
        std::fs::create_dir_all(&cache).unwrap();
        Self {
            dir: tempfile::Builder::new().prefix("sandbank-road-").tempdir().unwrap(),
            env: vec![("XDG_CACHE_HOME".into(), cache.to_str().unwrap().into())],
        }
    }

    /// A fresh one whose clients have a key, the address of an API that wants it, and `claude` on their PATH.
    pub fn with_claude(claude: &Path, api: &str) -> Self {
        let mut place = Self::new();
        let bin = claude.parent().unwrap().to_str().unwrap();
        place.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()));
        place.env("ANTHROPIC_API_KEY", KEY);
        place.env("ANTHROPIC_BASE_URL", api);
        place
    }

    /// Sets a variable for every later command.
    pub fn env(&mut self, name: &str, value: impl Into<String>) {
        self.env.retain(|(n, _)| n != name);
        self.env.push((name.to_owned(), value.into()));
    }

    /// The data dir.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A command of the binary, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let program = std::env::var_os("SANDBANK_TEST_PROGRAM");
        let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_sandbank").into()));
        command.args(args).env_clear().stdin(Stdio::null());
        for name in ["PATH", "HOME", "LANG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("SANDBANK_DATA_DIR", self.data()).envs(self.env.iter().cloned());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed; its output as text.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(
            out.status.success(),
            "sandbank {args:?}: {}\n{}\n{}",
            out.status,
            text(&out.stdout),
            text(&out.stderr)
        );
        text(&out.stdout)
    }

    /// Runs a command with `--json` that must succeed; the document it prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("sandbank {args:?} printed no JSON: {e}\n{out}"))
    }

    /// Runs a shell script in a sandbox; it must succeed.
    pub fn sh(&self, sandbox: &str, script: &str) -> String {
        self.ok(&["sandbox", "exec", sandbox, "--", "sh", "-c", script])
    }

    /// Process id of the server that runs now.
    pub fn server(&self) -> Option<u32> {
        let status = self.json(&["serve", "status"]);
        status["running"].as_bool()?.then(|| u32::try_from(status["pid"].as_u64().unwrap()).unwrap())
    }

    /// Kills the server as a crash would.
    pub fn kill_server(&self) {
        let pid = self.server().expect("a server runs");
        kill(pid);
        wait_until("the killed server is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.data().join("log");
            for entry in std::fs::read_dir(log).into_iter().flatten().flatten() {
                let tail: Vec<_> = std::fs::read_to_string(entry.path())
                    .unwrap_or_default()
                    .lines()
                    .rev()
                    .take(30)
                    .map(str::to_owned)
                    .collect();
                eprintln!("-- {}", entry.path().display());
                tail.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
        if let Ok(list) = self.command(&["sandbox", "list", "--json"]).output()
            && let Ok(Value::Array(sandboxes)) = serde_json::from_slice(&list.stdout)
        {
            for id in sandboxes.iter().filter_map(|s| s["sandbox_id"].as_str()) {
                let _ = self.command(&["sandbox", "terminate", id, "--no-save", "--yes"]).output();
            }
        }
        let _ = self.command(&["serve", "stop"]).output();
    }
}

/// A command whose output is read while it runs.
pub struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    seen: String,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out, seen: String::new() }
    }

    /// Reads until the output holds `text`.
    pub fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let chunk = self.out.fill_buf().unwrap();
            let n = chunk.len();
            self.seen.push_str(&String::from_utf8_lossy(chunk));
            self.out.consume(n);
            if n == 0 {
                panic!("ended without {text:?}; printed: {}\n{}", self.seen.clone(), self.stderr());
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end: exit code and everything it printed.
    pub fn finish(mut self) -> (Option<i32>, String, String) {
        let mut rest = Vec::new();
        self.out.read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        let err = self.stderr();
        (self.child.wait().unwrap().code(), self.seen, err)
    }

    fn stderr(&mut self) -> String {
        let mut err = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            let _ = pipe.read_to_string(&mut err);
        }
        err
    }
}

/// SIGKILL.
pub fn kill(pid: u32) {
    signal(pid, "KILL");
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// The same; that the process has ended is as good.
pub fn signal_if_there(pid: u32, name: &str) {
    let mut kill = Command::new("kill");
    let _ = kill.args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status().unwrap();
}

/// The most memory that a process has had, in kB.
pub fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Waits for a condition, with a deadline.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The CLI to chat with, or why the test skips.
pub fn claude() -> Option<PathBuf> {
    let named = std::env::var_os("SANDBANK_TEST_CLAUDE").map(PathBuf::from);
    let found = named
        .or_else(|| std::env::split_paths(&std::env::var_os("PATH")?).map(|p| p.join("claude")).find(|p| p.exists()));
    if found.is_none() {
        assert!(std::env::var_os("SANDBANK_TEST_REQUIRE").is_none(), "the Claude CLI is required and not there");
        let _ = writeln!(std::io::stderr(), "skipped: no Claude CLI (name one in SANDBANK_TEST_CLAUDE)");
    }
    found
}
