//! A program that takes all it can get: the sandbox suffers, the machine doesn't.

use std::process::Command;

use sandbank::engine::{
    jail::limits::Controllers,
    spec::{End, ExecEnd},
};

use crate::place::{Place, command, processes_with, soon, until};

#[tokio::test]
async fn a_fork_bomb_stays_in_its_bounds_and_ends_with_its_sandbox() {
    const PIDS: u64 = 64;
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.limits.pids = PIDS;
    let sandbox = place.start_spec(&spec).await.unwrap();
    // Each copy starts two more and never ends; all carry the same name.
    let name = format!("bomb-{}-{}", std::process::id(), place.path("").display());
    let bomb = command(&["sh", "-c", "f() { f & f & wait; }; f", &name]);
    sandbox.handle.exec(&bomb).await.unwrap();
    let inside = || processes_with(&name).len() as u64;
    let refused = async || {
        let done = sandbox.handle.output(&bomb.exec_id, sandbank::engine::keeper::OutputFd::Err, 0);
        let first = soon("the bomb's first failure", futures::StreamExt::into_future(Box::pin(done))).await.0;
        first.is_some()
    };
    until("the bomb meets its bound", refused).await;
    assert!(inside() <= PIDS, "{} processes", inside());
    if let Some(pids) = sandbox.handle.stats().await.unwrap().pids {
        assert!(pids <= PIDS, "{pids} processes");
    }
    assert!(Command::new("true").status().unwrap().success(), "the host can't start a process");
    sandbox.handle.terminate().await.unwrap();
    assert_eq!(sandbox.ended().await, End::Terminated);
    assert_eq!(inside(), 0, "processes were left");
}

#[tokio::test]
async fn a_command_that_takes_too_much_memory_is_killed_and_the_sandbox_goes_on() {
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.limits.memory = 64 << 20;
    let sandbox = place.start_spec(&spec).await.unwrap();
    // tail keeps a line until it ends, and this one doesn't.
    let hog = command(&["tail", "/dev/zero"]);
    sandbox.handle.exec(&hog).await.unwrap();
    assert_eq!(sandbox.done(&hog.exec_id).await.end, ExecEnd::Signal(9));
    assert_eq!(sandbox.ok("echo alive").await, "alive\n");
    let shared = sandbox.ok("df -k --output=size /dev/shm | tail -1").await;
    assert!(shared.trim().parse::<u64>().unwrap() <= 64 << 10, "/dev/shm takes {shared} KiB");
}

#[tokio::test]
async fn a_sandbox_whose_first_command_takes_too_much_ends_by_memory() {
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.limits.memory = 64 << 20;
    spec.entrypoint = vec!["tail".to_string(), "/dev/zero".to_string()];
    let sandbox = place.start_spec(&spec).await.unwrap();
    assert_eq!(sandbox.ended().await, End::OutOfMemory);
}

#[tokio::test]
async fn control_groups_are_used_where_they_are_and_removed_at_the_end() {
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.limits.milli_cpu = 500;
    let sandbox = place.start_spec(&spec).await.unwrap();
    let groups = sandbox.init().groups;
    match Controllers::detect() {
        Controllers::None => assert!(groups.is_empty()),
        _ => assert!(!groups.is_empty() && groups.iter().all(|g| g.is_dir())),
    }
    sandbox.handle.terminate().await.unwrap();
    sandbox.ended().await;
    let left: Vec<_> = groups.iter().filter(|g| g.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn time_is_limited_for_a_command_and_for_the_sandbox() {
    let place = Place::new();
    let mut spec = place.spec("a");
    spec.limits.timeout_secs = 3;
    let sandbox = place.start_spec(&spec).await.unwrap();
    let mut slow = command(&["sleep", "600"]);
    slow.timeout_secs = Some(1);
    sandbox.handle.exec(&slow).await.unwrap();
    assert_eq!(sandbox.done(&slow.exec_id).await.end, ExecEnd::Signal(9));
    assert_eq!(sandbox.ended().await, End::Timeout);
}
