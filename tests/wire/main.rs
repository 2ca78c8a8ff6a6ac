//! What goes over the wire between us and a terminal: every mode set is taken back whatever happens, each frame stands
//! inside DEC mode 2026 and costs what it may, and no reply or torn sequence becomes a key.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod child;
mod exits;
mod frames;
mod input;
#[path = "../support/pty.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod pty;

use portable_pty::CommandBuilder;

use self::pty::Pty;

/// The child's command line and environment.
fn command(role: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child::child", "--nocapture", "--test-threads=1"]);
    with_env(command, role)
}

fn with_env(mut command: CommandBuilder, role: &str) -> CommandBuilder {
    command.env_clear();
    command.env("PATH", std::env::var("PATH").unwrap_or_default());
    command.env("TERM", "xterm-256color");
    command.env(child::ROLE, role);
    if role == "far" {
        command.env("SSH_TTY", "/dev/pts/9");
    }
    command
}

/// By a shell, with the child's command line as `"$@"`.
fn shell(script: &str, role: &str) -> CommandBuilder {
    let mut shell = CommandBuilder::new("/bin/sh");
    shell.args(["-c", script, "sh"]);
    for arg in command(role).get_argv() {
        shell.arg(arg);
    }
    with_env(shell, role)
}

/// The child, with its first frame drawn, on a terminal that has answered its questions.
fn opened(columns: u16, rows: u16) -> Pty {
    let mut pty = Pty::start(command("plain"), columns, rows);
    pty.wait_for("pid ");
    pty.send("\x1b[?62;22c");
    pty
}
