//! Ids of commands, names of sandboxes, one turn at a time.

use sandbank::core::{AccountId, SandboxConfig};
use serde_json::json;

use crate::{
    chatty, fails, items, new_id, post,
    program::{Place, Running},
};

#[test]
fn the_same_id_does_a_command_once_and_tells_its_result_again() {
    let place = Place::new();
    let create = new_id();
    let first = place.json(&["sandbox", "create", "--name", "heron", "--request-id", &create]);
    let again = place.json(&["sandbox", "create", "--name", "heron", "--request-id", &create]);
    assert_eq!(first, again);
    assert_eq!(place.json(&["sandbox", "list"]).as_array().unwrap().len(), 1);

    let exec = new_id();
    let script = "echo x >> count; wc -l < count; exit 3";
    for _ in 0..2 {
        let out = place.run(&["--request-id", &exec, "sandbox", "exec", "heron", "--", "sh", "-c", script]);
        assert_eq!((out.status.code(), out.stdout.as_slice()), (Some(3), &b"1\n"[..]));
    }
    let said = fails(&place, &["--request-id", &exec, "sandbox", "exec", "heron", "--", "true"]);
    assert!(said.contains("used for another command"), "{said}");
    let said = fails(&place, &["chat", "heron", "hello", "--request-id", &create]);
    assert!(said.contains("was used for"), "{said}");
    // The shell tells the result of a known id and sends nothing; another client may send anything.
    let other = json!({
        "request_id": create, "account": "default", "profile": "local", "kind": "sandbox_terminate",
        "body": {"sandbox": "heron", "save": false},
    });
    let said = post(&place, "/v1/commands", &other);
    assert!(said.starts_with("HTTP/1.1 409") && said.contains("used for another command"), "{said}");

    // All but the last few spools go, and who asks for one that is gone is told how it ended.
    for _ in 0..20 {
        place.sh("heron", "true");
    }
    let left: usize = place.sh("heron", "ls -d /tmp/.sandbank/* | wc -l").trim().parse().unwrap();
    // The last eight, the command's own, and a few whose end was just being stored when the next began.
    assert!(left <= 12, "{left} spools are left");
    let said = fails(&place, &["--request-id", &exec, "sandbox", "exec", "heron", "--", "sh", "-c", script]);
    assert!(said.contains("exit code 3"), "{said}");
}

#[test]
fn a_sandbox_is_meant_by_its_name_its_id_or_a_beginning_that_fits_one() {
    let place = Place::new();
    let grey = place.json(&["sandbox", "create", "--name", "heron-grey"])["sandbox_id"].clone();
    let white = place.json(&["sandbox", "create", "--name", "heron-white", "--workdir", "/tmp"])["sandbox_id"].clone();
    let (grey, white) = (grey.as_str().unwrap(), white.as_str().unwrap());
    for (name, id) in [("heron-grey", grey), ("heron-g", grey), (white, white), ("heron-w", white)] {
        assert_eq!(place.json(&["sandbox", "show", name])["sandbox_id"], id, "{name}");
    }
    let said = fails(&place, &["sandbox", "exec", "heron", "--", "true"]);
    assert!(said.contains("heron-grey") && said.contains("heron-white"), "{said}");
    assert!(fails(&place, &["sandbox", "show", "egret"]).contains("egret"));
    assert!(fails(&place, &["sandbox", "create", "--name", "heron-grey"]).contains("heron-grey"));

    // Each starts where it was told to.
    assert_eq!(place.sh("heron-g", "pwd"), "/mnt/workspace\n");
    assert_eq!(place.sh("heron-w", "pwd"), "/tmp\n");
    assert_eq!(place.ok(&["sandbox", "exec", "--workdir", "/usr", "heron-w", "--", "pwd"]), "/usr\n");
    // A name is free again when its sandbox has ended.
    place.ok(&["sandbox", "terminate", "heron-grey", "--no-save", "--yes"]);
    place.json(&["sandbox", "create", "--name", "heron-grey"]);
    assert!(fails(&place, &["sandbox", "exec", grey, "--", "true"]).contains("ended"));
}

#[test]
fn a_second_prompt_waits_for_the_end_of_the_turn_before() {
    let Some((place, _api, gate)) = chatty() else { return };
    place.json(&["sandbox", "create", "--name", "heron", "--workdir", "/tmp"]);
    let mut chat = Running::start(place.command(&["chat", "heron", "count the herons"]));
    chat.wait_for("first heron");
    let said = fails(&place, &["chat", "heron", "and the egrets"]);
    assert!(said.contains("is running"), "{said}");
    gate.open();
    let (code, said, errors) = chat.finish();
    assert_eq!(code, Some(0), "{said}{errors}");
    assert_eq!((items(&place, "prompt"), items(&place, "text")), (1, 1));
}

#[test]
fn a_workspace_is_where_its_sandbox_was_told_to_mount_it() {
    let place = Place::new();
    place.ok(&["sandbox", "list"]);
    let (id, mut config) = (new_id(), SandboxConfig::new(AccountId::new("default").unwrap()));
    config.volume_mount_path = "/srv/nest".to_owned();
    let create = json!({
        "request_id": id, "account": "default", "profile": "local", "kind": "sandbox_create",
        "body": {"name": "heron", "config": config},
    });
    let said = post(&place, "/v1/commands", &create);
    assert!(said.starts_with("HTTP/1.1 2"), "{said}");
    place.json(&["sandbox", "create", "--name", "heron", "--request-id", &id]);
    assert_eq!(place.sh("heron", "pwd; echo grey > heron; cat /srv/nest/heron"), "/srv/nest\ngrey\n");
    assert_eq!(place.json(&["version", "save", "heron"])["files"], 1);
    place.sh("heron", "rm heron");
    place.json(&["version", "restore", "heron", "latest", "--yes"]);
    assert_eq!(place.sh("heron", "cat /srv/nest/heron; ls -A /mnt/workspace 2> /dev/null || true"), "grey\n");
}
