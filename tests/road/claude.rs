//! A sandbox on this machine, the real Claude at work in it, the workspace saved and restored.

use std::{io::Write, process::Stdio};

use serde_json::json;

use crate::{
    program::{self, KEY, Place, Running},
    scripted_api::{Gate, Part, ScriptedApi, text},
};

/// Everything about a tree that a restore must bring back: types, modes, owners, links, times, bytes; the volume's root
/// among them, in which the restore's own journal came and went.
pub const TREE: &str = "cd /mnt/workspace && find . -path ./.sandbank -prune -o -printf '%P|%y|%m|%U:%G|%l|%T@\\n' | sort \
                    && find . -path ./.sandbank -prune -o -type f -exec sha256sum {} + | sort -k2";

fn types(items: &serde_json::Value) -> Vec<&str> {
    items.as_array().unwrap().iter().filter_map(|item| item["type"].as_str()).collect()
}

#[test]
fn the_whole_road() {
    let Some(claude) = program::claude() else { return };
    let gate = Gate::new();
    let api = ScriptedApi::start(
        KEY,
        vec![
            vec![
                text("First I write it. "),
                Part::Tool("Write", json!({"file_path": "/mnt/workspace/heron.txt", "content": "a grey heron\n"})),
            ],
            vec![text("The heron file "), Part::Wait(gate.clone()), text("is there now.")],
        ],
    );
    let place = Place::with_claude(&claude, api.url());

    let sandbox = place.json(&["sandbox", "create", "--name", "heron"]);
    assert_eq!((&sandbox["status"], &sandbox["backend"]), (&json!("running"), &json!("local")));

    // The answer streams in: its first half is printed while the second isn't written yet.
    let mut chat = Running::start(place.command(&["chat", "heron", "make a heron file"]));
    chat.wait_for("The heron file");
    gate.open();
    let (code, said, errors) = chat.finish();
    assert_eq!(code, Some(0), "{said}\n{errors}");
    assert!(said.contains("is there now."), "{said}");
    assert!(said.contains("Write") && said.contains("heron.txt"), "the tool is shown: {said}");
    assert_eq!(place.sh("heron", "cat heron.txt"), "a grey heron\n");
    assert!(api.asked()[0].contains("make a heron file"));

    // The key stayed outside: neither the sandbox nor the server's files have it.
    assert!(!place.sh("heron", "grep -rs sk-ant-real /proc/[0-9]*/environ /mnt /tmp || true").contains("match"));
    let leaks = std::process::Command::new("grep").args(["-rl", KEY]).arg(place.data()).output().unwrap();
    assert_eq!(program::text(&leaks.stdout), "", "the key lies on disk");

    place.sh(
        "heron",
        "mkdir -p bin empty && printf '#!/bin/sh\\n' > bin/run && chmod 750 bin/run && ln -s ../heron.txt bin/link",
    );
    let before = place.sh("heron", TREE);
    let saved = place.json(&["version", "save", "heron", "--note", "first heron"]);
    assert_eq!((&saved["files"], &saved["complete"]), (&json!(2), &json!(true)));

    place.sh(
        "heron",
        "rm heron.txt && chmod 600 bin/run && echo more >> bin/run && rmdir empty && rm bin/link && echo x > new",
    );
    assert_ne!(place.sh("heron", TREE), before);
    let version = saved["version"].to_string();
    let restored = place.json(&["version", "restore", "heron", &version, "--yes"]);
    let paths = |key: &str| -> Vec<String> {
        restored[key].as_array().unwrap().iter().map(|c| c["path"].as_str().unwrap().to_owned()).collect()
    };
    assert!(paths("added").contains(&"heron.txt".to_owned()), "{restored}");
    assert!(paths("changed").contains(&"bin/run".to_owned()), "{restored}");
    assert!(paths("deleted").contains(&"new".to_owned()), "{restored}");
    assert_eq!(place.sh("heron", TREE), before, "byte for byte, with modes and times");

    // A server that dies takes nothing with it.
    place.kill_server();
    assert_eq!(place.json(&["version", "list"])[0]["version"].to_string(), version);
    let items = place.json(&["chat", "heron", "--show"]);
    assert_eq!(types(&items), ["prompt", "text", "tool", "text", "result"], "{items}");
    assert_eq!(items[0]["text"], "make a heron file");
    assert_eq!(items[3]["text"], "The heron file is there now.");
    assert_eq!((&items[2]["name"], &items[2]["state"]), (&json!("Write"), &json!("done")), "{items}");
    let shown = place.ok(&["chat", "heron", "--show"]);
    assert!(shown.starts_with("> make a heron file\n") && shown.contains("▸ Write"), "{shown}");
    assert_eq!(place.sh("heron", "cat heron.txt"), "a grey heron\n", "the sandbox lives on");

    // The conversation goes on in the same session.
    api.then(vec![text("As I said, it is grey.")]);
    assert!(place.ok(&["chat", "heron", "what colour is it?"]).contains("it is grey"));
    let items = place.json(&["chat", "heron", "--show"]);
    assert_eq!(types(&items)[5..], ["prompt", "text", "result"], "{items}");
    let history = api.history();
    assert!(history.contains("make a heron file") && history.contains("heron.txt"), "the CLI resumed: {history}");

    place.ok(&["sandbox", "terminate", "heron", "--no-save", "--yes"]);
    assert_eq!(place.json(&["sandbox", "list"]), json!([]));
}

#[test]
fn claude_works_where_the_sandboxs_commands_start() {
    let Some(claude) = program::claude() else { return };
    let look = json!({"command": "pwd > /mnt/workspace/where", "description": "look"});
    let api = ScriptedApi::start(KEY, vec![vec![Part::Tool("Bash", look)], vec![text("Seen.")]]);
    let place = Place::with_claude(&claude, api.url());
    place.json(&["sandbox", "create", "--name", "heron", "--workdir", "/srv"]);
    assert!(place.ok(&["chat", "heron", "where are you?"]).contains("Seen."));
    assert_eq!(place.sh("heron", "cat /mnt/workspace/where"), "/srv\n");
}

#[test]
fn chat_as_json_prints_the_clis_own_lines_and_an_end() {
    let Some(claude) = program::claude() else { return };
    let api = ScriptedApi::start(KEY, vec![vec![text("Hello.")]]);
    let place = Place::with_claude(&claude, api.url());
    place.json(&["sandbox", "create", "--name", "heron"]);
    let out = place.ok(&["chat", "heron", "hello", "--json"]);
    let lines: Vec<serde_json::Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.first().unwrap()["subtype"], "init");
    assert!(lines.iter().any(|l| l["type"] == "result"));
    assert_eq!(lines.last().unwrap()["type"], "sandbank.end");
}

#[test]
fn a_wrong_key_is_told_and_the_exit_code_says_failed() {
    let Some(claude) = program::claude() else { return };
    let api = ScriptedApi::start("another key", vec![]);
    let mut place = Place::with_claude(&claude, api.url());
    // A setting of the user's shell: without it the CLI tries for minutes.
    place.env("CLAUDE_CODE_MAX_RETRIES", "0");
    place.json(&["sandbox", "create", "--name", "heron"]);
    let out = place.run(&["chat", "heron", "hello"]);
    assert_eq!(out.status.code(), Some(1));
    let said = format!("{}{}", program::text(&out.stdout), program::text(&out.stderr));
    assert!(said.contains("the API refused the key (401)") && said.contains("ANTHROPIC_API_KEY"), "{said}");
    assert!(!said.contains(KEY), "{said}");
    let items = place.json(&["chat", "heron", "--show"]);
    assert_eq!(types(&items), ["prompt", "notice", "result"], "{items}");
}

#[test]
fn prompts_that_cant_be_arguments_arrive_whole() {
    let Some(claude) = program::claude() else { return };
    let api = ScriptedApi::start(KEY, vec![vec![text("one")], vec![text("two")]]);
    let place = Place::with_claude(&claude, api.url());
    place.json(&["sandbox", "create", "--name", "heron"]);
    let long = format!("begin {} end", "x".repeat(100_000));
    place.ok(&["chat", "heron", &long]);
    place.ok(&["chat", "heron", "--", "-p is not an option here"]);
    assert!(api.asked()[0].contains(&long));
    assert!(api.asked()[1].contains("-p is not an option here"));
    // Piped in, it is the same.
    api.then(vec![text("three")]);
    let mut command = place.command(&["chat", "heron"]);
    let mut chat = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    chat.stdin.take().unwrap().write_all(b"from a pipe\nin two lines\n").unwrap();
    assert!(program::text(&chat.wait_with_output().unwrap().stdout).contains("three"));
    assert!(api.asked()[2].contains("from a pipe\nin two lines"));
}

#[test]
fn ctrl_c_interrupts_the_turn_and_the_conversation_goes_on() {
    let Some(claude) = program::claude() else { return };
    let api = ScriptedApi::start(KEY, vec![vec![text("I begin "), Part::Wait(Gate::new())], vec![text("Again.")]]);
    let place = Place::with_claude(&claude, api.url());
    place.json(&["sandbox", "create", "--name", "heron"]);
    let mut chat = Running::start(place.command(&["chat", "heron", "go"]));
    chat.wait_for("I begin");
    program::signal(chat.pid(), "INT");
    let (code, said, errors) = chat.finish();
    assert_eq!(code, Some(130), "{said}{errors}");
    program::wait_until("the turn has ended", || place.run(&["chat", "heron", "again"]).status.success());
    let history = api.history();
    assert!(history.contains("I begin"), "the next turn knows what was said before ctrl-c: {history}");
    let items = place.json(&["chat", "heron", "--show"]);
    assert_eq!(types(&items).iter().filter(|t| **t == "result").count(), 2, "{items}");
}

#[test]
fn the_key_is_withheld_from_whatever_claude_runs() {
    let Some(claude) = program::claude() else { return };
    let see = json!({"command": "env | grep ANTHROPIC > seen; env | grep CLAUDE_CODE_MAX >> seen"});
    let api = ScriptedApi::start(KEY, vec![vec![Part::Tool("Bash", see)], vec![text("Seen.")]]);
    let mut place = Place::with_claude(&claude, api.url());
    place.env("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "4321");
    place.json(&["sandbox", "create", "--name", "heron"]);
    assert!(place.ok(&["chat", "heron", "look around"]).contains("Seen."));
    let seen = place.sh("heron", "cat seen");
    assert!(seen.contains("ANTHROPIC_API_KEY=sk-ant-withheld") && !seen.contains(KEY), "{seen}");
    assert!(seen.contains("CLAUDE_CODE_MAX_OUTPUT_TOKENS=4321"), "the user's settings count: {seen}");
}

#[test]
fn a_turn_whose_client_is_gone_is_followed_and_stopped_by_its_id() {
    let Some(claude) = program::claude() else { return };
    let api = ScriptedApi::start(KEY, vec![vec![text("I begin "), Part::Wait(Gate::new())]]);
    let place = Place::with_claude(&claude, api.url());
    place.json(&["sandbox", "create", "--name", "heron"]);
    let mut chat = Running::start(place.command(&["chat", "heron", "go"]));
    chat.wait_for("I begin");
    program::kill(chat.pid());
    chat.finish();
    let refused = place.run(&["chat", "heron", "again"]);
    let said = program::text(&refused.stderr);
    let id = said.split_once("--request-id ").and_then(|(_, rest)| rest.split_once('`')).expect(&said).0.to_owned();
    let mut chat = Running::start(place.command(&["chat", "heron", "--request-id", &id]));
    chat.wait_for("I begin");
    program::signal(chat.pid(), "INT");
    let (code, said, errors) = chat.finish();
    assert_eq!(code, Some(130), "{said}{errors}");
}

#[test]
fn a_second_sandbox_says_who_shares_its_workspace() {
    let place = Place::new();
    let first = place.json(&["sandbox", "create", "--name", "heron"]);
    assert_eq!(first.get("notices"), None);
    let second = place.run(&["sandbox", "create", "--name", "egret"]);
    assert!(program::text(&second.stderr).contains("heron has the same workspace"), "{second:?}");
    let third = place.json(&["sandbox", "create", "--name", "ibis"]);
    let notice = third["notices"][0].as_str().unwrap();
    assert!(notice.contains("heron") && notice.contains("egret") && notice.contains(" have the same"), "{notice}");
}
