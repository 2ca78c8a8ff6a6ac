//! A disk without room: nobody waits in vain, and what runs is not lost.

use futures::TryStreamExt;
use sandbank::{
    core::ExecId,
    engine,
    modal::{ErrorKind, ExecRequest, ModalError, StdioFd},
};

use crate::place::{Place, ok, request, sh, soon, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_is_told_at_once_and_what_runs_goes_on() {
    let Some(mut place) = Place::new().await else { return };
    let sandbox = place.sandbox("one").await;
    let cat = ExecRequest::new(ExecId::new(), ["cat"]);
    sandbox.exec(&cat).await.unwrap();

    place.stop().await;
    place.disk_floor = u64::MAX;
    place.start().await;
    let sandbox = place.modal().sandbox(&sandbox.id);
    let told = |error: ModalError| {
        assert_eq!(error.kind, ErrorKind::Exhausted, "{error}");
        let said = error.to_string();
        let dir = place.engine_dir();
        assert!(said.contains("free some space there") && said.contains(dir.to_str().unwrap()), "{said}");
    };
    told(place.create(&request("two")).await.unwrap_err());
    told(soon("a refusal", sandbox.exec(&sh("true"))).await.unwrap_err());
    let checks = engine::checks(&place.settings(), true).await;
    let room = checks.iter().find(|check| check.name == "disk space").unwrap();
    assert!(!room.ok && room.remedy.contains("free some space"), "{room:?}");

    // One that was started is there however often its start is asked for.
    let exec = sandbox.exec(&cat).await.unwrap();
    let mut input = exec.stdin();
    input.write(b"kept").await.unwrap();
    input.close().await.unwrap();
    let said = soon("cat", exec.read(StdioFd::Out, 0).try_collect()).await.unwrap();
    assert_eq!(text(said), "kept");

    place.stop().await;
    place.disk_floor = 0;
    place.start().await;
    assert_eq!(ok(&place.modal().sandbox(&sandbox.id), "echo again").await, "again\n");
    assert_eq!(place.names("sandboxes").len(), 1, "nothing is left of the refused one");
    place.close().await;
}
