//! What the use cases promise, from the shell and with the real server: one command for each id, names, one turn at a
//! time, and a server that dies or ends in the middle of anything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod ids;
#[allow(dead_code, reason = "the kills use the rest")]
#[path = "../support/processes.rs"]
mod processes;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../support/program.rs"]
mod program;
mod reading;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../support/scripted_api.rs"]
mod scripted_api;
mod shell;
#[allow(dead_code, reason = "the kills use the rest")]
#[path = "../support/stops.rs"]
mod stops;
mod take_up;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use program::{Place, text};
use scripted_api::{Gate, Part, ScriptedApi};

/// A place, the API of its CLI, and the gate in the middle of the answer. Without a CLI there is no chat to test.
fn chatty() -> Option<(Place, ScriptedApi, Gate)> {
    let (claude, gate) = (program::claude()?, Gate::new());
    let answer = vec![scripted_api::text("first heron "), Part::Wait(gate.clone()), scripted_api::text("second heron")];
    let api = ScriptedApi::start(program::KEY, vec![answer.clone(), answer]);
    Some((Place::with_claude(&claude, api.url()), api, gate))
}

/// Runs a command that must fail: what it said.
fn fails(place: &Place, args: &[&str]) -> String {
    let out = place.run(args);
    let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
    assert!(!out.status.success(), "sandbank {args:?} should have failed: {said}");
    said
}

/// How many items of a kind the transcript has.
fn items(place: &Place, kind: &str) -> usize {
    let items = place.json(&["chat", "heron", "--show"]);
    items.as_array().unwrap().iter().filter(|item| item["type"] == kind).count()
}

/// A connection to the server, as a client of another kind has it.
fn connect(place: &Place) -> UnixStream {
    UnixStream::connect(place.json(&["serve", "status"])["socket"].as_str().unwrap()).unwrap()
}

/// The document that the server has at a path.
fn get(place: &Place, path: &str) -> serde_json::Value {
    let mut stream = connect(place);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: sandbank\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// The server's whole answer to a request of a client of another kind. Null is no body: a server may answer without
/// reading what it needs not, and hang up on who still writes.
fn post(place: &Place, path: &str, body: &serde_json::Value) -> String {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = connect(place);
    let head = "host: sandbank\r\nconnection: close\r\ncontent-type: application/json";
    write!(stream, "POST {path} HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
