//! Whatever ends the screen: the terminal is given back, and what was typed is there when it opens again.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use portable_pty::CommandBuilder;
use rustix::process::Signal;

use super::{Stalled, drawn, program::wait_until, pty::Pty};

/// The screen with a draft in its prompt.
fn with_a_draft(command: CommandBuilder) -> Pty {
    let mut pty = Pty::start(command, 100, 30);
    pty.wait_until("no first frame", drawn);
    pty.send("\x1b[?62;22c");
    pty.send("\x18i");
    pty.send("half a thought");
    pty.wait_for("› half a thought");
    pty
}

fn comes_back(place: &Stalled) {
    let pty = Pty::start(place.command(), 100, 30);
    pty.wait_for("› half a thought");
}

#[rstest::rstest]
#[case::hang_up(Some(Signal::HUP))]
#[case::told(Some(Signal::TERM))]
#[case::keys(None)]
fn a_draft_comes_back(#[case] signal: Option<Signal>) {
    let place = Stalled::new();
    let mut pty = with_a_draft(place.command());
    match signal {
        Some(signal) => pty.signal(signal),
        None => pty.send("\x18q"),
    }
    pty.wait();
    pty.assert_given_back();
    comes_back(&place);
}

#[test]
fn a_draft_comes_back_after_a_kill_and_a_cleared_one_does_not() {
    let place = Stalled::new();
    let mut pty = with_a_draft(place.command());
    wait_until("it is kept", || place.kept() == "half a thought");
    pty.signal(Signal::KILL);
    pty.wait();
    comes_back(&place);

    let mut pty = Pty::start(place.command(), 100, 30);
    pty.wait_for("› half a thought");
    pty.send("\x18i\x03");
    pty.wait_for("type a prompt");
    wait_until("it is forgotten", || place.kept().is_empty());
    pty.signal(Signal::KILL);
    pty.wait();
    let pty = Pty::start(place.command(), 100, 30);
    pty.wait_for("type a prompt");
}

/// An editor of the tests' own.
fn script(place: &Stalled, name: &str, text: &str) -> String {
    let path = place.dir.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[rstest::rstest]
#[case(Signal::TERM)]
#[case(Signal::HUP)]
#[case(Signal::QUIT)]
fn a_signal_ends_it_while_the_editor_has_the_terminal(#[case] signal: Signal) {
    let place = Stalled::new();
    let mut command = place.command();
    // It has saved, and goes on.
    let editor = script(&place, "editor", "printf \"$1\" >> \"$2\"; echo EDITING; read x");
    command.env("EDITOR", format!("{editor} ' and more'"));
    let mut pty = with_a_draft(command);
    pty.send("\x07");
    pty.wait_for("EDITING");
    pty.signal(signal);
    assert_eq!(pty.wait(), 128 + signal.as_raw() as u32);
    pty.assert_given_back();
    let pty = Pty::start(place.command(), 100, 30);
    pty.wait_for("› half a thought and more");
}

#[test]
fn it_stands_still_and_goes_on_as_it_was() {
    let place = Stalled::new();
    let job = r#"set -m; "$@"; echo "STOPPED $(stty -a | grep -wo -- '-\?icanon')"; read x; fg >/dev/null; echo OVER"#;
    let mut pty = with_a_draft(place.shell(job));
    pty.send("\x1a");
    pty.wait_for("STOPPED icanon");
    pty.see(|seen| {
        assert!(seen.left_behind().is_empty(), "{:?}", seen.left_behind());
        assert!(!seen.screen().alternate_screen());
    });
    pty.resize(110, 34);
    pty.send("go on\r");
    pty.wait_until("it comes back whole", |seen| {
        seen.screen().alternate_screen() && seen.shows("› half a thought") && seen.shows("Sandboxes")
    });
    assert!(!pty.see(|seen| seen.shows("go on")), "what was typed for the shell is no key");
    pty.send("\x18q");
    pty.wait_for("OVER");
    pty.assert_given_back();
}

#[test]
fn a_panic_gives_the_terminal_back_and_tells_itself_there() {
    let place = Stalled::new();
    let wish = place.dir.path().join("stop-at");
    let mut command = place.command();
    command.env("SANDBANK_TEST_STOP_AT", &wish);
    let mut pty = with_a_draft(command);
    wait_until("the draft is kept", || place.kept() == "half a thought");
    fs::write(&wish, "screen 1 panic").unwrap();
    pty.send("x");
    assert_eq!(pty.wait(), 101, "as every program that panics");
    pty.assert_given_back();
    pty.see(|seen| assert!(seen.shows("told to panic"), "{}", seen.text()));
    let log = fs::read_to_string(place.dir.path().join("data/log/screen.log")).unwrap();
    assert!(log.contains("told to panic"), "{log}");
    comes_back(&place);
}

/// What makes the test below hold a terminal: the shell's script.
const HOLDS: &str = "SANDBANK_TEST_HOLDS";

/// Ends with a terminal in its hands: only a process that is gone has surely closed all of it.
#[test]
fn holder() {
    let Ok(script) = std::env::var(HOLDS) else { return };
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_sandbank")]);
    let mut pty = Pty::start(command, 100, 30);
    pty.wait_until("no first frame", drawn);
    pty.send("\x18i");
    pty.send("half a thought");
    pty.wait_for("› half a thought");
    std::process::exit(0);
}

#[rstest::rstest]
#[case::with_a_signal(r#"echo $$ > "$PID"; exec "$@""#)]
// Out of the terminal's session: its end sends no signal.
#[case::without_one(r#"exec 3<&0; setsid sh -c 'echo $$ > "$PID"; exec "$@"' sh "$@" <&3 & wait"#)]
fn a_terminal_that_vanishes_ends_it_and_keeps_the_draft(#[case] script: &str) {
    let place = Stalled::new();
    let file = place.dir.path().join("pid");
    let held = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::holder", "--nocapture"])
        .env_clear()
        .envs(place.environment())
        .env(HOLDS, script)
        .env("PID", &file)
        .output()
        .unwrap();
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    let pid = fs::read_to_string(file).unwrap();
    wait_until("it has ended", || !Path::new("/proc").join(pid.trim()).exists());
    comes_back(&place);
}

#[test]
fn what_it_warns_of_is_in_a_log_and_not_on_the_terminal() {
    let place = Stalled::new();
    // A folder where the file of earlier prompts should be.
    fs::create_dir(place.dir.path().join("data/prompts")).unwrap();
    let mut pty = with_a_draft(place.command());
    let log = place.dir.path().join("data/log/screen.log");
    assert!(!log.exists(), "without a warning there is no log");
    pty.send("\x03");
    let read = || fs::read_to_string(&log).unwrap_or_default();
    wait_until("it is warned", || read().contains("a prompt can't be kept"));
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!read().contains("half a thought"), "what was typed is nobody's business");
    pty.send("\x18q");
    pty.wait();
    assert!(!pty.see(|seen| String::from_utf8_lossy(&seen.bytes).contains("can't be kept")));
}
