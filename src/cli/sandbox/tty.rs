//! The user's terminal while a command in a sandbox has it.

use std::io;

use rustix::{
    stdio::{stdin, stdout},
    termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr},
};

use crate::api::exec::Pty;

/// Every key goes to the command while it lives; the terminal is as before afterwards, also after a panic.
pub(super) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Takes the terminal.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Rows and columns; a terminal that doesn't know them has the classic ones.
pub(super) fn size() -> (u16, u16) {
    match tcgetwinsize(stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
        _ => (24, 80),
    }
}

/// The terminal as a command is told of it.
pub(super) fn pty() -> Pty {
    let (rows, cols) = size();
    let term = std::env::var("TERM").ok().filter(|t| !t.is_empty()).unwrap_or_else(|| "xterm-256color".to_owned());
    Pty { rows, cols, term }
}
