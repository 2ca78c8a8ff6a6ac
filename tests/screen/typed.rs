//! What is typed and pasted, however its bytes come.

use super::{Stalled, program::wait_until, pty::Pty};

/// The screen with the caret in an empty prompt.
fn at_the_prompt(place: &Stalled) -> Pty {
    let mut pty = place.open(100, 30);
    pty.send("\x18i");
    pty.send("ab");
    pty.wait_for("› ab");
    pty
}

#[test]
fn a_large_paste_in_fragments_arrives_whole() {
    let place = Stalled::new();
    let mut pty = at_the_prompt(&place);
    let lines = |end: &str| (0..1_200).map(|n| format!("{n:04} {}{end}", "x".repeat(94))).collect::<String>();
    let paste = format!("\x1b[200~{}\x1b[201~", lines("\r"));
    assert!(paste.len() > 120_000);
    for piece in paste.as_bytes().chunks(997) {
        pty.send(piece);
    }
    pty.wait_for("ab[pasted 120 kB, 1,200 lines #1]");
    pty.send("c");
    wait_until("all of it is in the draft", || place.kept() == format!("ab{}c", lines("\n")));
}

#[test]
fn a_sequence_in_two_writes_is_one_key() {
    let place = Stalled::new();
    let mut pty = at_the_prompt(&place);
    pty.send("c\x1b[");
    pty.wait_for("› abc");
    pty.send("Dx");
    pty.wait_for("› abxc");
}

#[test]
fn late_replies_are_never_keys() {
    let place = Stalled::new();
    let mut pty = at_the_prompt(&place);
    let late = "\x1b]11;rgb:0000/0000/0000\x1b\\\x1b]10;rgb:ffff/ffff/ffff\x07\x1b[?62;4;22c\x1b[?1u\x1b[?2026;2$y\
                \x1bP>|term 1.0\x1b\\\x1b[>1;10;0c\x1b[12;3R\x1b_Gi=1;OK\x1b\\";
    for byte in late.as_bytes() {
        pty.send([*byte]);
    }
    pty.send(format!("{late}x"));
    pty.wait_for("› abx");
    wait_until("nothing else was typed", || place.kept() == "abx");
}
