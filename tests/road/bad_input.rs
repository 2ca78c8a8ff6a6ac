//! Bad input and bad luck from the shell: a clear message, the right exit code, nothing lost.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::program::{Place, text};

/// Runs a command that must fail: its code and everything it said.
fn fails(place: &Place, args: &[&str], code: i32) -> String {
    let out = place.run(args);
    let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(code), "sandbank {args:?}: {said}");
    assert!(!said.contains('\u{1b}'), "an escape reached the terminal: {said:?}");
    said
}

#[test]
fn a_data_dir_that_others_can_enter_is_refused_with_the_remedy() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let said = fails(&place, &["sandbox", "list"], 3);
    assert!(said.contains("chmod 700"), "{said}");
}

#[test]
fn a_data_dir_that_cant_be_made_is_named() {
    let place = Place::new();
    fs::write(place.data(), "a file").unwrap();
    let said = fails(&place, &["sandbox", "list"], 3);
    assert!(said.contains(place.data().to_str().unwrap()), "{said}");
}

#[test]
fn a_broken_configuration_is_told_by_line_and_key() {
    let mut place = Place::new();
    let file = place.data().with_file_name("config.toml");
    place.env("SANDBANK_CONFIG", file.to_str().unwrap());
    for (content, expected) in [
        ("\nprofil = \"local\"\n", ["config.toml", "2", "profil"]),
        ("profile = \"moon\"\n", ["config.toml", "1", "moon"]),
        ("[engine\n", ["config.toml", "1", "engine"]),
    ] {
        fs::write(&file, content).unwrap();
        let said = fails(&place, &["config", "check"], 3);
        for word in expected {
            assert!(said.contains(word), "{content:?}: {word:?} is missing in {said}");
        }
    }
}

#[test]
fn control_characters_in_names_are_refused_and_not_echoed() {
    let place = Place::new();
    for args in [
        &["sandbox", "create", "--name", "a\u{1b}[2Jb"][..],
        &["sandbox", "show", "a\u{1b}]0;x\u{7}"],
        &["--account", "a\u{9b}b", "sandbox", "list"],
        &["sandbox", "create", "--env", "A\u{1b}=1"],
    ] {
        let out = place.run(args);
        let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
        assert!(matches!(out.status.code(), Some(2 | 4)), "{args:?}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{args:?}: {said:?}");
    }
}

#[test]
fn errors_are_documents_with_json() {
    let place = Place::new();
    let out = place.run(&["sandbox", "show", "nobody", "--json"]);
    assert_eq!(out.status.code(), Some(4));
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(document["error"]["code"], "not_found", "{document}");
    assert!(document["error"]["message"].as_str().unwrap().contains("nobody"));
    assert_eq!(text(&out.stderr), "");
}

#[test]
fn an_image_that_this_machine_cant_run_says_what_to_write() {
    let place = Place::new();
    let said = fails(&place, &["sandbox", "create", "--image", "alpine:3.21"], 1);
    assert!(said.contains("stand_ins") && said.contains("alpine:3.21"), "{said}");
}

#[test]
fn what_destroys_refuses_without_a_terminal_and_without_yes() {
    let place = Place::new();
    let id = place.json(&["sandbox", "create", "--name", "heron"])["sandbox_id"].as_str().unwrap().to_owned();
    fails(&place, &["sandbox", "terminate", "heron"], 2);
    assert_eq!(place.json(&["sandbox", "show", &id])["status"], "running");
}

#[test]
fn chatting_without_a_key_or_without_claude_names_what_is_missing() {
    let mut place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let said = fails(&place, &["chat", "heron", "hello"], 3);
    assert!(said.contains("ANTHROPIC_API_KEY"), "{said}");

    place.env("PATH", "/usr/bin:/bin");
    place.env("ANTHROPIC_API_KEY", "sk-ant-test-000");
    place.json(&["sandbox", "create", "--name", "egret"]);
    let said = fails(&place, &["chat", "egret", "hello"], 3);
    assert!(said.contains("claude"), "{said}");
}
