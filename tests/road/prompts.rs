//! Questions on a terminal: what is not answered with yes is not done.

use std::io::{Read, Write};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::program::Place;

/// Runs a command on a terminal, types `keys` once it asks `question`, and gives its exit code and what was shown.
fn answer(place: &Place, args: &[&str], question: &str, keys: &str) -> (u32, String) {
    answer_each(place, args, question, |asked| (asked == 1).then(|| keys.to_owned()))
}

/// The same, of a command that asks more than once: `keys` is told which time it is.
fn answer_each(
    place: &Place,
    args: &[&str],
    question: &str,
    mut keys: impl FnMut(usize) -> Option<String>,
) -> (u32, String) {
    let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let command = place.command(args);
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    builder.env_clear();
    for (name, value) in command.get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    let mut child = pty.slave.spawn_command(builder).unwrap();
    drop(pty.slave);
    let (mut reader, mut writer) = (pty.master.try_clone_reader().unwrap(), pty.master.take_writer().unwrap());
    let (mut shown, mut asked) = (String::new(), 0);
    let mut buffer = [0; 4096];
    // Reading a terminal whose last program has ended is an error on Linux.
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        shown.push_str(&String::from_utf8_lossy(&buffer[..n]));
        while shown.matches(question).count() > asked {
            asked += 1;
            if let Some(keys) = keys(asked) {
                writer.write_all(keys.as_bytes()).unwrap();
            }
        }
    }
    assert!(asked > 0, "{args:?} did not ask {question:?}: {shown}");
    (child.wait().unwrap().exit_code(), shown)
}

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

#[test]
fn only_yes_destroys() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    place.sh("heron", "echo grey > heron.txt");
    let version = place.json(&["version", "save", "heron"])["version"].to_string();
    place.sh("heron", "echo blue > heron.txt");

    let restore = ["version", "restore", "heron", "latest"];
    for (keys, code) in [(CTRL_C, 130), (CTRL_D, 2), ("\n", 2), ("n\n", 2), ("what\nno\n", 2)] {
        let (ended, shown) = answer(&place, &restore, "[y/N]", keys);
        assert_eq!(ended, code, "{keys:?}: {shown}");
        assert!(shown.contains("~ heron.txt") && shown.contains(&version), "{shown}");
        assert_eq!(place.sh("heron", "cat heron.txt"), "blue\n", "{keys:?}");
    }
    let (ended, shown) = answer(&place, &restore, "[y/N]", "y\n");
    assert_eq!(ended, 0, "{shown}");
    assert_eq!(place.sh("heron", "cat heron.txt"), "grey\n");

    let terminate = ["sandbox", "terminate", "heron"];
    for (keys, code) in [(CTRL_C, 130), (CTRL_D, 2), ("\n", 2), ("c\n", 2)] {
        let (ended, shown) = answer(&place, &terminate, "[s/u/C]", keys);
        assert_eq!(ended, code, "{keys:?}: {shown}");
        assert_eq!(place.json(&["sandbox", "show", "heron"])["status"], "running", "{keys:?}");
    }
    assert_eq!(answer(&place, &terminate, "[s/u/C]", "s\n").0, 0);
    assert_eq!(place.json(&["version", "list"]).as_array().unwrap().len(), 2, "saved before its end");
    assert_eq!(place.json(&["sandbox", "list"]), serde_json::json!([]));
}

#[test]
fn a_restore_does_what_was_shown() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    place.sh("heron", "echo grey > heron.txt");
    place.json(&["version", "save", "heron"]);
    place.sh("heron", "echo blue > heron.txt; mkdir many; cd many; seq 150 | xargs touch");

    let all = place.ok(&["version", "restore", "heron", "latest", "--dry-run"]);
    assert!(all.contains("~ heron.txt") && all.contains("- many/150 "), "{all}");
    assert_eq!(all.lines().count(), 152, "{all}");
    assert_eq!(place.sh("heron", "cat heron.txt"), "blue\n");

    // Something is written while the user thinks.
    let (ended, shown) = answer_each(&place, &["version", "restore", "heron", "latest"], "[y/N]", |asked| {
        if asked == 1 {
            place.sh("heron", "echo mine > unseen");
        } else {
            assert_eq!(place.sh("heron", "cat heron.txt unseen"), "blue\nmine\n", "nothing is done yet");
        }
        Some(if asked == 1 { "y\n" } else { "n\n" }.to_owned())
    });
    assert_eq!(ended, 2, "{shown}");
    assert!(shown.contains("has changed since you looked"), "{shown}");
    assert_eq!(shown.matches("- unseen").count(), 1, "{shown}");
    assert_eq!(shown.matches("- many/77 ").count(), 2, "all that would be lost is shown, each time: {shown}");
    assert_eq!(place.sh("heron", "cat unseen"), "mine\n");
    let (ended, shown) = answer(&place, &["version", "restore", "heron", "latest"], "[y/N]", "y\n");
    assert_eq!(ended, 0, "{shown}");
    assert_eq!(place.sh("heron", "ls"), "heron.txt\n");

    place.json(&["sandbox", "create", "--name", "second"]);
    place.sh("heron", "rm heron.txt");
    let run = place.command(&["version", "restore", "heron", "latest", "--yes"]).output().unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(told.contains("second has the same workspace"), "{told}");
    assert_eq!(place.json(&["version", "list", "--unfinished"]), serde_json::json!([]));
}
