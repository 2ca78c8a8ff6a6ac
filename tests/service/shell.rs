//! Shell commands of the user's own: they grow on the screen, end as items, and outlive servers.

use std::io::{BufRead, BufReader, Write};

use serde_json::{Value, json};

use crate::{
    connect, get, new_id, post,
    program::{Place, wait_until},
};

const SCOPE: &str = "account=default&profile=local";

/// Has a command begun; gives its id.
fn shell(place: &Place, command: &str) -> String {
    let id = new_id();
    let request = json!({
        "request_id": id, "account": "default", "profile": "local", "kind": "shell",
        "body": {"sandbox": "heron", "command": command},
    });
    let said = post(place, "/v1/commands", &request);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    id
}

/// How a command ended.
fn ended(place: &Place, id: &str) -> Value {
    let mut answer = Value::Null;
    wait_until("the command has ended", || {
        answer = get(place, &format!("/v1/commands/{id}"));
        answer["state"] == "done" || answer["state"] == "failed"
    });
    answer
}

/// The item of a command, once it is there.
fn item(place: &Place, id: &str) -> Value {
    let mut found = None;
    wait_until("the command has an item", || {
        let page = get(place, &format!("/v1/sandboxes/heron/conversation?{SCOPE}&limit=500"));
        found = page["items"].as_array().unwrap().iter().find(|item| item["key"] == id).cloned();
        found.is_some()
    });
    found.unwrap()
}

fn heron() -> Place {
    // No key and no `claude` is needed.
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    place
}

#[test]
fn what_a_command_says_is_an_item_with_its_exit_code() {
    let place = heron();
    let id = shell(&place, "-x 2>/dev/null; pwd; echo err >&2; echo out; cat; exit 3");
    let answer = ended(&place, &id);
    assert_eq!((&answer["state"], &answer["result"]), (&json!("done"), &json!({"exit_code": 3})), "{answer}");
    let item = item(&place, &id);
    assert_eq!(item["output"], "/mnt/workspace\nerr\nout\n", "both streams in their order, nothing to read: {item}");
    assert_eq!((&item["name"], &item["state"], &item["exit_code"]), (&json!("Shell"), &json!("failed"), &json!(3)));
    assert_eq!(item["input"]["command"], "-x 2>/dev/null; pwd; echo err >&2; echo out; cat; exit 3");

    let id = shell(&place, "yes heron | head -c 3000000; echo; echo the end");
    assert_eq!(ended(&place, &id)["result"]["exit_code"], 0);
    let output = self::item(&place, &id)["output"].as_str().unwrap().to_owned();
    assert!(output.starts_with("heron\n") && output.ends_with("\nthe end\n"));
    assert!(output.len() < 300_000 && output.contains("bytes are left out"), "{}", output.len());

    let found = get(&place, &format!("/v1/sandboxes/heron/search?{SCOPE}&text=THE%20END"));
    assert_eq!(found, json!([1]));
}

#[test]
fn a_command_grows_for_those_who_follow_and_can_be_stopped() {
    let place = heron();
    let mut stream = connect(&place);
    write!(stream, "GET /v1/events?account=default HTTP/1.1\r\nhost: sandbank\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream);
    let mut next = |what: &str| loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the stream ended before {what}");
        if let Some(data) = line.strip_prefix("data:")
            && data.contains(what)
        {
            return serde_json::from_str::<Value>(data).unwrap();
        }
    };
    next("keyframe");
    let id = shell(&place, "trap '' INT; echo begun; sleep 600 & wait; wait");
    let begun = next("\"items\"");
    assert_eq!((&begun["items"][0]["key"], &begun["items"][0]["state"]), (&json!(id), &json!("running")));
    let delta = next("\"delta\"");
    let shown = (&delta["block"], &delta["item"], &delta["text"], &delta["from"]);
    assert_eq!(shown, (&json!("output"), &json!(id), &json!("begun\n"), &json!(0)));
    let under_way = get(&place, &format!("/v1/commands?{SCOPE}"));
    assert_eq!((&under_way[0]["request_id"], &under_way[0]["sandbox"]), (&json!(id), &json!("heron")), "{under_way}");

    post(&place, &format!("/v1/commands/{id}/interrupt"), &json!(null));
    let item = next("\"items\"");
    assert_eq!((&item["items"][0]["state"], &item["items"][0]["output"]), (&json!("interrupted"), &json!("begun\n")));
    assert_eq!(ended(&place, &id)["error"]["code"], "interrupted");

    // Who says that all is well when it is stopped was stopped all the same.
    let id = shell(&place, "trap 'exit 0' INT; echo up; while :; do sleep 0.05; done");
    while next("\"delta\"")["text"] != "up\n" {}
    post(&place, &format!("/v1/commands/{id}/interrupt"), &json!(null));
    assert_eq!(ended(&place, &id)["error"]["code"], "interrupted");
    assert_eq!(self::item(&place, &id)["state"], "interrupted");
    assert_eq!(get(&place, &format!("/v1/commands?{SCOPE}")), json!([]));
}

#[test]
fn a_stop_that_overtakes_its_command_stops_it_before_it_begins() {
    let place = heron();
    let id = new_id();
    let said = post(&place, &format!("/v1/commands/{id}/interrupt"), &json!(null));
    assert!(said.starts_with("HTTP/1.1 404") && said.contains("\"hint\""), "{said}");
    let run = |id: &str, command: &str| {
        let request = json!({
            "request_id": id, "account": "default", "profile": "local", "kind": "shell",
            "body": {"sandbox": "heron", "command": command},
        });
        post(&place, "/v1/commands", &request);
        ended(&place, id)
    };
    assert_eq!(run(&id, "touch begun")["error"]["code"], "interrupted");
    assert_eq!(run(&id, "touch begun")["error"]["code"], "interrupted", "it is over");
    assert_eq!(run(&new_id(), "test ! -e begun")["result"]["exit_code"], 0, "it never began");
}

#[test]
fn a_killed_server_is_followed_by_one_that_goes_on_with_the_command() {
    let place = heron();
    let id = shell(&place, "echo x >> /tmp/starts; echo one; mkfifo /tmp/half; read -r word < /tmp/half; echo $word");
    place.sh("heron", "until [ -p /tmp/half ]; do sleep 0.01; done");
    place.kill_server();
    place.sh("heron", "echo two > /tmp/half");
    assert_eq!(ended(&place, &id)["result"]["exit_code"], 0);
    let item = item(&place, &id);
    assert_eq!((&item["output"], &item["state"]), (&json!("one\ntwo\n"), &json!("done")));
    assert_eq!(place.sh("heron", "cat /tmp/starts"), "x\n", "it ran once");
}
