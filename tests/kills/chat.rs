//! The real CLI is in the middle of an answer when something is killed. Its own session file says what it did.

use serde_json::{Value, json};

use crate::{
    program::{self, Running, wait_until},
    road::{Road, Victim, said},
    scripted_api::{Gate, Part, text},
    stops::inside,
};

/// Kills while a text is half written: the one before the tool, or the one after it. Without a CLI there is no chat.
pub fn walk(road: &Road) {
    let Some(api) = &road.api else { return };
    let what = format!("{:?} killed during a chat, seed {}", road.victim, road.seed);
    let (gate, prompt) = (Gate::new(), format!("count the herons of {}", road.seed));
    let tool = Part::Tool("Bash", json!({"command": "echo grey >> heron.txt", "description": "count"}));
    let half = |words: &str, gated: bool| {
        let gate = gated.then(|| Part::Wait(gate.clone()));
        [text(words)].into_iter().chain(gate).chain([text("and whole.")]).collect::<Vec<_>>()
    };
    let first = |gated: bool| [half("first heron ", gated), vec![tool.clone()]].concat();
    let second = |gated: bool| half("second heron ", gated);
    let early = road.seed / 2 == 0;
    let mut turns = vec![first(early), second(!early)];
    if road.victim == Victim::Server {
        // The CLI reaches the API through it: killed, it breaks the answer, and the CLI asks once more.
        let (at, again) = if early { (1, first(false)) } else { (2, second(false)) };
        turns.insert(at, again);
    }
    let asked = api.asked().len() + turns.len();
    api.script(turns);

    let id = uuid::Uuid::new_v4().to_string();
    let args = ["chat", "heron", &prompt, "--request-id", &id];
    let (server, keeper) = (road.place.server().unwrap(), road.place.keeper("default", "heron"));
    let mut client = Running::start(road.place.command(&args));
    client.wait_for(if early { "first heron" } else { "second heron" });
    let victims = match road.victim {
        Victim::Client => vec![client.pid()],
        Victim::Server => vec![server],
        Victim::Keeper => vec![keeper],
        Victim::Inside => inside(keeper, "inside run"),
        Victim::Claude => clis(keeper, &prompt),
    };
    assert!(!victims.is_empty(), "{what}: there is none");
    victims.into_iter().for_each(program::kill);
    if matches!(road.victim, Victim::Inside | Victim::Claude) {
        // Else it would go on, and cost money, unseen.
        wait_until("no CLI is left", || clis(keeper, &prompt).is_empty());
    }
    gate.open();
    let _ = client.finish();
    let result = road.place.run(&args);

    let items = road.place.json(&["chat", "heron", "--show"]);
    let items = since(&prompt, items.as_array().unwrap(), "prompt");
    let said = said(&result);
    if matches!(road.victim, Victim::Client | Victim::Server) {
        assert_eq!(result.status.code(), Some(0), "{what}: the turn failed: {said}");
        // That the CLI asked twice is told too.
        let kinds: Vec<_> = kinds(items).into_iter().filter(|kind| *kind != "notice").collect();
        assert_eq!(kinds, ["prompt", "text", "tool", "text", "result"], "{what}: {items:#?}");
        assert_eq!(told(items), session(road, &prompt), "{what}: the transcript is what the CLI did");
        assert_eq!(api.asked().len(), asked, "{what}: what the CLI asked");
        assert_eq!(road.place.sh("heron", "cat heron.txt && rm heron.txt"), "grey\n", "{what}: its tool ran once");
    } else {
        assert_eq!(result.status.code(), Some(1), "{what}: the turn should have failed: {said}");
        assert!(!said.trim().is_empty(), "{what}: no reason was told");
        let expected: &[&str] = if early { &["prompt"] } else { &["prompt", "text", "tool"] };
        assert!(kinds(items).starts_with(expected), "{what}: {items:#?}");
        assert!(items.iter().all(|item| item["state"] != "running"), "{what}: a dead tool runs on: {items:#?}");
    }
    road.check_lives(&what);
    if matches!(road.victim, Victim::Inside | Victim::Claude) {
        let next = road.place.run(&["chat", "heron", "go on"]);
        assert!(next.status.success(), "{what}: the conversation does not go on: {}", crate::road::said(&next));
        assert!(api.history().contains(&prompt), "{what}: the CLI has forgotten: {}", api.history());
    }
    road.place.sh("heron", "rm -f heron.txt");
}

/// The CLI's processes in the sandbox of a keeper.
fn clis(keeper: u32, prompt: &str) -> Vec<u32> {
    let mut found = inside(keeper, prompt);
    found.retain(|pid| !crate::processes::command_line(*pid).contains("inside run"));
    found
}

/// What has come since a prompt, with it.
fn since<'a>(prompt: &str, all: &'a [Value], kind: &str) -> &'a [Value] {
    let ours = |one: &Value| one["type"] == kind && one.to_string().contains(prompt);
    &all[all.iter().rposition(ours).expect("the prompt is there")..]
}

fn kinds(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["type"].as_str()).collect()
}

/// Texts and tools of our transcript.
fn told(items: &[Value]) -> Vec<String> {
    let tell = |item: &Value| match item["type"].as_str()? {
        "text" => Some(item["text"].as_str()?.to_owned()),
        "tool" => Some(item["name"].as_str()?.to_owned()),
        _ => None,
    };
    items.iter().filter_map(tell).collect()
}

/// The same from the file in which the CLI keeps its session.
fn session(road: &Road, prompt: &str) -> Vec<String> {
    let lines = road.place.sh("heron", "cat /mnt/agent/*/projects/*/*.jsonl");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let blocks = since(prompt, &lines, "user")
        .iter()
        .filter(|line| line["type"] == "assistant")
        .flat_map(|line| line["message"]["content"].as_array().cloned().unwrap_or_default());
    let tell = |block: Value| match block["type"].as_str()? {
        "text" => Some(block["text"].as_str()?.to_owned()),
        "tool_use" => Some(block["name"].as_str()?.to_owned()),
        _ => None,
    };
    blocks.filter_map(tell).collect()
}
