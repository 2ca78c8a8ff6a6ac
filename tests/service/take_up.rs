//! A server that ends in the middle: the next one goes on, and nothing is done or told twice.

use std::path::Path;

use serde_json::Value;

use crate::{
    chatty, items, new_id,
    program::{Place, Running, kill, signal, wait_until},
    stops::{Point, Who},
};

/// A command that says one word, waits for the gate, and says another.
const HALVES: &str = "echo one; mkfifo /tmp/half; read -r word < /tmp/half; echo $word";

fn statuses(place: &Place) -> Vec<String> {
    let all = place.json(&["sandbox", "list", "--all"]);
    all.as_array().unwrap().iter().map(|s| s["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_killed_server_is_replaced_in_the_middle_of_a_creation_and_a_command() {
    let place = Place::new();
    let create = new_id();
    let args = ["sandbox", "create", "--name", "heron", "--request-id", &create];
    place.ok(&["sandbox", "list"]);
    let creating = Running::start(place.command(&args));
    place.kill_server();
    let (_, said, errors) = creating.finish();
    let made = place.json(&args);
    assert_eq!(made["status"], "running", "{said}{errors}");
    assert_eq!(statuses(&place), ["running"], "one sandbox was made");

    let mut exec = Running::start(place.command(&["sandbox", "exec", "heron", "--", "sh", "-c", HALVES]));
    exec.wait_for("one");
    place.kill_server();
    place.sh("heron", "echo two > /tmp/half");
    let (code, said, errors) = exec.finish();
    assert_eq!((code, said.as_str()), (Some(0), "one\ntwo\n"), "{errors}");
}

#[test]
fn an_end_with_a_save_is_taken_up_and_saves_once() {
    for (who, name) in [(Who::Mover, "sending"), (Who::Server, "published"), (Who::Server, "ended")] {
        let (place, point) = (Place::new().with_stops(), Point { who, name, nth: 1 });
        place.create_with_stops("heron");
        place.sh("heron", "echo grey > heron.txt");
        let id = new_id();
        let args = ["sandbox", "terminate", "heron", "--save", "--yes", "--request-id", &id];
        let (server, keeper) = (place.server().unwrap(), place.keeper("default", "heron"));
        place.stop_at("heron", point);
        let ending = Running::start(place.command(&args));
        let stopped = place.stopped(point, server, keeper);
        kill(server);
        drop(stopped);
        let _ = ending.finish();
        let ended = place.json(&args);
        assert_eq!(statuses(&place), ["terminated"], "{point:?}");
        let versions = place.json(&["version", "list"]);
        let saved = versions.as_array().unwrap().iter().map(|v| v["version"].clone()).collect::<Vec<Value>>();
        assert_eq!(saved, [ended["saved"]["version"].clone()], "{point:?}: {ended}");
    }
}

#[test]
fn a_server_that_is_told_to_end_leaves_the_turn_to_the_next() {
    let Some((place, _api, gate)) = chatty() else { return };
    place.json(&["sandbox", "create", "--name", "heron"]);
    let id = new_id();
    let args = ["chat", "heron", "count the herons", "--request-id", &id];
    let mut chat = Running::start(place.command(&args));
    chat.wait_for("first heron");
    let server = place.server().unwrap();
    kill(chat.pid());
    signal(server, "TERM");
    wait_until("the server has ended", || !Path::new(&format!("/proc/{server}")).exists());
    gate.open();
    let said = place.ok(&args);
    assert!(said.contains("second heron"), "{said}");
    assert_eq!((items(&place, "prompt"), items(&place, "text"), items(&place, "result")), (1, 1, 1));
}

#[test]
fn what_a_killed_server_left_of_ended_commands_goes() {
    let place = Place::new();
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
