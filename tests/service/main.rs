//! What the use cases promise, from the shell and with the real server: one command for each id, names, one turn at a
//! time, and a server that dies or ends in the middle of anything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod ids;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../support/program.rs"]
mod program;
mod reading;
mod shell;
mod take_up;

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
};

use program::{Place, text};

/// A place whose `claude` is a stand-in that stops in the middle of its answer until [`open_gate`].
fn place() -> Place {
    let mut place = Place::new();
    let bin = place.data().with_file_name("bin");
    fs::create_dir(&bin).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kills/claude.sh"), bin.join("claude")).unwrap();
    fs::set_permissions(bin.join("claude"), fs::Permissions::from_mode(0o755)).unwrap();
    place.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    place.env("ANTHROPIC_API_KEY", "sk-ant-test-000");
    place
}

/// Lets the stand-in go on.
fn open_gate(place: &Place) {
    place.sh("heron", "echo go > /tmp/gate");
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

/// The server's whole answer to a request of a client of another kind.
fn post(place: &Place, path: &str, body: &serde_json::Value) -> String {
    let (mut stream, body) = (connect(place), body.to_string());
    let head = "host: sandbank\r\nconnection: close\r\ncontent-type: application/json";
    write!(stream, "POST {path} HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
