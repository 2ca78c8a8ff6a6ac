//! The screen with a sandbox, on a real server.

use std::{fs, os::unix::fs::PermissionsExt};

use rustix::process::Signal;

use crate::{
    program::{self, Place, wait_until},
    pty::Pty,
};

const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

fn open(place: &Place) -> Pty {
    let mut pty = Pty::of(&place.command(&[]), 120, 40);
    pty.wait_for("1 running");
    pty.send("\x1b[?62;22c\x18i");
    pty
}

/// Bytes of a line that scrolls through a full screen of text: what the text costs without escapes, about.
const LINE: usize = 2_500;

/// Writes 200 lines as prose has them, each with its number: hardly a column is as in the line below.
const TEXT: &str = r#"awk 'BEGIN { n = split("volume is mounted before a shell starts and every version keeps its own manifest in the store of objects", w, " "); for (i = 0; i < 200; i++) { s = i; for (k = 0; k < 4 + i * 7 % 8; k++) s = s " " w[(i * 5 + k * 3) % n + 1]; print s } }'"#;

#[test]
fn a_scrolled_line_keeps_its_budget_and_frames_their_brackets() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let mut pty = open(&place);
    pty.send(format!("!{TEXT}\r"));
    pty.wait_for("199 ");
    let settled = |seen: &crate::pty::Seen| seen.bytes.ends_with(END.as_bytes());
    pty.wait_until("the command has ended", |seen| !seen.shows("interrupt"));
    pty.send("\x183");
    pty.wait_until("the transcript has the keys", |seen| seen.shows("P pager") && settled(seen));
    pty.send("\x1b[5~");
    pty.wait_until("a page above is seen", |seen| !seen.shows("199 ") && settled(seen));
    let mut most = 0;
    for _ in 0..5 {
        let (from, before) = pty.see(|seen| (seen.bytes.len(), seen.text()));
        pty.send("k");
        pty.wait_until("a line scrolls", |seen| seen.text() != before && settled(seen));
        most = most.max(pty.see(|seen| seen.bytes.len()) - from);
    }
    assert!((500..=LINE).contains(&most), "a scrolled line: {most} bytes");
    pty.see(|seen| {
        let text = String::from_utf8_lossy(&seen.bytes).into_owned();
        let mut open = false;
        for piece in text.split("\x1b[?2026").skip(1) {
            assert_eq!(piece.starts_with('h'), !open, "brackets alternate");
            open = !open;
        }
        assert!(!open && text.contains(BEGIN));
    });
}

#[test]
fn marked_sandboxes_end_after_one_question_and_each_is_saved() {
    let place = Place::new();
    for name in ["heron", "tern", "owl"] {
        place.json(&["sandbox", "create", "--name", name]);
    }
    place.sh("heron", "echo kept > /mnt/workspace/note");
    let mut pty = Pty::of(&place.command(&[]), 80, 24);
    pty.wait_for("\u{25cf}3");
    // The newest is first: tern and heron are below it.
    pty.send("\x1b[?62;22c\x181gj  ");
    pty.wait_for("2 marked");
    pty.wait_for("t terminate 2");
    pty.send("t");
    pty.wait_for("Terminate 2 sandboxes?");
    pty.wait_for("tern, heron");
    pty.send("s");
    pty.wait_for("tern saved and terminated");
    pty.wait_for("heron saved and terminated");
    pty.wait_until("no mark is left", |seen| seen.shows("\u{25cf}1") && !seen.shows("marked"));
    let left = place.json(&["sandbox", "list"]);
    let names: Vec<_> = left.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["owl"]);
    let versions = place.json(&["version", "list"]);
    let versions = versions.as_array().unwrap();
    assert_eq!(versions.len(), 2, "each has what its sandbox saw: {versions:?}");
    assert!(versions.iter().all(|version| version["files"] == 1), "{versions:?}");
    pty.send("q");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn a_server_that_stands_still_holds_up_neither_keys_nor_the_end() {
    let mut place = Place::new();
    let (pager, paged) = (place.data().with_file_name("pager"), place.data().with_file_name("paged"));
    fs::write(&pager, format!("#!/bin/sh\ncat > {0}.part; mv {0}.part {0}\n", paged.display())).unwrap();
    fs::set_permissions(&pager, fs::Permissions::from_mode(0o700)).unwrap();
    place.env("PAGER", pager.to_str().unwrap());
    place.json(&["sandbox", "create", "--name", "heron"]);
    let mut pty = open(&place);
    pty.send("!echo a grey $((40 + 2))\r");
    pty.wait_for("a grey 42");
    let server = place.server().unwrap();
    program::signal(server, "STOP");
    pty.send("\x18v");
    pty.wait_for("loading the transcript");
    pty.send("still alive");
    pty.wait_for("› still alive");
    program::signal(server, "CONT");
    wait_until("the pager has the text", || fs::read_to_string(&paged).is_ok_and(|text| text.contains("a grey 42")));
    pty.wait_until("the screen is back", |seen| seen.screen().alternate_screen() && seen.shows("› still alive"));

    program::signal(server, "STOP");
    pty.send("\x18v");
    pty.wait_for("loading the transcript");
    pty.signal(Signal::TERM);
    let code = pty.wait();
    program::signal(server, "CONT");
    assert_eq!(code, 128 + 15);
    pty.assert_given_back();

    // The draft was the sandbox's, and comes back to it; what is sent does not.
    let mut pty = open(&place);
    pty.wait_for("› still alive");
    pty.send("\x15!echo sent $((40 + 2))\r");
    pty.wait_for("sent 42");
    pty.signal(Signal::KILL);
    pty.wait();
    let pty = open(&place);
    pty.wait_for("sent 42");
    pty.wait_for("› type a prompt");
}
