//! What a terminal shows that measures clusters in its own way.

use std::num::NonZero;

use proptest::prelude::*;
use ratatui::{Terminal, style::Style};

use super::*;

const COLUMNS: u16 = 24;
const ROWS: u16 = 4;

/// A terminal that takes a cluster for as wide as its characters together: a family for six columns.
struct Seen {
    ours: Terminal<Screen>,
    theirs: vt100::Parser,
}

impl Seen {
    fn new() -> Self {
        let Ok(ours) = Terminal::new(Screen::new(COLUMNS, ROWS));
        let size = |n| NonZero::new(n).unwrap();
        Self { ours, theirs: vt100::Parser::new(size(ROWS), size(COLUMNS), 0) }
    }

    /// Draws a frame; its bytes.
    fn draw(&mut self, rows: &[String]) -> String {
        let Ok(_) = self.ours.draw(|frame| {
            for (y, row) in (0..ROWS).zip(rows) {
                frame.buffer_mut().set_stringn(0, y, row, usize::from(COLUMNS), Style::new());
            }
        });
        let bytes = std::mem::take(&mut self.ours.backend_mut().out);
        self.theirs.process(&bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn shown(&self) -> String {
        let contents = self.theirs.screen().contents();
        // A blank that was written is as empty as none.
        contents.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// Draws all anew, as ctrl-l does.
    fn redraw(&mut self, rows: &[String]) {
        self.ours.backend_mut().anew();
        let Ok(()) = self.ours.clear();
        self.draw(rows);
    }
}

fn rows(rows: &[&str]) -> Vec<String> {
    rows.iter().copied().map(String::from).collect()
}

const FAMILY: &str = "👩\u{200d}👩\u{200d}👧";

#[test]
fn a_cluster_that_is_wider_there_leaves_no_ghost() {
    let mut seen = Seen::new();
    // tmux has each half of a flag in a cell of its own.
    for wide in [FAMILY, "🇯🇵"] {
        seen.draw(&rows(&[&format!("ab{wide}"), "second"]));
        seen.draw(&rows(&["abc", "second"]));
        assert_eq!(seen.shown(), "abc\nsecond");
    }
    seen.draw(&rows(&[&format!("a{FAMILY} |"), "second"]));
    seen.draw(&rows(&[&format!("b{FAMILY} |"), "second"]));
    let scrolled = seen.shown();
    seen.redraw(&rows(&[&format!("b{FAMILY} |"), "second"]));
    assert_eq!(scrolled, seen.shown());
}

#[test]
fn a_cluster_at_the_edge_stays_in_its_row() {
    let mut seen = Seen::new();
    let edge = format!("{}{FAMILY}", "x".repeat(22));
    let bytes = seen.draw(&rows(&[&edge, "second"]));
    let (stay, wrap) = (bytes.find("\x1b[?7l").unwrap(), bytes.find("\x1b[?7h").unwrap());
    assert!(bytes[stay..wrap].contains(FAMILY), "{bytes:?}");
}

#[test]
fn rows_without_such_a_cluster_cost_only_what_changed() {
    let mut seen = Seen::new();
    seen.draw(&rows(&[FAMILY, "e\u{301}tat second", "日本 third"]));
    let bytes = seen.draw(&rows(&[FAMILY, "e\u{301}tat sEcond", "日本 thIrd"]));
    assert_eq!(bytes, "\x1b[?2026h\x1b[2;7HE\x1b[3;8HI\x1b[?2026l");
    assert_eq!(seen.draw(&rows(&[FAMILY, "e\u{301}tat sEcond", "日本 thIrd"])), "");
}

#[test]
fn a_few_letters_are_written_again_where_a_move_is_longer() {
    let mut seen = Seen::new();
    seen.draw(&rows(&["abcdefghij 日本 xy"]));
    let bytes = seen.draw(&rows(&["AbCdefGhijk日本 Xy"]));
    assert!(bytes.contains("AbCdefG") && !bytes.contains("\x1b[C"), "{bytes:?}");
    let bytes = seen.draw(&rows(&["abcdefghij 日本 xy"]));
    assert!(!bytes.contains('日'), "wide ones are moved over: {bytes:?}");
    assert_eq!(seen.shown(), "abcdefghij 日本 xy");
}

#[test]
fn what_is_uncertain() {
    for symbol in ["🇯🇵", FAMILY, "❤\u{fe0f}", "1\u{fe0f}\u{20e3}", "👍🏽", "नि"] {
        assert!(uncertain(symbol), "{symbol}");
    }
    for symbol in ["", " ", "a", "日", "👍", "e\u{301}", "e\u{301}\u{302}"] {
        assert!(!uncertain(symbol), "{symbol}");
    }
}

proptest! {
    #[test]
    fn whatever_is_drawn_looks_as_if_drawn_anew(frames in prop::collection::vec(prop::collection::vec(
        prop::collection::vec(prop::sample::select(vec!["a", " ", "bc", "日", FAMILY, "👍🏽", "🇯🇵", "e\u{301}"]), 0..9),
        4), 1..6))
    {
        let mut seen = Seen::new();
        let mut last = Vec::new();
        for frame in frames {
            // Room for the widest: what a terminal does at its edge is its own.
            last = frame.iter().map(|row| row.concat()).filter(|row| row.chars().count() <= 8).collect();
            seen.draw(&last);
        }
        let shown = seen.shown();
        seen.redraw(&last);
        prop_assert_eq!(shown, seen.shown());
    }
}
