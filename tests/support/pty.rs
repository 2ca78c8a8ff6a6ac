//! A program on a terminal of its own: a PTY, what it wrote, and the screen that its bytes make.
//!
//! Nothing here sleeps: a test says what it waits for and why ([`Pty::wait_until`]).

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    num::NonZeroU16,
    process::Command,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take before a test calls it hung. Generous: test machines are small and shared.
const DEADLINE: Duration = Duration::from_secs(60);

/// What has come out so far.
pub struct Seen {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// Since the start: when a piece came, and how many bytes there were then.
    pub pieces: Vec<(Duration, usize)>,
    screen: vt100::Parser,
    over: bool,
}

impl Seen {
    /// The screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// The screen has this text.
    pub fn shows(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// What has been asked of the terminal and not taken back: DEC modes, `kitty`, `cursor`, `wrapping`, `style`.
    pub fn left_behind(&self) -> BTreeSet<String> {
        let mut left = BTreeSet::new();
        let mut keys = 0;
        for piece in String::from_utf8_lossy(&self.bytes).split('\x1b').filter_map(|p| p.strip_prefix('[')) {
            let end = piece.find(|c: char| ('\x40'..='\x7e').contains(&c)).unwrap_or(piece.len());
            let (parameters, rest) = piece.split_at(end);
            match (parameters.strip_prefix('?'), parameters, rest.chars().next()) {
                (Some("25"), _, Some('l')) => drop(left.insert("cursor".to_owned())),
                (Some("25"), _, Some('h')) => drop(left.remove("cursor")),
                (Some("7"), _, Some('l')) => drop(left.insert("wrapping".to_owned())),
                (Some("7"), _, Some('h')) => drop(left.remove("wrapping")),
                (Some(mode), _, Some('h')) => drop(left.insert(mode.to_owned())),
                (Some(mode), _, Some('l')) => drop(left.remove(mode)),
                (None, p, Some('u')) if p.starts_with('>') => keys += 1,
                (None, p, Some('u')) if p.starts_with('<') => keys -= 1,
                (None, "" | "0", Some('m')) => drop(left.remove("style")),
                (None, _, Some('m')) => drop(left.insert("style".to_owned())),
                _ => {}
            }
        }
        if keys != 0 {
            left.insert(format!("kitty {keys}"));
        }
        left
    }
}

/// The program and its terminal.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    before: String,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn non_zero(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

impl Pty {
    /// Starts a command, with the environment that it names and no other.
    pub fn of(command: &Command, columns: u16, rows: u16) -> Self {
        let mut own = CommandBuilder::new(command.get_program());
        own.args(command.get_args());
        own.env_clear();
        own.env("TERM", "xterm-256color");
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                own.env(name, value);
            }
        }
        Self::start(own, columns, rows)
    }

    /// Starts a program. Its environment is what `command` says.
    pub fn start(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let before = format!("{:?}", pair.master.get_termios());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let screen = vt100::Parser::new(non_zero(rows), non_zero(columns), 0);
        let seen =
            Arc::new((Mutex::new(Seen { bytes: Vec::new(), pieces: Vec::new(), screen, over: false }), Condvar::new()));
        let theirs = Arc::clone(&seen);
        let start = Instant::now();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let n = reader.read(&mut buffer).unwrap_or(0);
                let mut seen = theirs.0.lock().unwrap();
                seen.bytes.extend_from_slice(&buffer[..n]);
                let piece = (start.elapsed(), seen.bytes.len());
                seen.pieces.push(piece);
                seen.screen.process(&buffer[..n]);
                seen.over = n == 0;
                theirs.1.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self { master: pair.master, writer, child, seen, before }
    }

    /// Waits for what `until` says; `reason` is what a failure tells.
    pub fn wait_until(&self, reason: &str, until: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = self.seen.0.lock().unwrap();
        while !until(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !seen.over, "{reason}; the screen was:\n{}", seen.text());
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits for a text on the screen.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(&format!("no `{text}` came"), |seen| seen.shows(text));
    }

    /// Looks at what has come so far.
    pub fn see<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.0.lock().unwrap())
    }

    /// Types.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Changes the window's size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let mut seen = self.seen.0.lock().unwrap();
        seen.screen.screen_mut().set_size(non_zero(rows), non_zero(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// The process that was started.
    pub fn pid(&self) -> i32 {
        self.child.process_id().and_then(|pid| pid.try_into().ok()).unwrap_or_default()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The terminal's device is as it was before the start.
    pub fn is_as_before(&self) -> bool {
        format!("{:?}", self.master.get_termios()) == self.before
    }

    /// Waits for its end; the exit code.
    pub fn wait(&mut self) -> u32 {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = self.seen.0.lock().unwrap();
        while !seen.over {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it doesn't end; the screen was:\n{}", seen.text());
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
        drop(seen);
        self.child.wait().unwrap().exit_code()
    }

    /// After its end: device, modes and screen are as they were.
    pub fn assert_given_back(&self) {
        assert!(self.is_as_before(), "the device is as it was");
        self.see(|seen| {
            assert_eq!(seen.left_behind(), BTreeSet::new(), "nothing stays set");
            assert!(!seen.screen().alternate_screen(), "the main screen is back");
        });
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Not by hanging up, which is a thing that tests try.
        if let (Some(pid), Ok(None)) = (rustix::process::Pid::from_raw(self.pid()), self.child.try_wait()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
