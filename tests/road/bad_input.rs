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

/// Gives a place a configuration.
fn configure(place: &mut Place, text: &str) {
    let file = place.data().with_file_name("config.toml");
    fs::write(&file, text).unwrap();
    place.env("SANDBANK_CONFIG", file.to_str().unwrap());
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
    for (content, expected) in [
        ("\nprofil = \"local\"\n", ["config.toml:2", "profil", "`profile`"]),
        ("profile = \"moon\"\n", ["config.toml:1", "profile", "`local` or `modal`"]),
        ("[server]\nidle_secs = 0\n", ["config.toml:2", "server.idle_secs", "1 to 86400"]),
        ("[engine\n", ["config.toml:1", "[engine", "`]`"]),
    ] {
        configure(&mut place, content);
        let said = fails(&place, &["config", "check"], 3);
        for word in expected {
            assert!(said.contains(word), "{content:?}: {word:?} is missing in {said}");
        }
    }
}

/// What would clear the screen, set the title and ring, if a terminal got it.
const HOSTILE: &str = "a\u{1b}[2Jb\u{1b}]0;x\u{7}\u{9b}2Jc";

#[test]
fn control_characters_in_names_are_refused_and_not_echoed() {
    let mut place = Place::new();
    place.env("ANTHROPIC_API_KEY", "sk-ant-test-000");
    place.json(&["sandbox", "create", "--name", "heron"]);
    let (variable, path) = (format!("A{HOSTILE}=1"), format!("/{HOSTILE}"));
    for args in [
        &["sandbox", "create", "--name", HOSTILE][..],
        &["sandbox", "create", "--image", HOSTILE],
        &["sandbox", "create", "--secret", HOSTILE],
        &["sandbox", "create", "--env", &variable],
        &["sandbox", "create", "--workdir", &path],
        &["sandbox", "show", HOSTILE],
        &["sandbox", "logs", HOSTILE],
        &["sandbox", "exec", HOSTILE, "ls"],
        &["sandbox", "exec", "heron", "--workdir", &path, "ls"],
        &["sandbox", "terminate", HOSTILE, "--yes"],
        &["version", "show", HOSTILE],
        &["version", "restore", "heron", HOSTILE, "--yes"],
        &["version", "save", HOSTILE],
        &["chat", HOSTILE, "hello"],
        &["chat", "heron", "--conversation", HOSTILE, "hello"],
        &["--account", HOSTILE, "sandbox", "list"],
        &["--profile", HOSTILE, "sandbox", "list"],
        &["--request-id", HOSTILE, "sandbox", "create"],
        &["sandbox", HOSTILE],
        &[HOSTILE],
    ] {
        let out = place.run(args);
        let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
        assert!(matches!(out.status.code(), Some(2 | 4)), "{args:?}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{args:?}: {said:?}");
    }
    assert_eq!(place.json(&["sandbox", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_note_is_kept_as_it_is_and_shown_without_what_controls_a_terminal() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let saved = place.json(&["version", "save", "heron", "--note", HOSTILE]);
    assert_eq!(saved["note"], HOSTILE, "what is stored and exported is the original");
    for args in [&["version", "list"][..], &["version", "show", "latest"]] {
        let said = place.ok(args);
        assert!(said.contains("abc") && !said.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{said:?}");
    }
}

#[test]
fn a_port_in_use_is_told_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for key in ["modal_port", "s3_port"] {
        let mut place = Place::new();
        configure(&mut place, &format!("[engine]\n{key} = {port}\n"));
        let said = fails(&place, &["engine", "env"], 1);
        assert!(said.contains(&port.to_string()) && said.contains(key), "{said}");
        let ports = doctor(&place, "engine's ports");
        assert_eq!(ports["ok"], false, "where the hint leads: {ports}");
        assert!(ports["remedy"].as_str().unwrap().contains(key), "{ports}");
    }
}

/// What `doctor` says of one thing.
fn doctor(place: &Place, name: &str) -> serde_json::Value {
    let report: serde_json::Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
}

#[test]
fn a_claude_that_the_configuration_names_and_is_not_there_is_told_though_another_is_on_the_path() {
    let mut place = Place::new();
    let bin = place.data().with_file_name("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("claude"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(bin.join("claude"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let claude = doctor(&place, "claude");
    assert_eq!(claude["detail"], format!("{}, from your PATH", bin.join("claude").display()));

    place.ok(&["serve", "stop"]);
    configure(&mut place, "[engine.host]\nclaude = \"/nonexistent/claude\"\nextra = [\"/nonexistent/tools\"]\n");
    let claude = doctor(&place, "claude");
    assert!(claude["ok"] == false && claude["detail"].as_str().unwrap().contains("/nonexistent/claude"), "{claude}");
    assert!(claude["remedy"].as_str().unwrap().contains("take it out"), "{claude}");
    let said = fails(&place, &["config", "check"], 3);
    assert!(said.contains("engine.host.claude: /nonexistent/claude"), "{said}");
    assert!(said.contains("engine.host.extra: /nonexistent/tools is not there"), "{said}");
    // It keeps no command that does without.
    place.ok(&["sandbox", "list"]);
}

#[test]
fn a_wrong_token_is_told_and_not_shown() {
    let engine = Place::new();
    let access = engine.json(&["engine", "env"]);
    let mut place = Place::new();
    configure(
        &mut place,
        &format!(
            "profile = \"modal\"\n[modal]\nserver_url = {}\ntoken_id = \"ak-x\"\ntoken_secret = \"as-hunter2\"\n\
             [s3]\nbucket = \"sandbank\"\nregion = \"us-east-1\"\nendpoint_url = {}\n\
             access_key_id = \"AKIAX\"\nsecret_access_key = \"hunter3\"\n",
            access["MODAL_SERVER_URL"], access["AWS_ENDPOINT_URL_S3"]
        ),
    );
    let said = fails(&place, &["sandbox", "list"], 3);
    assert!(said.contains("token") && !said.contains("hunter"), "{said}");
    let said = fails(&place, &["version", "list"], 3);
    assert!(said.contains("access key id") && !said.contains("hunter"), "{said}");
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

#[test]
fn a_folder_that_isnt_there_is_named_in_plain_words() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let said = fails(&place, &["sandbox", "exec", "heron", "--workdir", "/nope", "--", "true"], 1);
    assert!(said.contains("cannot go to /nope: No such file or directory"), "{said}");
    assert!(!said.contains("  ") && said.matches("sandbank: ").count() == 1, "{said}");
}
