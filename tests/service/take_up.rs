//! A server that ends in the middle: the next one goes on, and nothing is done or told twice.

use std::path::Path;

use crate::{
    items, new_id, open_gate, place,
    program::{Running, kill, signal, wait_until},
};

/// A command that says one word, waits for the gate, and says another.
const HALVES: &str = "echo one; mkfifo /tmp/half; read -r word < /tmp/half; echo $word";

#[test]
fn a_killed_server_is_replaced_in_the_middle_of_a_command_a_turn_and_an_end() {
    let place = place();
    let create = new_id();
    let args = ["sandbox", "create", "--name", "heron", "--request-id", &create];
    place.ok(&["sandbox", "list"]);
    let creating = Running::start(place.command(&args));
    place.kill_server();
    let (_, said, errors) = creating.finish();
    let made = place.json(&args);
    assert_eq!(made["status"], "running", "{said}{errors}");
    assert_eq!(place.json(&["sandbox", "list", "--all"]).as_array().unwrap().len(), 1, "one sandbox was made");

    let mut exec = Running::start(place.command(&["sandbox", "exec", "heron", "--", "sh", "-c", HALVES]));
    exec.wait_for("one");
    place.kill_server();
    place.sh("heron", "echo two > /tmp/half");
    let (code, said, errors) = exec.finish();
    assert_eq!((code, said.as_str()), (Some(0), "one\ntwo\n"), "{errors}");

    let mut chat = Running::start(place.command(&["chat", "heron", "count the herons"]));
    chat.wait_for("first heron");
    place.kill_server();
    open_gate(&place);
    let (code, said, errors) = chat.finish();
    assert_eq!(code, Some(0), "{said}{errors}");
    assert_eq!((items(&place, "prompt"), items(&place, "text"), items(&place, "result")), (1, 2, 1));
    assert_eq!(place.sh("heron", "cat /tmp/starts"), "start\n", "the CLI ran once");

    let end = new_id();
    let args = ["sandbox", "terminate", "heron", "--no-save", "--yes", "--request-id", &end];
    let ending = Running::start(place.command(&args));
    place.kill_server();
    let _ = ending.finish();
    place.ok(&args);
    let all = place.json(&["sandbox", "list", "--all"]);
    assert_eq!(
        all.as_array().unwrap().iter().map(|s| s["status"].as_str().unwrap()).collect::<Vec<_>>(),
        ["terminated"]
    );
}

#[test]
fn a_server_that_is_told_to_end_leaves_the_turn_to_the_next() {
    let place = place();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let id = new_id();
    let args = ["chat", "heron", "count the herons", "--request-id", &id];
    let mut chat = Running::start(place.command(&args));
    chat.wait_for("first heron");
    let server = place.server().unwrap();
    kill(chat.pid());
    signal(server, "TERM");
    wait_until("the server has ended", || !Path::new(&format!("/proc/{server}")).exists());
    open_gate(&place);
    let said = place.ok(&args);
    assert!(said.contains("second heron"), "{said}");
    assert_eq!((items(&place, "prompt"), items(&place, "text"), items(&place, "result")), (1, 2, 1));
}

#[test]
fn what_a_killed_server_left_of_ended_commands_goes() {
    let place = place();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let first = new_id();
    place.ok(&["sandbox", "exec", "heron", "--request-id", &first, "--", "true"]);
    for _ in 0..6 {
        place.sh("heron", "true");
    }
    let left = "ls /tmp/.sandbank";
    assert!(place.sh("heron", left).contains(&first), "it is among those that are kept");
    place.kill_server();
    // The next few commands make it one too many.
    wait_until("it is gone", || !place.sh("heron", left).contains(&first));
}
