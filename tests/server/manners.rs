//! What the shell prints, where, and with which exit code.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::program::{Place, text};

#[test]
fn without_a_terminal_the_screen_says_what_to_use_instead() {
    let place = Place::new();
    let out = place.run(&[]);
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(2), String::new()));
    let said = text(&out.stderr);
    assert!(said.contains("sandbank chat") && !said.contains('\u{1b}'), "{said}");
    assert!(!place.data().exists(), "nothing was made");
}

#[test]
fn wrong_usage_is_told_on_stderr_with_2() {
    let place = Place::new();
    for args in [
        &["moon"][..],
        &["sandbox"],
        &["sandbox", "exec", "a"],
        &["sandbox", "create", "--env", "A"],
        &["sandbox", "create", "--image", "two words"],
        &["sandbox", "create", "--workdir", "relative"],
        &["--profile", "moon", "sandbox", "list"],
        &["--account", "a/b", "sandbox", "list"],
        &["sandbox", "show", ""],
        &["sandbox", "exec", "-t", "a", "ls"],
        &["chat", "a", ""],
        &["sandbox", "terminate", "a"],
        &["version", "restore", "a", "latest"],
    ] {
        let out = place.run(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", text(&out.stderr));
        assert_eq!(text(&out.stdout), "", "{args:?}");
        assert!(text(&out.stderr).starts_with("sandbank: "), "{args:?}: {}", text(&out.stderr));
    }
}

#[test]
fn wrong_usage_is_a_document_with_json() {
    let place = Place::new();
    for args in [&["moon", "--json"][..], &["--account", "a/b", "doctor", "--json"], &["sandbox", "show", "", "--json"]]
    {
        let out = place.run(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        let document: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(document["error"]["code"], "usage", "{document}");
        assert_eq!(text(&out.stderr), "", "{args:?}");
    }
}

#[test]
fn variables_count_like_flags_and_empty_ones_not_at_all() {
    let mut place = Place::new();
    place.env("SANDBANK_ACCOUNT", "a b");
    let out = place.run(&["config", "show"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("SANDBANK_ACCOUNT"), "{}", text(&out.stderr));
    assert_eq!(place.json(&["config", "show", "--account", "heron"])["account"], "heron");
    place.env("SANDBANK_ACCOUNT", "");
    place.env("SANDBANK_PROFILE", "modal");
    let shown = place.json(&["config", "show"]);
    assert_eq!((&shown["account"], &shown["profile"]), (&"default".into(), &"modal".into()));
}

#[test]
fn what_is_wrong_with_the_configuration_is_told_by_line_and_key() {
    let mut place = Place::new();
    let file = place.data().with_file_name("config.toml");
    place.env("SANDBANK_CONFIG", file.to_str().unwrap());
    assert_eq!(place.run(&["config", "check"]).status.code(), Some(3), "a named file must be there");

    fs::write(&file, "[server]\nidle_secs = 0\n").unwrap();
    for args in [&["config", "check"][..], &["sandbox", "list"]] {
        let out = place.run(args);
        assert_eq!(out.status.code(), Some(3));
        let said = text(&out.stderr);
        assert!(said.contains("config.toml:2") && said.contains("server.idle_secs"), "{said}");
    }
    let report: Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!((&report["ok"], &report["checks"][0]["ok"]), (&false.into(), &false.into()));

    fs::write(&file, "[claude]\napi_key = \"sk-ant-hunter2\"\n").unwrap();
    let check = place.json(&["config", "check"]);
    assert_eq!((&check["ok"], &check["path"]), (&true.into(), &file.to_str().unwrap().into()));
    assert!(!place.ok(&["config", "show"]).contains("hunter2"));
    assert_eq!(place.ok(&["config", "path"]).trim(), file.to_str().unwrap());

    fs::write(file.with_file_name("keymap.toml"), "[global]\nquit = [\"no such key\"]\n").unwrap();
    let out = place.run(&["config", "check"]);
    let said = text(&out.stderr);
    assert!(out.status.code() == Some(3) && said.contains("keymap.toml:2"), "the screen would not open: {said}");
}

#[test]
fn a_data_dir_that_cant_be_made_is_not_configured() {
    let mut place = Place::new();
    place.env("SANDBANK_DATA_DIR", "/proc/nowhere");
    let out = place.run(&["sandbox", "list", "--json"]);
    assert_eq!(out.status.code(), Some(3));
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(document["error"]["code"], "not_configured");
    assert!(document["error"]["message"].as_str().unwrap().contains("/proc/nowhere"));
}

#[test]
fn a_reader_who_has_enough_is_no_error() {
    let place = Place::new();
    let mut child =
        place.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!(text(&out.stderr), "");
    assert!(out.status.success());
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    assert!(place.ok(&["man"]).contains("sandbank\\-version(1)"));
    let page = place.ok(&["man", "sandbox", "create"]);
    assert!(page.contains(".TH sandbank-sandbox-create 1") && page.contains("\\-\\-name"), "{page}");
    let unknown = place.run(&["man", "sandbox", "fly"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = text(&unknown.stderr);
    assert!(said.contains("`sandbox fly`") && said.contains("create, list"), "{said}");

    let folder = place.data().join("pages");
    place.ok(&["man", "--to", folder.to_str().unwrap()]);
    for name in ["sandbank.1", "sandbank-version-restore.1", "sandbank-man.1"] {
        let page = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(page.lines().any(|line| line.starts_with(".TH") && line.contains(env!("CARGO_PKG_VERSION"))), "{page}");
    }
    assert!(!folder.join("sandbank-help.1").exists());
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let place = Place::new();
    let script = place.ok(&["completions", "bash"]);
    let checked = Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
    assert!(checked.success() && script.contains("terminate"));
    for shell in ["zsh", "fish"] {
        assert!(place.ok(&["completions", shell]).contains("sandbank"));
    }
}
