//! The keeper: output and input by offset, terminals, ends, and that nothing outlives it.

use std::{collections::BTreeMap, fs};

use futures::{StreamExt, TryStreamExt};
use sandbank::engine::{
    jail,
    keeper::{KeeperError, KeeperHandle, OutputFd},
    spec::{End, ExecEnd, ExecSpec},
};

use crate::place::{Place, command, environment, processes_with, program, sh, soon, until};

#[tokio::test]
async fn a_killed_keeper_ends_its_sandbox_and_leaves_the_reason_and_nothing_else() {
    let place = Place::new();
    let (sandbox, other) = (place.start("a").await, place.start("b").await);
    let seconds = format!("88{}", std::process::id());
    // One that left its session and its parent.
    sandbox.ok(&format!("setsid -f sleep {seconds} >/dev/null 2>&1")).await;
    let running = command(&["sleep", &seconds]);
    sandbox.handle.exec(&running).await.unwrap();
    until("both are there", async || processes_with(&seconds).len() == 2).await;
    let init = sandbox.init();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    kill(sandbox.keeper());
    assert_eq!(sandbox.ended().await, End::Lost);
    assert!(processes_with(&seconds).is_empty(), "processes outlive their keeper");
    let left: Vec<_> = init.groups.iter().filter(|g| g.exists()).collect();
    assert!(left.is_empty(), "control groups are left: {left:?}");
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    // What is asked later finds the same, and commands that ran ended with it.
    assert_eq!(KeeperHandle::reap(&sandbox.dir).await, End::Lost);
    assert!(matches!(KeeperHandle::attach(&sandbox.dir).await, Err(KeeperError::Gone)));
    assert_eq!(sandbox.handle.wait(&running.exec_id).await.unwrap(), ExecEnd::Signal(9));
    for name in ["keeper.sock", "keys", "init.json"] {
        assert!(!sandbox.dir.join(name).exists(), "{name} is left");
    }
    assert_eq!(other.ok("echo alive").await, "alive\n");
}

#[tokio::test]
async fn a_killed_first_process_ends_the_sandbox_with_a_reason() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    assert_ne!(sandbox.sh("kill -9 1; kill -TERM 1; echo alive").await.out, "", "a sandbox can kill its first process");
    kill(sandbox.init().pid);
    let end = sandbox.ended().await;
    assert!(matches!(&end, End::Failed { reason } if reason.contains("first process")), "{end:?}");
}

#[tokio::test]
async fn ends_are_told_as_they_were() {
    let place = Place::new();
    for (entrypoint, expected) in [
        (&["sh", "-c", "exit 7"][..], End::Exited { code: 7 }),
        (&["sh", "-c", "kill -9 $$"], End::Exited { code: 137 }),
        (&["/nowhere/heron"], End::Exited { code: 127 }),
    ] {
        let mut spec = place.spec(&uuid::Uuid::new_v4().to_string());
        spec.entrypoint = entrypoint.iter().map(|w| (*w).to_string()).collect();
        let sandbox = place.start_spec(&spec).await.unwrap();
        assert_eq!(sandbox.ended().await, expected, "{entrypoint:?}");
    }
    let sandbox = place.start("a").await;
    assert_eq!(sandbox.sh("kill -9 $$").await.end, ExecEnd::Signal(9));
    assert_eq!(sandbox.sh("exit 200").await.end, ExecEnd::Code(200));
    let missing = command(&["heron"]);
    sandbox.handle.exec(&missing).await.unwrap();
    let done = sandbox.done(&missing.exec_id).await;
    assert_eq!(done.end, ExecEnd::Code(127));
    assert!(done.err.contains("heron"), "{done:?}");
    let running = command(&["sleep", "600"]);
    sandbox.handle.exec(&running).await.unwrap();
    sandbox.handle.terminate().await.unwrap();
    assert_eq!(sandbox.ended().await, End::Terminated);
    assert_eq!(sandbox.handle.poll(&running.exec_id).await.unwrap(), Some(ExecEnd::Signal(9)));
}

#[tokio::test]
async fn output_is_read_from_any_place_by_any_number_of_readers_also_later() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    let talk = sh("printf 0123456789; printf oops >&2");
    sandbox.handle.exec(&talk).await.unwrap();
    // The same id again starts nothing.
    sandbox.handle.exec(&talk).await.unwrap();
    let done = sandbox.done(&talk.exec_id).await;
    assert_eq!((done.out.as_str(), done.err.as_str()), ("0123456789", "oops"));
    let from = async |handle: &KeeperHandle, offset| {
        let pieces: Vec<_> = handle.output(&talk.exec_id, OutputFd::Out, offset).try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    };
    assert_eq!(from(&sandbox.handle, 7).await, "789");
    assert_eq!(from(&sandbox.handle, 10).await, "");
    // Another engine, then after the end.
    let again = KeeperHandle::attach(&sandbox.dir).await.unwrap();
    assert_eq!(from(&again, 7).await, "789");
    sandbox.handle.terminate().await.unwrap();
    sandbox.ended().await;
    assert_eq!(from(&again, 3).await, "3456789");
    let unknown = again.output("nobody", OutputFd::Out, 0).try_collect::<Vec<_>>().await;
    assert!(matches!(unknown, Err(KeeperError::NoSuchExec)), "{unknown:?}");
}

#[tokio::test]
async fn output_beyond_its_bound_loses_its_head_and_says_so() {
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.limits.exec_log = 64 << 10;
    let sandbox = place.start_spec(&spec).await.unwrap();
    let talk = sh("head -c 300000 /dev/zero; printf end");
    sandbox.handle.exec(&talk).await.unwrap();
    soon("its end", sandbox.handle.wait(&talk.exec_id)).await.unwrap();
    let read = |offset| sandbox.handle.output(&talk.exec_id, OutputFd::Out, offset).try_collect::<Vec<_>>();
    let start = match soon("the answer", read(0)).await {
        Err(KeeperError::OutOfRange { start }) => start,
        other => panic!("{other:?}"),
    };
    let rest = read(start).await.unwrap().concat();
    assert_eq!(start + rest.len() as u64, 300_003);
    assert!(rest.len() <= 64 << 10 && rest.ends_with(b"end"), "{} bytes are kept", rest.len());
    let on_disk: u64 = fs::read_dir(sandbox.dir.join("execs").join(&talk.exec_id))
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_str().is_some_and(|n| n.starts_with("out.")))
        .map(|e| e.metadata().unwrap().len())
        .sum();
    assert!(on_disk <= 64 << 10, "{on_disk} bytes on disk");
}

#[tokio::test]
async fn input_is_numbered_so_that_nothing_comes_twice_and_nothing_is_missing() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    let cat = command(&["cat"]);
    let id = &cat.exec_id;
    let handle = &sandbox.handle;
    handle.exec(&cat).await.unwrap();
    handle.write_stdin(id, 0, b"heron ", false).await.unwrap();
    let gap = handle.write_stdin(id, 9, b"x", false).await;
    assert!(matches!(gap, Err(KeeperError::Gap { have: 6 })), "{gap:?}");
    // Sent again, with more: what is there is skipped.
    handle.write_stdin(id, 0, b"heron and egret", false).await.unwrap();
    assert_eq!(handle.stdin_status(id).await.unwrap().written, 15);
    handle.write_stdin(id, 15, b"", true).await.unwrap();
    handle.write_stdin(id, 15, b"", true).await.unwrap();
    assert_eq!(sandbox.done(id).await.out, "heron and egret");
    let closed = handle.write_stdin(id, 15, b"more", false).await;
    assert!(matches!(closed, Err(KeeperError::StdinClosed)), "{closed:?}");
    // More than any pipe holds.
    let count = command(&["wc", "-c"]);
    handle.exec(&count).await.unwrap();
    soon("a large input", handle.write_stdin(&count.exec_id, 0, &vec![b'x'; 3 << 20], true)).await.unwrap();
    assert_eq!(sandbox.done(&count.exec_id).await.out, "3145728\n");
}

#[tokio::test]
async fn a_terminal_is_one_with_its_size_and_name() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    let mut shell = sh("tty; stty size; read line; echo \"got $line\"; cat");
    shell.pty = Some((33, 99));
    let id = &shell.exec_id;
    sandbox.handle.exec(&shell).await.unwrap();
    sandbox.handle.write_stdin(id, 0, b"heron\n", false).await.unwrap();
    sandbox.handle.write_stdin(id, 6, b"", true).await.unwrap();
    let done = sandbox.done(id).await;
    assert_eq!(done.end, ExecEnd::Code(0), "{done:?}");
    for part in ["/dev/pts/", "33 99", "got heron"] {
        assert!(done.out.contains(part), "{part:?} is missing in {:?}", done.out);
    }
    assert_eq!(done.err, "");
    // ^C reaches the foreground process only by a terminal, and only once that is its own.
    let mut sleeper = sh("echo ready; exec sleep 600");
    sleeper.pty = Some((24, 80));
    sandbox.handle.exec(&sleeper).await.unwrap();
    let mut out = Box::pin(sandbox.handle.output(&sleeper.exec_id, OutputFd::Out, 0));
    soon("its word", out.next()).await.unwrap().unwrap();
    sandbox.handle.write_stdin(&sleeper.exec_id, 0, b"\x03", false).await.unwrap();
    assert_eq!(sandbox.done(&sleeper.exec_id).await.end, ExecEnd::Signal(2));
}

#[tokio::test]
async fn a_reader_gets_output_while_the_command_runs() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    let echo = command(&["cat"]);
    sandbox.handle.exec(&echo).await.unwrap();
    let mut out = Box::pin(sandbox.handle.output(&echo.exec_id, OutputFd::Out, 0));
    for (offset, word) in [(0, "one"), (3, "two")] {
        sandbox.handle.write_stdin(&echo.exec_id, offset, word.as_bytes(), false).await.unwrap();
        assert_eq!(soon("a piece", out.next()).await.unwrap().unwrap(), word);
    }
    assert_eq!(sandbox.handle.poll(&echo.exec_id).await.unwrap(), None);
}

#[tokio::test]
async fn the_environment_touches_no_disk_and_is_complete() {
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.entrypoint = ["sh", "-c", "env; exec sleep 600"].map(str::to_string).to_vec();
    let dir = place.path("sandboxes/sb-a");
    let mut env: BTreeMap<_, _> = environment();
    env.insert("HERON_KEY".to_string(), "sk-heron-0123".to_string());
    let handle = KeeperHandle::start(&program(), &dir, &spec, &env).await.unwrap();
    let mut out = Box::pin(handle.output(sandbank::engine::keeper::ENTRYPOINT, OutputFd::Out, 0));
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("sk-heron-0123") {
        seen.extend_from_slice(&soon("its environment", out.next()).await.unwrap().unwrap());
    }
    for name in ["spec.json", "init.json"] {
        assert!(!fs::read_to_string(dir.join(name)).unwrap().contains("sk-heron"), "{name} has a key");
    }
    let mut exec = sh("env | cut -d= -f1 | sort | tr '\\n' ' '");
    exec.env = BTreeMap::from([("A".to_string(), "1".to_string())]);
    handle.exec(&exec).await.unwrap();
    soon("its end", handle.wait(&exec.exec_id)).await.unwrap();
    let names: Vec<_> = handle.output(&exec.exec_id, OutputFd::Out, 0).try_collect().await.unwrap();
    let names = String::from_utf8(names.concat()).unwrap();
    assert!(!names.contains("HERON_KEY") && names.starts_with("A "), "{names}");
}

#[tokio::test]
async fn an_engine_that_ends_leaves_its_sandboxes_to_the_next() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    // Not in our session, so that no terminal or group kill reaches it; and with nothing of ours open.
    let stat = fs::read_to_string(format!("/proc/{}/stat", sandbox.keeper())).unwrap();
    let session: i32 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(session, sandbox.keeper());
    let ours = place.path("").display().to_string();
    for entry in fs::read_dir(format!("/proc/{}/fd", sandbox.keeper())).unwrap().flatten() {
        let open = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
        assert!(!open.starts_with(&ours) || open.starts_with(&sandbox.dir.display().to_string()), "{open}");
    }
    let dir = sandbox.dir.clone();
    drop(sandbox);
    let again = soon("the keeper", KeeperHandle::attach(&dir)).await.unwrap();
    let exec = sh("echo still here");
    again.exec(&exec).await.unwrap();
    assert_eq!(soon("its end", again.wait(&exec.exec_id)).await.unwrap(), ExecEnd::Code(0));
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn key_sockets_go_with_their_commands_however_many_there_were() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    // More than the kernel takes descriptors in one message.
    for _ in 0..260 {
        let mut exec = command(&["true"]);
        exec.key_socket = true;
        sandbox.handle.exec(&exec).await.unwrap();
        soon("its end", sandbox.handle.wait(&exec.exec_id)).await.unwrap();
    }
    assert_eq!(sandbox.handle.listeners().await.unwrap().len(), 0);
    assert_eq!(sandbox.ok("ls /run/sandbank | wc -l").await.trim(), "0");
}

#[tokio::test]
async fn a_command_that_could_not_start_leaves_no_key_socket() {
    const PIDS: u64 = 16;
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.limits.pids = PIDS;
    let sandbox = place.start_spec(&spec).await.unwrap();
    let mut started = 0;
    let (exec_id, refused) = loop {
        let exec = ExecSpec { key_socket: true, ..command(&["sleep", "600"]) };
        match sandbox.handle.exec(&exec).await {
            Ok(()) => started += 1,
            Err(refused) => break (exec.exec_id, refused),
        }
        assert!(started <= PIDS, "{started} processes");
    };
    assert!(matches!(refused, KeeperError::Refused(_)), "{refused}");
    assert!(!sandbox.dir.join("keys").join(format!("{exec_id}.sock")).exists());
    assert_eq!(sandbox.handle.listeners().await.unwrap().len() as u64, started);
}

#[tokio::test]
async fn outputs_that_are_never_let_go_leave_room_to_end_the_sandbox() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    let mut refused = None;
    for _ in 0..600 {
        let exec = sh("sleep 600 &");
        match sandbox.handle.exec(&exec).await {
            Ok(()) => {}
            Err(e) => {
                refused = Some(e.to_string());
                break;
            }
        }
    }
    let why = refused.expect("600 commands were left open");
    assert!(why.contains("commands run in the sandbox") || why.contains("start"), "{why}");
    sandbox.handle.terminate().await.unwrap();
    assert_eq!(sandbox.ended().await, End::Terminated);
}

#[tokio::test]
async fn trees_deeper_than_any_path_are_removed() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    sandbox.ok("cd /tmp && mkdir -p $(printf 'd/%.0s' $(seq 1900))").await;
    sandbox.handle.terminate().await.unwrap();
    sandbox.ended().await;
    // Asserts that it can.
    drop(place);
}

#[tokio::test]
async fn folders_that_a_program_closed_to_the_engines_user_are_removed_all_the_same() {
    let place = Place::new();
    let sandbox = place.start("a").await;
    sandbox.ok("mkdir /in && touch /in/a && chown -R 1000 /in && chmod 0 /in && chown 1000 / && chmod 0 /").await;
    sandbox.handle.terminate().await.unwrap();
    sandbox.ended().await;
    let trees = ["upper", "work"].map(|name| place.path("scratch/a").join(name));
    jail::remove_tree(&program(), &place.ids, &trees.each_ref().map(std::path::PathBuf::as_path)).unwrap();
    assert_eq!(fs::read_dir(place.path("scratch/a")).unwrap().count(), 0);
}
