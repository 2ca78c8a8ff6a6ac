//! The whole road once more, by keys through the real screen.

use std::time::Instant;

use serde_json::json;

use crate::{
    program::{self, KEY, Place},
    pty::Pty,
    scripted_api::{Gate, Part, ScriptedApi, text},
};

/// ctrl-x, and what follows it.
fn chord(key: &str) -> String {
    format!("\u{18}{key}")
}

const ENTER: &str = "\r";
const CTRL_C: &str = "\u{3}";

/// The screen on a place, with what its commands have in their environment.
fn open(place: &Place) -> Pty {
    Pty::of(&place.command(&[]), 120, 40)
}

#[test]
fn the_whole_road_by_keys() {
    let Some(claude) = program::claude() else { return };
    let gate = Gate::new();
    let write = json!({"file_path": "/mnt/workspace/heron.txt", "content": "a grey heron\n"});
    let api = ScriptedApi::start(
        KEY,
        vec![
            vec![text("First I write it. "), Part::Tool("Write", write)],
            vec![text("The **heron** file "), Part::Wait(gate.clone()), text("is there now.")],
        ],
    );
    let place = Place::with_claude(&claude, api.url());
    let mut screen = open(&place);

    // A sandbox, with nothing but its name.
    screen.wait_for("n creates a sandbox");
    screen.send("n");
    screen.wait_for("New sandbox");
    screen.send(format!("heron{ENTER}"));
    screen.wait_until("the sandbox runs", |seen| seen.shows("1 running") && !seen.shows("Creating a sandbox"));

    // A shell command needs no key.
    screen.send(chord("i"));
    screen.send(format!("!echo a grey $((40 + 2)){ENTER}"));
    screen.wait_for("a grey 42");

    // A prompt: the answer streams in, as markdown, with its tool.
    screen.send(format!("make a heron file{ENTER}"));
    screen.wait_until("half of the answer is there", |seen| seen.shows("The heron file"));
    // A second screen shows the same, in the middle of the turn.
    let mut second = open(&place);
    second.wait_for("The heron file");
    gate.open();
    screen.wait_for("The heron file is there now.");
    screen.wait_for("heron.txt");
    second.wait_for("The heron file is there now.");
    second.send(chord("q"));
    second.wait();
    second.assert_given_back();

    // Saved, damaged, restored as it was.
    screen.send(chord("s"));
    screen.wait_until("the version is in its pane", |seen| seen.shows("1 file ") && !seen.shows("Saving a version"));
    screen.send(chord("i"));
    screen.send(format!("!rm heron.txt; echo x > new{ENTER}"));
    screen.wait_for("echo x > new");
    program::wait_until("the damage is done", || place.sh("heron", "ls") == "new\n");
    screen.send(chord("2"));
    screen.send(ENTER);
    screen.wait_for("1 deleted");
    screen.send(format!("\t{ENTER}"));
    program::wait_until("it is as it was", || place.sh("heron", "cat heron.txt; ls") == "a grey heron\nheron.txt\n");

    // The dialog has gone. The server dies; the screen goes on with the next one, and one that is opened then has the conversation.
    screen.wait_for("q quit");
    place.kill_server();
    screen.send(chord("i"));
    screen.send(format!("!echo still $((40 + 2)){ENTER}"));
    screen.wait_for("still 42");
    screen.send(chord("1"));
    screen.wait_for("q quit");
    screen.send("q");
    screen.wait();
    screen.assert_given_back();

    let mut screen = open(&place);
    screen.wait_for("The heron file is there now.");
    screen.send(chord("t"));
    screen.wait_for("without saving");
    screen.send("w");
    program::wait_until("the sandbox has ended", || place.json(&["sandbox", "list"]) == json!([]));
    // Also over the dialog of what was done.
    screen.send(chord("q"));
    screen.wait();
    screen.assert_given_back();
}

/// Most that the screen may have had in memory, in kB. It has a few megabytes; a debug build brings more with it, and what
/// a flood leaves is bounded whatever came.
const MOST_MEMORY: u64 = 200 << 10;

#[test]
fn keys_are_answered_while_output_floods_the_screen() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let mut screen = open(&place);
    screen.wait_for("1 running");
    screen.send(chord("i"));
    screen.send(format!("!yes a grey heron{ENTER}"));
    screen.wait_until("the flood is seen", |seen| seen.text().matches("a grey heron").count() > 3);
    let (before, since) = (screen.see(|seen| seen.bytes.len()), Instant::now());
    for word in ["what ", "I ", "type ", "is ", "there"] {
        screen.send(word);
        screen.wait_until("a key has its echo", |seen| seen.shows(word.trim_end()));
    }
    screen.wait_for("what I type is there");
    // Other panes and dialogs too.
    screen.send(chord("?"));
    screen.wait_for("Keys");
    screen.send("q");
    screen.wait_until("the help has gone", |seen| !seen.shows("Keys"));
    // What streams is drawn as an eye can follow, not as it comes: 62 frames a second of a few kilobytes.
    let drawn = screen.see(|seen| seen.bytes.len()) - before;
    let rate = drawn as f64 / since.elapsed().as_secs_f64().max(1.0);
    assert!(rate < 500e3, "{rate} bytes a second were drawn");
    screen.wait_for("what I type is there");
    let memory = program::peak_memory(screen.pid().unsigned_abs());
    assert!(memory < MOST_MEMORY, "the screen has had {memory} kB");
    // However much is on its way: it can be stopped, and its end comes.
    screen.send(CTRL_C);
    screen.wait_for("interrupted");
    screen.wait_for("what I type is there");
    assert_eq!(place.sh("heron", "echo alive"), "alive\n");
    screen.send(chord("q"));
    screen.wait();
    screen.assert_given_back();
}
