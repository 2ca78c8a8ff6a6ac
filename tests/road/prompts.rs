//! Questions on a terminal: what is not answered with yes is not done.

use std::io::{Read, Write};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::program::Place;

/// Runs a command on a terminal, types `keys` once it asks `question`, and gives its exit code and what was shown.
fn answer(place: &Place, args: &[&str], question: &str, keys: &str) -> (u32, String) {
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
    let (mut shown, mut typed) = (String::new(), false);
    let mut buffer = [0; 4096];
    // Reading a terminal whose last program has ended is an error on Linux.
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        shown.push_str(&String::from_utf8_lossy(&buffer[..n]));
        if !typed && shown.contains(question) {
            writer.write_all(keys.as_bytes()).unwrap();
            typed = true;
        }
    }
    assert!(typed, "{args:?} did not ask {question:?}: {shown}");
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
