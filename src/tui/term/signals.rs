//! Signals that a program on a terminal has to hear.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use futures::FutureExt;
use rustix::process::{Signal as Kill, getpgid, getpgrp, getppid, getsid, kill_current_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// To end; the signal's number.
    End(i32),
    /// The window has another size.
    Resized,
    /// To stand still.
    Stop,
    /// We stood still and go on.
    Continued,
}

/// One of each.
#[derive(Debug)]
pub(super) struct Signals {
    ends: [(Signal, i32); 4],
    resized: Signal,
    stop: Signal,
    continued: Signal,
    /// Until then a ctrl-c is one for a program that had the terminal.
    of_another: Option<Instant>,
}

/// How late a signal may be that was sent to us and to a program that ended by it.
const LATE: Duration = Duration::from_millis(500);

const HUP: i32 = 1;
const INT: i32 = 2;
const QUIT: i32 = 3;
const TERM: i32 = 15;

impl Signals {
    pub fn new() -> io::Result<Self> {
        let end = |number| Ok::<_, io::Error>((signal(SignalKind::from_raw(number))?, number));
        Ok(Self {
            ends: [end(HUP)?, end(TERM)?, end(INT)?, end(QUIT)?],
            resized: signal(SignalKind::window_change())?,
            stop: signal(SignalKind::from_raw(Kill::TSTP.as_raw()))?,
            continued: signal(SignalKind::from_raw(Kill::CONT.as_raw()))?,
            of_another: None,
        })
    }

    /// The next one. Can be given up without loss.
    pub async fn next(&mut self) -> Told {
        loop {
            let [hup, term, int, quit] = &mut self.ends;
            let told = tokio::select! {
                biased;
                _ = hup.0.recv() => Told::End(hup.1),
                _ = term.0.recv() => Told::End(term.1),
                _ = int.0.recv() => Told::End(int.1),
                _ = quit.0.recv() => Told::End(quit.1),
                _ = self.stop.recv() => Told::Stop,
                _ = self.continued.recv() => Told::Continued,
                _ = self.resized.recv() => Told::Resized,
            };
            if told != Told::End(INT) || self.of_another.is_none_or(|until| Instant::now() >= until) {
                return told;
            }
        }
    }

    /// The next one that matters while a program has the terminal: to stand still, or to end. ctrl-c is that program's,
    /// and so is the window's size.
    pub async fn while_lent(&mut self) -> Told {
        let [hup, term, _, quit] = &mut self.ends;
        tokio::select! {
            biased;
            _ = hup.0.recv() => Told::End(hup.1),
            _ = term.0.recv() => Told::End(term.1),
            _ = quit.0.recv() => Told::End(quit.1),
            _ = self.stop.recv() => Told::Stop,
        }
    }

    /// Forgets ctrl-c that was typed for a program that had the terminal: it reaches all of its group, and us perhaps
    /// after the program's end. With our modes no key makes that signal.
    pub fn forget_keys(&mut self) {
        self.of_another = Some(Instant::now() + LATE);
        for (signal, number) in &mut self.ends {
            while *number == INT && signal.recv().now_or_never().is_some() {}
        }
        while self.continued.recv().now_or_never().is_some() {}
    }
}

/// Stands still with all of the own group, until somebody says to go on.
///
/// By SIGSTOP: what SIGTSTP does by itself is gone for good once it is caught. Where nobody could wake us, because no
/// shell with job control waits, nothing happens, as with SIGTSTP.
pub(super) fn stand_still() {
    if nobody_waits() || kill_current_process_group(Kill::STOP).is_err() {
        return;
    }
    // The call may come back a moment before the process stops, and the terminal is not ours in that moment.
    thread::sleep(Duration::from_millis(20));
}

/// The group is an orphan: a session's first, or started from outside the session.
fn nobody_waits() -> bool {
    let Ok(session) = getsid(None) else { return true };
    let group = getpgrp();
    let parent = getppid();
    let of_session = getsid(parent).is_ok_and(|of| of == session);
    let of_group = getpgid(parent).is_ok_and(|of| of == group);
    group == session || parent.is_none() || !(of_session || of_group)
}
