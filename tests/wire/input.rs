//! Bytes of a terminal, however they come.

use super::opened;

#[test]
fn replies_are_never_keys() {
    let mut pty = opened(80, 24);
    let late = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b]10;rgb:0000/0000/0000\x07\x1b[?62;4;22c\x1b[?1u\x1b[?2026;2$y\
                \x1bP>|term 1.0\x1b\\\x1b[>1;10;0c\x1b[12;3R\x1b_Gi=1;OK\x1b\\";
    // Byte by byte, then at once.
    for byte in late.as_bytes() {
        pty.send([*byte]);
    }
    pty.send(format!("{late}x"));
    pty.wait_for("key x");
    pty.see(|seen| {
        let keys = seen.text().lines().filter(|line| line.contains(": ")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(keys, ["0: Background { background: Light }", "1: key x"]);
    });
}

#[test]
fn a_large_paste_is_one_event_however_it_is_torn() {
    let mut pty = opened(80, 24);
    let line = format!("{}\r", "x".repeat(99));
    let paste = format!("\x1b[200~{}\x1b[201~", line.repeat(1_200));
    for piece in paste.as_bytes().chunks(997) {
        pty.send(piece);
    }
    pty.wait_for("0: paste 120000 1200");
    pty.send("x");
    pty.wait_for("1: key x");
}

#[test]
fn escape_alone_is_a_key_by_the_clock() {
    let mut pty = opened(80, 24);
    pty.send("\x1b");
    pty.wait_for("0: key esc");
    pty.send("\x1b[A");
    pty.wait_for("1: key up");
}

#[test]
fn what_is_torn_in_the_middle_waits_for_its_rest() {
    let mut pty = opened(80, 24);
    pty.send("x\x1b[1;5");
    pty.wait_for("0: key x");
    pty.send("C");
    pty.wait_for("1: key ctrl-right");
}
