//! A CLI that does not write what it should, in the place of the real one.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::program::{Place, Running, signal, text};

/// A place whose `claude` is a script that prints the file `lines` beside it and then runs `then`.
fn place_with(lines: &[String], then: &str) -> Place {
    let mut place = Place::new();
    let bin = place.data().with_file_name("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("claude"), format!("#!/bin/sh\ncat /mnt/workspace/lines\n{then}\n")).unwrap();
    fs::set_permissions(bin.join("claude"), fs::Permissions::from_mode(0o755)).unwrap();
    place.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    place.env("ANTHROPIC_API_KEY", "sk-ant-test-000");
    place.json(&["sandbox", "create", "--name", "heron"]);
    // By a file: the lines may be longer than any argument.
    let file = bin.join("lines");
    fs::write(&file, lines.join("\n")).unwrap();
    let put = place
        .command(&["sandbox", "exec", "heron", "--", "sh", "-c", "cat > lines"])
        .stdin(fs::File::open(file).unwrap())
        .status()
        .unwrap();
    assert!(put.success());
    place
}

fn init() -> String {
    json!({"type": "system", "subtype": "init", "cwd": "/mnt/workspace", "session_id": SESSION, "tools": [],
           "mcp_servers": [], "model": "m", "permissionMode": "default", "apiKeySource": "none", "uuid": "u0"})
    .to_string()
}

fn said(id: &str, text: &str) -> String {
    json!({"type": "assistant", "session_id": SESSION, "uuid": id, "parent_tool_use_id": null,
           "message": {"id": id, "type": "message", "role": "assistant", "model": "m", "stop_reason": null,
                       "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 1, "output_tokens": 1}}})
    .to_string()
}

fn result(text: &str) -> String {
    json!({"type": "result", "subtype": "success", "is_error": false, "duration_ms": 1, "duration_api_ms": 1,
           "num_turns": 1, "result": text, "session_id": SESSION, "total_cost_usd": 0.01, "permission_denials": [],
           "usage": {"input_tokens": 1, "output_tokens": 1}, "uuid": "u9"})
    .to_string()
}

const SESSION: &str = "00000000-0000-4000-8000-000000000000";

fn types(place: &Place) -> Vec<String> {
    let items = place.json(&["chat", "heron", "--show"]);
    items.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lines_that_are_no_json_are_passed_over_and_what_follows_counts() {
    let noise = "npm WARN \u{1b}[2J not json".to_owned();
    let place =
        place_with(&[init(), noise, "[1, 2".into(), said("m1", "a heron"), result("a heron"), String::new()], "");
    let out = place.run(&["chat", "heron", "hello"]);
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{shown}{}", text(&out.stderr));
    assert!(shown.contains("a heron") && !shown.contains('\u{1b}'), "{shown:?}");
    let types = types(&place);
    assert!(types.contains(&"text".to_owned()) && types.last().unwrap() == "result", "{types:?}");
}

#[test]
fn a_line_of_ten_megabytes_arrives_whole() {
    let long = "a".repeat(10 << 20);
    let place = place_with(&[init(), said("m1", &long), result("done"), String::new()], "");
    let out = place.ok(&["chat", "heron", "hello", "--json"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["message"]["content"][0]["text"].as_str().unwrap().len(), long.len());
    assert_eq!(lines.last().unwrap()["type"], "sandbank.end");
}

#[test]
fn a_line_that_is_cut_ends_the_turn_with_a_reason_and_what_came_before_stays() {
    let cut = said("m2", "never whole")[..40].to_owned();
    let place = place_with(&[init(), said("m1", "a heron"), cut], "kill -9 $$");
    let out = place.run(&["chat", "heron", "hello"]);
    let shown = format!("{}{}", text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(1), "{shown}");
    assert!(shown.contains("a heron") && shown.contains("signal 9"), "{shown}");
    assert!(types(&place).contains(&"text".to_owned()), "what was said before is kept");
}

#[test]
fn ctrl_c_ends_a_turn_whose_cli_does_not_listen() {
    let place = place_with(&[init(), said("m1", "a heron"), String::new()], "trap '' INT TERM; sleep 600");
    let mut chat = Running::start(place.command(&["chat", "heron", "hello"]));
    chat.wait_for("a heron");
    signal(chat.pid(), "INT");
    let (code, _, errors) = chat.finish();
    assert_eq!(code, Some(130), "{errors}");
}

/// A piece of an answer as the API streams it.
fn streamed(event: &Value) -> String {
    json!({"type": "stream_event", "session_id": SESSION, "uuid": event.to_string(), "parent_tool_use_id": null,
           "api_message_id": "m1", "event": event})
    .to_string()
}

fn begun(id: &str) -> String {
    streamed(&json!({"type": "message_start", "message": {"id": id, "type": "message", "role": "assistant",
                     "model": "m", "content": []}}))
}

#[test]
fn half_an_answer_that_the_api_broke_off_is_told_from_the_one_that_counts() {
    let half = [
        begun("m1"),
        streamed(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        streamed(&json!({"type": "content_block_delta", "index": 0,
                         "delta": {"type": "text_delta", "text": "half a heron"}})),
    ];
    let rest = [said("m2", "a whole heron"), result("a whole heron")];
    let wait = |file| format!("until [ -e /mnt/workspace/{file} ]; do sleep 0.05; done");
    let print = |lines: &[String]| format!("cat <<'END'\n{}\nEND", lines.join("\n"));
    let then = [wait("go"), print(&half), wait("again"), print(&[begun("m2")]), wait("on"), print(&rest)].join("\n");
    let place = place_with(&[init(), said("m0", "an egg"), String::new()], &then);
    let mut chat = Running::start(place.command(&["chat", "heron", "hello"]));
    chat.wait_for("an egg");
    place.sh("heron", "touch go");
    chat.wait_for("half a heron");
    place.sh("heron", "touch again");
    chat.wait_for("broke off");
    place.sh("heron", "touch on");
    let (code, shown, errors) = chat.finish();
    assert_eq!(code, Some(0), "{errors}");
    let (half, rest) = shown.split_once("broke off").unwrap_or_else(|| panic!("nothing says it: {shown}"));
    assert!(half.contains("half a heron\n") && rest.contains("a whole heron"), "{shown}");
}

#[test]
fn how_a_call_ended_stands_below_that_call() {
    let call = |id: &str, command: &str| {
        json!({"type": "assistant", "session_id": SESSION, "uuid": id, "parent_tool_use_id": null,
               "message": {"id": "m1", "type": "message", "role": "assistant", "model": "m",
                           "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {"command": command}}]}})
        .to_string()
    };
    let failed = json!({"type": "user", "session_id": SESSION, "uuid": "r1", "parent_tool_use_id": null,
                        "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1",
                                                                 "is_error": true, "content": "Exit code 3"}]}});
    let lines = [init(), call("t1", "exit 3"), call("t2", "echo"), failed.to_string(), result("done"), String::new()];
    let shown = place_with(&lines, "").ok(&["chat", "heron", "hello"]);
    let lines: Vec<&str> = shown.lines().collect();
    let at = lines.iter().position(|line| line.contains("failed: Exit code 3")).expect(&shown);
    assert_eq!(lines[at - 1], "▸ Bash exit 3", "{shown}");
}
