//! The only place that writes to stdout and stderr.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use serde::Serialize;

use crate::core::text::sanitize_line;

/// A line of what was asked for.
pub(super) fn line(text: impl fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// A name and its value, which may come from outside; values stand under one another.
pub(super) fn field(name: &str, value: &str) -> io::Result<()> {
    line(format_args!("{name:<11}{}", sanitize_line(value)))
}

/// Text or bytes as they are, at once.
pub(super) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A document on a line of its own.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    raw(&text)
}

/// A message beside what was asked for. When nobody can read it, the work still counts.
pub(super) fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text at the end of which the cursor stays: a question.
pub(super) fn prompt(text: impl fmt::Display) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{text}").and_then(|()| err.flush());
}

/// Less important text of stdout.
pub(super) fn dim(text: &str) -> String {
    dim_on(io::stdout().is_terminal(), text)
}

/// Less important text of stderr.
pub(super) fn dim_note(text: &str) -> String {
    dim_on(io::stderr().is_terminal(), text)
}

/// Dim on a terminal whose user has not said no to colours.
fn dim_on(terminal: bool, text: &str) -> String {
    let plain = !terminal || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if plain { text.to_owned() } else { format!("\u{1b}[2m{text}\u{1b}[0m") }
}
