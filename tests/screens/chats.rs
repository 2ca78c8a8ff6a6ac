//! The chat in all its states.

use insta::assert_snapshot;
use sandbank::{
    core::{SandboxStatus, item::ToolState},
    tui::app::{
        Event, Model, TermEvent,
        model::{Armed, ArmedFor, Focus, toast::Tone, transcript::Search},
        update,
    },
};
use serde_json::json;

use super::{build, screen};

#[test]
fn a_conversation() {
    assert_snapshot!(screen(&build::focused(build::afternoon(80, 24), Focus::Prompt)));
}

#[test]
fn nothing_was_said() {
    let mut model = build::afternoon(80, 24);
    build::talk(&mut model, Vec::new());
    assert_snapshot!(screen(&build::focused(model, Focus::Prompt)));
}

#[test]
fn a_turn_runs() {
    let mut model = build::afternoon(80, 24);
    let mut items = build::afternoon_items();
    items.truncate(3);
    items.push(build::tool("t4", "Bash", json!({"command": "cargo test"}), ToolState::Running, ""));
    items.push(build::tool("t5", "Write", json!({"file_path": "/etc/passwd"}), ToolState::Refused, "not allowed"));
    items.push(build::tool("t6", "Bash", json!({"command": "false"}), ToolState::Failed, "exit code 1"));
    build::talk(&mut model, items);
    model.tasks.all.insert(build::request(1), build::task("chat", "Bash cargo test"));
    model.chat_mut().unwrap().turn = Some(build::request(1));
    let mut model = build::focused(model, Focus::Prompt);
    assert_snapshot!(screen(&model));
    model.armed = Some(Armed { what: ArmedFor::Interrupt { request: build::request(1) }, until: build::at(0) });
    assert!(screen(&model).contains("esc again to interrupt"));
    model.armed = None;
    model.size.columns = 120;
    build::settle(&mut model);
    assert_snapshot!(screen(&model));
}

#[test]
fn what_is_being_stopped_says_so_from_the_first_press_to_its_end() {
    let press = |model: &mut Model, keys: &[&str], minutes_ago: i64| {
        for key in keys {
            update(model, build::at(minutes_ago), Event::Term(TermEvent::Pressed { key: key.parse().unwrap() }));
        }
    };
    let mut model = build::focused(build::afternoon(80, 24), Focus::Prompt);
    press(&mut model, &["g", "o", "enter"], 3);
    assert!(screen(&model).contains("sending · 0 s go"));
    press(&mut model, &["ctrl-c"], 3);
    assert!(screen(&model).contains("stopping · 0 s go"), "the server does not have it yet");
    press(&mut model, &["x"], 2);
    assert!(screen(&model).contains("stopping, but the server does not answer ·"));

    let mut model = build::afternoon(80, 24);
    model.tasks.all.insert(build::request(1), build::task("chat", "Bash cargo test"));
    model.chat_mut().unwrap().turn = Some(build::request(1));
    let mut model = build::focused(model, Focus::Prompt);
    press(&mut model, &["ctrl-c"], 0);
    let seen = screen(&model);
    assert!(
        seen.contains("stopping ·") && !seen.contains("Bash cargo test ·") && !seen.contains("interrupt"),
        "{seen}"
    );
}

#[test]
fn a_draft_of_several_lines() {
    let mut model = build::afternoon(80, 24);
    let text = "Rename the crate to `heron`, then\n\
                - fix every import in the workspace, also those in the examples and in the benches of all crates\n\
                - run 日本語 the tests";
    model.prompt_mut().area.insert_str(text);
    assert_snapshot!(screen(&build::focused(model, Focus::Prompt)));
}

#[test]
fn an_item_is_selected_and_something_new_came() {
    let mut model = build::afternoon(80, 16);
    let transcript = &mut model.chat_mut().unwrap().transcript;
    transcript.follow = false;
    transcript.unseen = 3;
    transcript.cursor = Some("t1".to_owned());
    transcript.go_top();
    let mut model = build::focused(model, Focus::Transcript);
    model.chat_mut().unwrap().transcript.unseen = 3;
    assert_snapshot!(screen(&model));
    model.tasks.all.insert(build::request(1), build::task("chat", "Bash cargo test"));
    model.chat_mut().unwrap().turn = Some(build::request(1));
    for columns in [80, 40] {
        model.size.columns = columns;
        assert!(screen(&model).contains("3 new ↓"), "also while a turn runs: {}", screen(&model));
    }
}

#[test]
fn a_search_marks_what_it_found() {
    let mut model = build::focused(build::afternoon(80, 24), Focus::Transcript);
    let search = Search { text: "TEST".to_owned(), found: vec![0, 1, 5], at: Some(1), ..Search::default() };
    model.chat_mut().unwrap().transcript.search = Some(search);
    assert_snapshot!(screen(&model));
    model.chat_mut().unwrap().transcript.search =
        Some(Search { typing: true, text: "日本".into(), ..Search::default() });
    assert_snapshot!(screen(&model));
}

#[test]
fn a_sandbox_that_ended_says_why() {
    let mut model = build::model(80, 24);
    let mut ended = build::sandbox("heron-api", SandboxStatus::Terminated, 300);
    ended.ended_at = Some(build::at(10));
    ended.reason = Some("it was idle for too long".to_owned());
    model.sandboxes = build::list(vec![ended]);
    build::talk(&mut model, Vec::new());
    assert_snapshot!(screen(&build::focused(model, Focus::Transcript)));
}

#[test]
fn messages_lie_over_the_transcript_and_never_over_the_prompt() {
    let mut model = build::focused(build::afternoon(80, 24), Focus::Prompt);
    model.toasts.shown = vec![
        build::toast(Tone::Done, "Saved 14:03, 128 files, 4.2 MB", "", 0),
        build::toast(Tone::Warning, "2 files could not be read and are not in the version", "", 0),
        build::toast(
            Tone::Error,
            "the image debian:nowhere can't be pulled: there is no such image in 日本語のレジストリ",
            "look at its name, then create the sandbox again",
            0,
        ),
    ];
    assert_snapshot!(screen(&model));
    model.size.rows = 10;
    build::settle(&mut model);
    let small = screen(&model);
    assert!(small.contains("type a prompt"), "{small}");
}

#[test]
fn keys_that_may_follow_are_shown() {
    let mut model = build::focused(build::afternoon(120, 30), Focus::Prompt);
    model.chord = vec!["ctrl-x".parse().unwrap()];
    model.chord_waited = true;
    assert_snapshot!(screen(&model));
}
