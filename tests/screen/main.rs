//! The real binary on a terminal of its own: what a person sees from the first frame to the shell that comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod ends;
mod live;
#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "../support/program.rs"]
mod program;
#[path = "../support/pty.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod pty;
mod typed;

use std::{
    fs::{DirBuilder, File},
    os::unix::{fs::DirBuilderExt, net::UnixListener},
    process::{Command, Stdio},
};

use portable_pty::CommandBuilder;
use rustix::{fs::FlockOperation, process::Signal};

use self::pty::{Pty, Seen};

/// A data dir whose server takes connections and never says a word. It has the lock, so that no other is started.
struct Stalled {
    dir: tempfile::TempDir,
    _server: (UnixListener, File),
}

impl Stalled {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sandbank-screen-").tempdir().unwrap();
        let data = dir.path().join("data");
        DirBuilder::new().mode(0o700).create(&data).unwrap();
        let server = UnixListener::bind(data.join("server.sock")).unwrap();
        let lock = File::create(data.join("server.lock")).unwrap();
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
        Self { dir, _server: (server, lock) }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", self.dir.path().display().to_string()),
            ("SANDBANK_DATA_DIR", self.dir.path().join("data").display().to_string()),
            ("TERM", "xterm-256color".to_owned()),
        ]
    }

    fn command(&self) -> CommandBuilder {
        self.with_environment(CommandBuilder::new(env!("CARGO_BIN_EXE_sandbank")))
    }

    /// The screen by a shell, with its command line as `"$@"`.
    fn shell(&self, script: &str) -> CommandBuilder {
        let mut shell = CommandBuilder::new("/bin/sh");
        shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_sandbank")]);
        self.with_environment(shell)
    }

    fn with_environment(&self, mut command: CommandBuilder) -> CommandBuilder {
        command.env_clear();
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command
    }

    /// What is kept of the draft for no sandbox.
    fn kept(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("data/drafts/local/default/none")).unwrap_or_default()
    }

    /// The screen with its first frame.
    fn open(&self, columns: u16, rows: u16) -> Pty {
        let mut pty = Pty::start(self.command(), columns, rows);
        pty.wait_until("no first frame", drawn);
        pty.send("\x1b[?62;22c");
        pty
    }
}

fn drawn(seen: &Seen) -> bool {
    seen.screen().alternate_screen() && !seen.text().trim().is_empty() && seen.bytes.ends_with(b"\x1b[?2026l")
}

#[rstest::rstest]
#[case(Signal::TERM)]
#[case(Signal::HUP)]
#[case(Signal::INT)]
#[case(Signal::QUIT)]
fn it_draws_and_ends_while_its_server_is_silent(#[case] signal: Signal) {
    let place = Stalled::new();
    let mut pty = place.open(80, 24);
    pty.signal(signal);
    assert_eq!(pty.wait(), 128 + signal.as_raw() as u32);
    pty.assert_given_back();
}

#[test]
fn ctrl_c_twice_leaves() {
    let place = Stalled::new();
    let mut pty = place.open(80, 24);
    pty.send("\x03");
    pty.wait_until("it says that the next one quits", |seen| seen.text().to_lowercase().contains("again"));
    pty.send("\x03");
    assert_eq!(pty.wait(), 0);
    pty.assert_given_back();
}

#[test]
fn it_lives_at_every_size() {
    let place = Stalled::new();
    let mut pty = place.open(120, 40);
    for (columns, rows) in [(1, 1), (5, 2), (39, 9), (40, 10), (99, 24), (1, 60), (300, 1), (200, 60), (1, 1)] {
        pty.resize(columns, rows);
    }
    pty.resize(100, 30);
    pty.send(format!("\x1b[200~{}\x1b[201~", "a line\r".repeat(17_000)));
    pty.wait_until("it draws after all sizes and a large paste", drawn);
    pty.signal(Signal::TERM);
    pty.wait();
    pty.assert_given_back();
}

#[test]
fn without_colours_there_is_no_colour() {
    let place = Stalled::new();
    let mut command = place.command();
    command.env("NO_COLOR", "1");
    let pty = Pty::start(command, 80, 24);
    pty.wait_until("no first frame", drawn);
    pty.see(|seen| {
        let screen = seen.screen();
        let cells = (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column)));
        for cell in cells {
            assert_eq!((cell.fgcolor(), cell.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
        }
    });
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let place = Stalled::new();
    let out = Command::new(env!("CARGO_BIN_EXE_sandbank"))
        .env_clear()
        .envs(place.environment())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(!out.stdout.contains(&0x1b) && !out.stderr.contains(&0x1b), "no escape byte");
    assert!(String::from_utf8_lossy(&out.stderr).contains("sandbank chat SANDBOX"));
}
