//! The engine alone: how fast a sandbox and a command in it start.

use std::{process::Command, time::Instant};

use sandbank::modal::ExecExit;

use crate::{
    Times,
    place::{self, Place},
    rounds,
};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// From the question for a sandbox to the end of its first command, warm. They run until the last was made: what an
/// ended one leaves is cleaned up behind its end, and the next start would share the processors with that.
pub fn create(figure: &str) {
    runtime().block_on(async {
        let Some(engine) = Place::new().await else { return };
        let mut times = Times::default();
        engine.sandbox("warm").await;
        // A server keeps its client.
        let modal = engine.modal();
        let mut made = Vec::new();
        for round in 0..rounds() {
            let start = Instant::now();
            let sandbox = modal.create(&place::request(&format!("heron-{round}")), &|_| ()).await.unwrap();
            times.add("create_alone", start.elapsed());
            assert_eq!(place::run(&sandbox, &place::sh("true")).await.exit, ExecExit::Code(0));
            times.add("sandbank", start.elapsed());
            made.push(sandbox);
            bubblewrap(&mut times);
        }
        for sandbox in made {
            sandbox.terminate().await.unwrap();
        }
        times.print(figure, "the engine: create a sandbox, run `sh -c true` in it", Some(20.0));
        engine.close().await;
    });
}

/// A command in a sandbox that runs.
pub fn exec(figure: &str) {
    runtime().block_on(async {
        let Some(engine) = Place::new().await else { return };
        let mut times = Times::default();
        let sandbox = engine.sandbox("heron").await;
        place::run(&sandbox, &place::sh("true")).await;
        for _ in 0..rounds() {
            let start = Instant::now();
            assert_eq!(place::run(&sandbox, &place::sh("true")).await.exit, ExecExit::Code(0));
            times.add("sandbank", start.elapsed());
            bubblewrap(&mut times);
        }
        times.print(figure, "the engine: run `sh -c true` in a sandbox", Some(5.0));
        engine.close().await;
    });
}

/// One jail for one command, with as many namespaces.
pub fn bubblewrap(times: &mut Times) {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin"]);
    command.args([
        "--symlink",
        "usr/lib",
        "/lib",
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]);
    command.args(["--", "sh", "-c", "true"]);
    let start = Instant::now();
    if command.output().is_ok_and(|out| out.status.success()) {
        times.add("bubblewrap", start.elapsed());
    }
}
