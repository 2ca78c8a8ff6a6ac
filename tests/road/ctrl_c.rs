//! Ctrl-c at each step: the shell gets 130, nothing is half done, and the next command works.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use crate::{
    processes,
    program::{Place, Running, signal, wait_until},
};

/// Interrupts a command as soon as it tells a step that holds `step`. Gives its exit code and all that it said.
fn interrupt_at(place: &Place, args: &[&str], step: &str) -> (Option<i32>, String) {
    let mut child = place.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(step) {
        if errors.read_line(&mut said).unwrap() == 0 {
            panic!("{args:?} ended before {step:?}: {said}");
        }
    }
    signal(child.id(), "INT");
    errors.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn while_an_image_is_built() {
    let place = Place::new();
    let (code, said) = interrupt_at(&place, &["sandbox", "create", "--run", "sleep 86303"], "RUN sleep 86303");
    assert_eq!(code, Some(130), "{said}");
    wait_until("its command has ended too", || processes::with("sleep 86303").is_empty());
    assert_eq!(place.json(&["sandbox", "list"]), serde_json::json!([]), "nothing is left");
    place.json(&["sandbox", "create", "--name", "heron"]);
}

#[test]
fn while_a_command_runs() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let mut exec = Running::start(place.command(&["sandbox", "exec", "heron", "--", "sh", "-c", "echo on; sleep 60"]));
    exec.wait_for("on");
    signal(exec.pid(), "INT");
    assert_eq!(exec.finish().0, Some(130));

    // One that goes on all the same: the second leaves it behind and says how to come back.
    let script = "trap 'echo heard' INT; echo on; sleep 60 & wait; sleep 60 & wait";
    let mut exec = Running::start(place.command(&["sandbox", "exec", "heron", "--", "sh", "-c", script]));
    exec.wait_for("on");
    signal(exec.pid(), "INT");
    exec.wait_for("heard");
    signal(exec.pid(), "INT");
    let (code, _, errors) = exec.finish();
    assert_eq!(code, Some(130));
    assert!(errors.contains("--request-id"), "{errors}");
}

#[test]
fn while_a_workspace_is_saved_and_restored() {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    // So many that it lasts more than the second after which a step is told without a terminal.
    place.sh("heron", "mkdir many && cd many && for i in $(seq 2000); do echo $i > $i; done");
    let (code, said) = interrupt_at(&place, &["version", "save", "heron"], "\n");
    assert_eq!(code, Some(130), "{said}");
    let saved = place.json(&["version", "save", "heron"]);
    assert_eq!((&saved["files"], &saved["complete"]), (&2000.into(), &true.into()));

    place.sh("heron", "rm -r many");
    let (code, said) = interrupt_at(&place, &["version", "restore", "heron", "latest", "--yes"], "\n");
    assert_eq!(code, Some(130), "{said}");
    place.ok(&["version", "restore", "heron", "latest", "--yes"]);
    assert_eq!(place.sh("heron", "ls many | wc -l").trim(), "2000");
}
