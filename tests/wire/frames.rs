//! Frames: whole, inside mode 2026, and within their budget of bytes.

use super::{command, opened, pty::Pty};

const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// What came since `from`, once `until` is there and the frame is closed.
fn since(pty: &Pty, from: usize, until: &str) -> String {
    pty.wait_until(until, |seen| seen.shows(until) && seen.bytes.ends_with(END.as_bytes()));
    pty.see(|seen| String::from_utf8_lossy(&seen.bytes[from..]).into_owned())
}

fn now(pty: &Pty) -> usize {
    pty.see(|seen| seen.bytes.len())
}

/// Bytes of the first frame and of a line that scrolls: what a full screen of text costs without escapes, about.
#[rstest::rstest]
#[case(80, 24, 5_200, 1_200)]
#[case(120, 40, 11_000, 2_300)]
#[case(200, 60, 16_900, 3_700)]
fn frames_keep_their_budgets(#[case] columns: u16, #[case] rows: u16, #[case] first: usize, #[case] line: usize) {
    let mut pty = opened(columns, rows);
    pty.send("x");
    pty.wait_for("0: key x");
    let opening = pty.see(|seen| {
        let text = String::from_utf8_lossy(&seen.bytes).into_owned();
        text[text.find(BEGIN).unwrap()..].find(END).unwrap()
    });
    assert!(opening <= first, "the first frame: {opening} bytes");

    let from = now(&pty);
    pty.send("t");
    let typed = since(&pty, from, "1: key t");
    assert_eq!((typed.matches(BEGIN).count(), typed.matches(END).count()), (1, 1), "{typed:?}");
    assert!(typed.starts_with(BEGIN) && typed.ends_with(END), "{typed:?}");
    assert!(typed.len() <= 80, "a letter and a line: {} bytes, {typed:?}", typed.len());

    let from = now(&pty);
    pty.send("s");
    let scrolled = since(&pty, from, "2: key s");
    assert!(scrolled.len() <= line, "a scrolled line: {} bytes", scrolled.len());
    assert!(!scrolled.contains("\x1b[2J"), "nothing is cleared");
}

#[test]
fn the_cursor_is_the_terminals_own() {
    let mut pty = opened(80, 24);
    pty.send("tt");
    pty.wait_until("the cursor stands behind what was typed", |seen| {
        seen.shows("> tt") && !seen.screen().hide_cursor() && seen.screen().cursor_position() == (1, 4)
    });
}

#[test]
fn nothing_changed_is_nothing_written() {
    let mut pty = opened(80, 24);
    // A release of the mouse is no event; the key behind it is.
    pty.send("\x1b[<0;1;1m");
    let from = now(&pty);
    pty.send("\x1b[I");
    pty.wait_for("gained: true");
    let text = pty.see(|seen| String::from_utf8_lossy(&seen.bytes[from..]).into_owned());
    assert_eq!(text.matches(BEGIN).count(), 1, "{text:?}");
}

#[test]
fn no_escape_of_a_text_reaches_the_terminal() {
    let mut pty = opened(80, 24);
    pty.send("!");
    pty.wait_for("0: key !");
    pty.see(|seen| {
        let text = String::from_utf8_lossy(&seen.bytes);
        assert!(!text.contains("\x1b]0;") && !text.contains('\u{9b}') && !text.contains('\x07'), "{text:?}");
    });
}

#[test]
fn a_storm_of_sizes_ends_in_the_last_one() {
    let mut pty = opened(120, 40);
    for (columns, rows) in (1..40).map(|n| (3 * n, n)).chain([(1, 1), (2, 1), (1, 200), (300, 1), (1, 1)]) {
        pty.resize(columns, rows);
    }
    pty.send("x");
    pty.resize(100, 30);
    pty.wait_until("it draws at the last size", |seen| seen.shows("size 100x30") && seen.shows("key x"));
    pty.send("q");
    assert_eq!(pty.wait(), 0);
    pty.assert_given_back();
}

#[test]
fn a_copy_is_sent_but_for_one_that_is_too_long() {
    let mut pty = opened(80, 24);
    pty.send("c");
    pty.wait_for("sent true");
    let sent = "\x1b]52;c;dGV4dCBmb3IgdGhlIGNsaXBib2FyZA==\x1b\\";
    assert!(pty.see(|seen| String::from_utf8_lossy(&seen.bytes).contains(sent)));
    pty.send("C");
    pty.wait_for("sent false");
    assert_eq!(pty.see(|seen| String::from_utf8_lossy(&seen.bytes).matches("\x1b]52;").count()), 1);
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let mut pty = opened(80, 24);
    pty.send("m");
    pty.wait_until("mouse modes go", |seen| !seen.left_behind().contains("1000"));
    pty.send("q");
    pty.wait();
    pty.assert_given_back();
}

#[test]
fn colours_are_the_themes_matter_not_the_environments() {
    let mut command = command("plain");
    command.env("NO_COLOR", "1");
    let pty = Pty::start(command, 80, 24);
    pty.wait_for("pid ");
}

const ASK: &str = "\x1b[5n";
const ANSWER: &str = "\x1b[0n";

/// What is behind ssh may be seconds behind: it gets no more frames than it can be asked for.
#[test]
fn a_far_terminal_that_does_not_answer_gets_a_few_frames_and_then_the_last_one() {
    let mut pty = Pty::start(command("far"), 120, 40);
    pty.wait_for("pid ");
    pty.send("\x1b[?62;22c");
    pty.send(ANSWER);
    let from = now(&pty);
    let text = |pty: &Pty| pty.see(|seen| String::from_utf8_lossy(&seen.bytes[from..]).into_owned());
    pty.send("s".repeat(60));
    // An order goes out whatever is before it: by then all those keys were taken.
    pty.send("m");
    pty.wait_until("the mouse is off", |seen| String::from_utf8_lossy(&seen.bytes[from..]).contains("\x1b[?1000l"));
    let before = text(&pty);
    assert!(before.len() < 25_000, "{} bytes", before.len());
    assert!(!before.contains("key m"), "its frame waits");
    let asked = before.matches(ASK).count();
    assert!(asked > 1);
    pty.send(ANSWER.repeat(asked));
    pty.wait_for("60: key m");
    pty.send("q");
    assert_eq!(pty.wait(), 0);
    pty.assert_given_back();
}
