//! The shim and what attaches to it, with the real binary on this machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use sandbank::inside::words::{Decoder, Frame, Stream};

const DEADLINE: Duration = Duration::from_secs(60);

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn inside(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbank"));
        command.arg("inside").args(words);
        command
    }

    fn run(&self, id: &str, options: &[&str], script: &str) -> String {
        let dir = self.path().to_str().unwrap();
        let words = [&["run", id, "--dir", dir], options, &["--", "sh", "-c", script]].concat();
        let out = self.inside(&words).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    fn attach(&self, id: &str, from: u64) -> Attached {
        let dir = self.path().to_str().unwrap();
        let mut child = self
            .inside(&["attach", id, "--dir", dir, "--from", &from.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        Attached {
            child,
            input,
            decoder: Decoder::default(),
            output: Vec::new(),
            errors: Vec::new(),
            taken: 0,
            end: None,
        }
    }

    /// Process id of the shim: who has the lock open.
    fn shim(&self, id: &str) -> i32 {
        let target = self.path().join(id).join("lock");
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok())
            .find(|pid| {
                std::fs::read_dir(format!("/proc/{pid}/fd"))
                    .into_iter()
                    .flatten()
                    .flatten()
                    .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|l| l == target))
            })
            .expect("a shim runs")
    }
}

struct Attached {
    child: Child,
    input: Option<ChildStdin>,
    decoder: Decoder,
    output: Vec<u8>,
    errors: Vec<u8>,
    taken: u64,
    end: Option<Frame>,
}

impl Attached {
    fn send(&mut self, frame: &Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.input.as_mut().unwrap().write_all(&bytes).unwrap();
    }

    fn input(&mut self, number: u64, text: &str) {
        self.send(&Frame::Input { number, bytes: Bytes::copy_from_slice(text.as_bytes()) });
    }

    /// Reads once; false at the end.
    fn step(&mut self) -> bool {
        let mut buffer = [0; 8192];
        let n = self.child.stdout.as_mut().unwrap().read(&mut buffer).unwrap();
        self.decoder.push(&buffer[..n]);
        while let Some(frame) = self.decoder.next_frame().unwrap() {
            match frame {
                Frame::Output { stream: Stream::Out, bytes, .. } => self.output.extend_from_slice(&bytes),
                Frame::Output { stream: Stream::Err, bytes, .. } => self.errors.extend_from_slice(&bytes),
                Frame::Taken { number } => self.taken = number,
                Frame::Hello { .. } | Frame::Fed { .. } => {}
                end => self.end = Some(end),
            }
        }
        n > 0
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < DEADLINE && self.step(), "waited in vain for {what}: {}", self.text());
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    fn finish(mut self) -> (Vec<u8>, Vec<u8>, Frame) {
        while self.step() {}
        self.child.wait().unwrap();
        (self.output, self.errors, self.end.expect("a last word"))
    }
}

#[test]
fn output_and_exit_code_can_be_read_from_any_offset_while_it_runs_and_after() {
    let dir = Dir::new();
    assert_eq!(dir.run("a", &[], "printf 0123456789; printf oops >&2; exit 3"), "started\n");
    let (out, err, end) = dir.attach("a", 0).finish();
    assert_eq!((out.as_slice(), err.as_slice(), end), (&b"0123456789"[..], &b"oops"[..], Frame::Exit { code: 3 }));
    let (out, err, _) = dir.attach("a", 4).finish();
    assert_eq!(out.len() + err.len(), 10);
    assert!(out.ends_with(b"456789") || out.ends_with(b"0123456789"));
}

#[test]
fn the_same_id_starts_once() {
    let dir = Dir::new();
    let script = format!("echo x >> {}/count", dir.path().display());
    dir.run("a", &[], &script);
    dir.attach("a", 0).finish();
    assert_eq!(dir.run("a", &[], &script), "running\n");
    assert_eq!(std::fs::read_to_string(dir.path().join("count")).unwrap(), "x\n");
}

#[test]
fn readers_that_die_lose_and_repeat_nothing() {
    let dir = Dir::new();
    let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done";
    dir.run("a", &[], script);
    let expected: String = (0..3000).map(|i| format!("line {i}\n")).collect();
    let mut got = Vec::new();
    for cut in [1, 500, 4096, 9000] {
        let mut reader = dir.attach("a", got.len() as u64);
        reader.until("some output", |r| r.output.len() >= cut || r.end.is_some());
        reader.child.kill().unwrap();
        reader.child.wait().unwrap();
        got.extend(reader.output);
    }
    got.extend(dir.attach("a", got.len() as u64).finish().0);
    assert_eq!(String::from_utf8(got).unwrap(), expected);
}

#[test]
fn input_sent_twice_arrives_once_and_two_readers_see_the_same() {
    let dir = Dir::new();
    dir.run("a", &["--stdin", "pipe"], "cat");
    let (mut one, two) = (dir.attach("a", 0), dir.attach("a", 0));
    one.input(1, "hello ");
    one.input(1, "hello ");
    one.until("the first line", |r| r.taken == 1);
    one.child.kill().unwrap();
    one.child.wait().unwrap();
    let mut again = dir.attach("a", 0);
    again.input(1, "hello ");
    again.input(2, "world");
    again.send(&Frame::EndInput { number: 3 });
    let (out, _, end) = again.finish();
    assert_eq!((out.as_slice(), end), (&b"hello world"[..], Frame::Exit { code: 0 }));
    assert_eq!(two.finish().0, b"hello world");
}

#[test]
fn a_terminal_has_its_size_and_learns_of_a_new_one() {
    let dir = Dir::new();
    let script = "trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.01; done";
    dir.run("a", &["--pty", "30x90", "--stdin", "pty"], script);
    let mut reader = dir.attach("a", 0);
    reader.until("the size", |r| r.text().contains("30 90"));
    reader.send(&Frame::Resize { rows: 41, columns: 121 });
    let (out, _, _) = reader.finish();
    assert!(String::from_utf8(out).unwrap().contains("41 121"));
}

#[test]
fn a_long_prompt_goes_by_a_pipe_while_output_is_a_terminal() {
    let dir = Dir::new();
    dir.run("a", &["--pty", "24x80", "--stdin", "pipe"], "[ -t 1 ] && echo terminal; [ -t 0 ] || wc -c");
    let mut reader = dir.attach("a", 0);
    reader.input(1, &"x".repeat(60_000));
    reader.input(2, &"y".repeat(60_000));
    reader.send(&Frame::EndInput { number: 3 });
    let text = String::from_utf8(reader.finish().0).unwrap();
    assert!(text.contains("terminal") && text.contains("120000"), "{text}");
}

#[test]
fn a_signal_reaches_the_whole_group() {
    let dir = Dir::new();
    dir.run("a", &[], "sleep 1000 & echo ready; wait");
    let mut reader = dir.attach("a", 0);
    reader.until("ready", |r| r.text().contains("ready"));
    reader.send(&Frame::Signal { number: 15 });
    assert_eq!(reader.finish().2, Frame::Exit { code: 143 });
}

#[test]
fn a_command_that_isnt_there_ends_like_in_a_shell() {
    let dir = Dir::new();
    let path = dir.path().to_str().unwrap();
    assert!(dir.inside(&["run", "a", "--dir", path, "--", "/no/such/program"]).status().unwrap().success());
    assert_eq!(dir.attach("a", 0).finish().2, Frame::Exit { code: 127 });
    assert!(matches!(dir.attach("b", 0).finish().2, Frame::Lost { .. }));
}

#[test]
fn output_that_nobody_stores_stops_the_command_and_is_never_dropped() {
    let dir = Dir::new();
    let script = format!("head -c 3000000 /dev/zero; echo done > {}/done", dir.path().display());
    dir.run("a", &["--unread", "1000000"], &script);
    let mut reader = dir.attach("a", 0);
    reader.until("the limit", |r| r.output.len() >= 1_000_000);
    assert!(!dir.path().join("done").exists());
    reader.send(&Frame::Commit { offset: 1_000_000 });
    reader.until("more", |r| r.output.len() >= 2_000_000);
    reader.send(&Frame::Commit { offset: 2_900_000 });
    let (out, _, end) = reader.finish();
    assert_eq!((out.len(), end), (3_000_000, Frame::Exit { code: 0 }));
}

#[test]
fn a_background_process_that_keeps_the_output_open_doesnt_hold_the_end() {
    let dir = Dir::new();
    dir.run("a", &[], "sleep 1000 & echo $!");
    let (out, _, end) = dir.attach("a", 0).finish();
    assert_eq!(end, Frame::Exit { code: 0 });
    let pid = String::from_utf8(out).unwrap();
    Command::new("kill").arg(pid.trim()).status().unwrap();
}

#[test]
fn a_killed_shim_is_told_and_what_it_read_is_kept() {
    let dir = Dir::new();
    dir.run("a", &[], "echo $$; exec sleep 1000");
    let mut reader = dir.attach("a", 0);
    reader.until("the process id", |r| r.text().contains('\n'));
    let command: i32 = reader.text().trim().parse().unwrap();
    Command::new("kill").args(["-9", &dir.shim("a").to_string()]).status().unwrap();
    assert!(matches!(reader.finish().2, Frame::Lost { .. }));
    let (out, _, end) = dir.attach("a", 0).finish();
    assert_eq!(out, format!("{command}\n").into_bytes());
    assert!(matches!(end, Frame::Lost { .. }));
    let start = Instant::now();
    while Path::new(&format!("/proc/{command}/fd/0")).exists() {
        assert!(start.elapsed() < DEADLINE, "the command got no hang-up");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_idle_command_is_ended() {
    let dir = Dir::new();
    dir.run("a", &["--idle", "1"], "echo up; exec sleep 1000");
    assert_eq!(dir.attach("a", 0).finish().2, Frame::Exit { code: 143 });
}

#[test]
fn input_that_nobody_reads_is_acknowledged_late_and_signals_pass_it() {
    let dir = Dir::new();
    let go = dir.path().join("go");
    let script =
        format!("trap 'echo signal' USR1; echo ready; until [ -e {} ]; do sleep 0.01; done; wc -c", go.display());
    dir.run("a", &["--stdin", "pipe"], &script);
    let mut reader = dir.attach("a", 0);
    reader.until("ready", |r| r.text().contains("ready"));
    for number in 1..=10 {
        reader.input(number, &"x".repeat(60_000));
    }
    reader.send(&Frame::Signal { number: 10 });
    reader.until("the signal", |r| r.text().contains("signal"));
    assert!(reader.taken < 10, "a pipe doesn't hold so much");
    std::fs::write(go, "").unwrap();
    reader.until("all input was read", |r| r.taken == 10);
    reader.send(&Frame::EndInput { number: 11 });
    assert!(String::from_utf8(reader.finish().0).unwrap().ends_with("600000\n"));
}

#[test]
fn what_has_ended_is_removed_when_told_and_what_runs_stays() {
    let dir = Dir::new();
    dir.run("ended", &[], "echo x");
    dir.attach("ended", 0).finish();
    dir.run("runs", &["--stdin", "pipe"], "cat");
    dir.run("next", &["--forget", "ended", "--forget", "runs", "--forget", "never"], "true");
    dir.attach("next", 0).finish();
    assert!(!dir.path().join("ended").exists());
    let mut reader = dir.attach("runs", 0);
    reader.input(1, "still here");
    reader.send(&Frame::EndInput { number: 2 });
    assert_eq!(reader.finish().0, b"still here");
}
