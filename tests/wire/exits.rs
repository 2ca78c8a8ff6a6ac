//! Every way out gives the terminal back.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{child, command, opened, pty::Pty, shell};

#[test]
fn quitting_gives_the_terminal_back() {
    let mut pty = opened(80, 24);
    assert!(!pty.is_as_before());
    pty.see(|seen| {
        let set: Vec<_> = seen.left_behind().into_iter().collect();
        assert_eq!(set, ["1000", "1004", "1006", "1049", "2004", "2031", "kitty 1"]);
    });
    pty.send("q");
    assert_eq!(pty.wait(), 0);
    pty.assert_given_back();
}

#[rstest::rstest]
#[case(Signal::TERM)]
#[case(Signal::HUP)]
#[case(Signal::INT)]
#[case(Signal::QUIT)]
fn so_does_a_signal(#[case] signal: Signal) {
    let mut pty = opened(80, 24);
    pty.signal(signal);
    assert_eq!(pty.wait(), 128 + signal.as_raw() as u32);
    pty.assert_given_back();
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let mut pty = opened(80, 24);
    pty.send("p");
    assert_ne!(pty.wait(), 0);
    pty.assert_given_back();
    assert!(pty.see(|seen| seen.shows("a panic on purpose")), "its words are on the main screen");
}

/// The shell says when the program stands still, and how the device is then.
const JOB: &str =
    r#"set -m; "$@"; echo "STOPPED $(stty -a | grep -wo -- '-\?icanon')"; read x; fg >/dev/null; echo OVER"#;

#[rstest::rstest]
#[case::key(None)]
#[case::signal(Some(Signal::TSTP))]
fn a_suspended_program_has_given_the_terminal_back(#[case] signal: Option<Signal>) {
    let mut pty = Pty::start(shell(JOB, "plain"), 80, 24);
    pty.wait_for("pid ");
    let pid = pty.see(|seen| seen.text().split_whitespace().nth(1).unwrap().parse().unwrap());
    match signal {
        Some(signal) => rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap(),
        None => pty.send("z"),
    }
    pty.wait_for("STOPPED icanon");
    pty.see(|seen| {
        assert!(seen.left_behind().is_empty(), "{:?}", seen.left_behind());
        assert!(!seen.screen().alternate_screen());
    });
    pty.resize(60, 20);
    pty.send("go on\r");
    pty.wait_until("it comes back with a whole frame of the new size", |seen| {
        seen.screen().alternate_screen() && seen.shows("size 60x20") && seen.shows("volume")
    });
    assert!(!pty.see(|seen| seen.shows("key g")), "what was typed for the shell is no key");
    pty.send("q");
    pty.wait_for("OVER");
    pty.assert_given_back();
}

#[test]
fn a_program_that_is_lent_the_terminal_has_it_alone() {
    let mut pty = opened(80, 24);
    pty.send("e");
    pty.wait_for("LENT");
    pty.assert_given_back();
    pty.send("q for the other\r");
    pty.wait_until("the screen is back", |seen| seen.screen().alternate_screen() && seen.shows("Done"));
    assert!(pty.see(|seen| String::from_utf8_lossy(&seen.bytes).contains("GOT q for the other")));
    pty.send("q");
    assert_eq!(pty.wait(), 0);
    pty.assert_given_back();
}

/// "E" is a program that ends when it is told to, "D" one that is deaf.
#[rstest::rstest]
fn a_signal_ends_us_while_another_program_has_the_terminal(
    #[values("E", "D")] program: &str,
    #[values(Signal::TERM, Signal::HUP, Signal::QUIT)] signal: Signal,
) {
    let mut pty = opened(80, 24);
    pty.send(program);
    pty.wait_for("LENT");
    pty.signal(signal);
    assert_eq!(pty.wait(), 128 + signal.as_raw() as u32);
    pty.assert_given_back();
    assert_eq!(program == "E", pty.see(|seen| seen.shows("TOLD")), "the program is told too");
}

#[test]
fn ctrl_c_is_the_other_programs_and_ctrl_backslash_ends_both() {
    let mut pty = opened(80, 24);
    pty.send("e");
    pty.wait_for("LENT");
    pty.send("\x03");
    pty.wait_until("the screen is back", |seen| seen.screen().alternate_screen() && seen.shows("Done"));
    pty.send("e");
    pty.wait_until("it is lent again", |seen| String::from_utf8_lossy(&seen.bytes).matches("LENT").count() == 2);
    pty.send("\x1c");
    assert_eq!(pty.wait(), 128 + 3);
    pty.assert_given_back();
}

/// Ends with a terminal in its hands: only a process that is gone has surely closed all of it.
pub fn hold_a_terminal_and_end() {
    let mut command = shell(r#"exec 3<&0; "$@" <&3 & wait"#, "alone");
    command.env(child::REPORT, std::env::var(child::REPORT).unwrap());
    let pty = Pty::start(command, 80, 24);
    pty.wait_for("pid ");
    std::process::exit(0);
}

#[test]
fn a_terminal_that_vanishes_without_a_signal_ends_it_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::child", "--nocapture"])
        .env(child::ROLE, "holder")
        .env(child::REPORT, &report)
        .output()
        .unwrap();
    assert!(holder.status.success());
    let ticks = wait_for_file(&report);
    assert!(ticks.parse::<u64>().unwrap() <= 2, "{ticks} hundredths of a second of CPU after the end");
}

fn wait_for_file(path: &std::path::Path) -> String {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if !text.is_empty() => return text,
            _ => assert!(std::time::Instant::now() < deadline, "no report: it didn't end"),
        }
        std::thread::yield_now();
    }
}

#[rstest::rstest]
#[case("dumb")]
#[case("")]
fn a_terminal_that_cant_place_text_is_refused(#[case] name: &str) {
    let mut command = command("plain");
    command.env("TERM", name);
    let mut pty = Pty::start(command, 80, 24);
    assert_eq!(pty.wait(), 2);
    pty.see(|seen| {
        assert!(seen.shows("sandbank chat SANDBOX"), "{}", seen.text());
        assert!(!seen.bytes.contains(&0x1b), "no escape byte");
    });
}

#[test]
fn without_a_terminal_nothing_is_written() {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::child", "--nocapture", "--test-threads=1"])
        .env(child::ROLE, "plain")
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(!out.stdout.contains(&0x1b));
    assert!(String::from_utf8_lossy(&out.stderr).contains("sandbank chat SANDBOX"));
}
