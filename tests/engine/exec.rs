//! Commands: their bytes, their ends, their environment.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use sandbank::{
    core::ExecId,
    modal::{ErrorKind, ExecExit, ExecRequest, Pty, StdioFd},
};

use crate::place::{Place, ok, request, run, sh, soon, text};

#[tokio::test(flavor = "multi_thread")]
async fn input_output_and_exit_codes() {
    let Some(place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;

    let done = run(&sandbox, &sh("echo out; echo err >&2; exit 42")).await;
    assert_eq!((done.exit.code(), &*done.out, &*done.err), (42, "out\n", "err\n"));
    assert_eq!(run(&sandbox, &sh("kill -9 $$")).await.exit, ExecExit::Signal(9));
    assert_eq!(run(&sandbox, &ExecRequest::new(ExecId::new(), ["no-such-program"])).await.exit.code(), 127);

    let cat = sandbox.exec(&ExecRequest::new(ExecId::new(), ["cat"])).await.unwrap();
    assert_eq!(cat.poll().await.unwrap(), None);
    let sent: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 253) as u8).collect();
    let mut input = cat.stdin();
    let writing = async {
        input.write(&sent).await.unwrap();
        input.close().await.unwrap();
    };
    let reading = cat.read(StdioFd::Out, 0).try_collect::<Vec<_>>();
    let ((), got) = soon("cat", async { tokio::join!(writing, reading) }).await;
    assert!(got.unwrap().concat() == sent, "cat gave other bytes back");
    assert_eq!(soon("cat's end", cat.wait()).await.unwrap(), ExecExit::Code(0));

    // Everything again, from the middle, after its end.
    let again = cat.read(StdioFd::Out, 999_990).try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!(again, sent[999_990..]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_killed_when_its_time_is_over_and_never_waits_for_a_reader() {
    let Some(place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;

    let slow = ExecRequest { timeout: Some(Duration::from_secs(1)), ..sh("echo before; sleep 1000; echo after") };
    let done = run(&sandbox, &slow).await;
    assert_eq!((done.exit.code(), &*done.out), (137, "before\n"));

    let unread = sandbox.exec(&sh("head -c 1000000 /dev/zero; exit 3")).await.unwrap();
    assert_eq!(soon("an unread command", unread.wait()).await.unwrap(), ExecExit::Code(3));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_starts_once() {
    let Some(place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;
    let once = sh("echo x >> /tmp/starts");
    for _ in 0..3 {
        run(&sandbox, &once).await;
    }
    assert_eq!(ok(&sandbox, "cat /tmp/starts").await, "x\n");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_its_size_and_its_name() {
    let Some(place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;
    let pty = Pty { rows: 33, columns: 101, term: "xterm-kitty".to_owned() };
    let script = "stty size; echo $TERM; test -t 0 && test -t 1 && test -t 2 && tty; read line; echo got $line";
    let exec = sandbox.exec(&ExecRequest { pty: Some(pty), ..sh(script) }).await.unwrap();
    exec.stdin().write(b"hello\n").await.unwrap();
    let said = soon("a terminal", exec.read(StdioFd::Out, 0).try_collect::<Vec<_>>()).await;
    let said = text(said.unwrap());
    for part in ["33 101", "xterm-kitty", "/dev/pts/", "got hello"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert_eq!(exec.wait().await.unwrap(), ExecExit::Code(0));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_merged() {
    let Some(place) = Place::new().await else { return };
    let mut asked = request("one");
    asked.config.environment_vars =
        [("MINE", "sandbox"), ("BOTH", "sandbox")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let sandbox = place.create(&asked).await.unwrap();
    let exec = ExecRequest { env: [("BOTH", "exec")].into_iter().collect(), ..sh("env; pwd; hostname") };
    let said = run(&sandbox, &exec).await.out;
    for line in [
        "MINE=sandbox",
        "BOTH=exec",
        "HOME=/root",
        "IS_SANDBOX=1",
        "HTTPS_PROXY=http://127.0.0.1:3128",
        "NODE_USE_ENV_PROXY=1",
        "/mnt/workspace",
        "one",
    ] {
        assert!(said.lines().any(|l| l == line), "no {line} in {said}");
    }
    assert!(said.lines().any(|l| l.starts_with("PATH=") && l.contains("/usr/bin")), "{said}");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_outlives_the_engine_that_started_it() {
    let Some(mut place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;
    // Says its second part when the file appears, which a later engine makes.
    let script = "echo first; until test -e /tmp/go; do sleep 0.01; done; echo second; exit 5";
    let exec = sandbox.exec(&sh(script)).await.unwrap();
    let mut output = Box::pin(exec.read(StdioFd::Out, 0));
    assert_eq!(soon("the first part", output.next()).await.unwrap().unwrap(), "first\n");
    drop(output);

    place.stop().await;
    place.start().await;
    let sandbox = place.modal().sandbox(&sandbox.id);
    assert_eq!(place.engine().busy(), 1);
    let exec = sandbox.started(exec.id);
    assert_eq!(exec.poll().await.unwrap(), None);
    ok(&sandbox, "touch /tmp/go").await;
    let rest = soon("the second part", exec.read(StdioFd::Out, 6).try_collect::<Vec<_>>()).await;
    assert_eq!(text(rest.unwrap()), "second\n");
    assert_eq!(soon("its end", exec.wait()).await.unwrap(), ExecExit::Code(5));

    // And it is read when sandbox and engine are gone.
    sandbox.terminate().await.unwrap();
    soon("the sandbox's end", sandbox.wait()).await.unwrap();
    place.stop().await;
    place.start().await;
    let exec = place.modal().sandbox(&sandbox.id).started(exec.id);
    assert_eq!(text(exec.read(StdioFd::Out, 0).try_collect().await.unwrap()), "first\nsecond\n");
    assert_eq!(exec.wait().await.unwrap(), ExecExit::Code(5));
    let refused = place.modal().sandbox(&sandbox.id).exec(&sh("true")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    place.close().await;
}

/// Two of them fill 64 MiB, which is what Modal's own clients let a connection hold, long before the last question.
#[tokio::test(flavor = "multi_thread")]
async fn output_that_nobody_takes_holds_up_no_answer() {
    let Some(place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;
    let mut unread = Vec::new();
    for _ in 0..2 {
        let flood = sandbox.exec(&sh("yes heron")).await.unwrap();
        let mut output = Box::pin(flood.read(StdioFd::Out, 0));
        soon("the first of a flood", output.next()).await.unwrap().unwrap();
        unread.push((flood, output));
    }
    for _ in 0..1000 {
        assert_eq!(soon("an answer beside a flood", unread[0].0.poll()).await.unwrap(), None);
    }
    assert_eq!(ok(&sandbox, "echo alive").await, "alive\n");
    place.close().await;
}
