//! Recordings in asciicast version 2: a line of JSON about the terminal, then one for each piece of output.

use std::fmt::Write;

use serde_json::json;

use crate::pty::Seen;

/// The longest that a player stands still, in seconds: what starts a server or Claude is not worth watching.
const IDLE: f64 = 2.5;

/// All that a program wrote, with its times.
pub fn cast(seen: &Seen, columns: u16, rows: u16) -> String {
    let about = json!({
        "version": 2, "width": columns, "height": rows, "title": "sandbank", "idle_time_limit": IDLE,
        "env": {"TERM": "xterm-256color"},
    });
    let mut lines = format!("{about}\n");
    let (mut from, mut held) = (0, Vec::new());
    for (at, end) in &seen.pieces {
        held.extend_from_slice(&seen.bytes[from..*end]);
        from = *end;
        // A character that is cut in two waits for its other half.
        let whole = held.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
        let text: Vec<u8> = held.drain(..whole).collect();
        let seconds = (at.as_secs_f64() * 1e3).round() / 1e3;
        writeln!(lines, "{}", json!([seconds, "o", String::from_utf8_lossy(&text)])).unwrap();
    }
    lines
}
