//! A sandbox from its creation to its end, whatever ends it.

use std::{fs, time::Duration};

use sandbank::modal::{EndKind, ErrorKind};

use crate::place::{Place, account, kill_keeper, ok, request, sh, soon, until};

#[tokio::test(flavor = "multi_thread")]
async fn made_listed_ended_and_its_name_free_again() {
    let Some(place) = Place::new().await else { return };
    let modal = place.modal();
    let mut asked = request("one");
    asked.tags = [("kind".to_owned(), "test".to_owned())].into();
    let sandbox = place.create(&asked).await.unwrap();
    assert_eq!(place.engine().busy(), 1);
    assert_eq!(sandbox.poll().await.unwrap(), None);
    let taken = place.create(&request("one")).await.unwrap_err();
    assert_eq!(taken.kind, ErrorKind::AlreadyExists);
    assert!(taken.message.clean_line().as_str().contains("already exists"), "{taken}");

    let app = modal.app(&account().app()).await.unwrap();
    let rows = modal.sandboxes(&app, false).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0].id, rows[0].name.clean_line().as_str()), (&sandbox.id, "one"));
    assert_eq!(rows[0].tags, asked.tags);
    assert!(rows[0].end.is_none() && rows[0].created_at.elapsed().unwrap() < Duration::from_secs(60));
    assert_eq!(modal.sandbox_by_name(&account().app(), "one").await.unwrap().id, sandbox.id);

    ok(&sandbox, "echo kept > kept; head -c 1000000 /dev/urandom > /tmp/gone").await;
    let waiting = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { sandbox.wait().await }
    });
    sandbox.terminate().await.unwrap();
    sandbox.terminate().await.unwrap();
    let end = soon("the end", waiting).await.unwrap().unwrap();
    assert_eq!((end.kind, end.code), (EndKind::Terminated, 137));
    assert_eq!(sandbox.poll().await.unwrap(), Some(end));
    sandbox.terminate().await.unwrap();
    assert_eq!(modal.sandboxes(&app, false).await.unwrap().len(), 0);
    assert_eq!(modal.sandboxes(&app, true).await.unwrap()[0].end.as_ref().unwrap().kind, EndKind::Terminated);
    assert_eq!(sandbox.exec(&sh("true")).await.unwrap_err().kind, ErrorKind::NotFound);
    until("what it wrote is gone", async || place.names("scratch").is_empty()).await;

    // The volume is another's now.
    let next = place.sandbox("one").await;
    assert_ne!(next.id, sandbox.id);
    assert_eq!(ok(&next, "cat kept; ls /tmp").await, "kept\n");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_time_is_over() {
    let Some(place) = Place::new().await else { return };
    let mut asked = request("short");
    asked.timeout = Duration::from_secs(1);
    let sandbox = place.create(&asked).await.unwrap();
    let end = soon("the end", sandbox.wait()).await.unwrap();
    assert_eq!((end.kind, end.code), (EndKind::Timeout, 124));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_sandbox_also_after_a_restart() {
    let Some(mut place) = Place::new().await else { return };
    let asked = request("one");
    let first = place.create(&asked).await.unwrap();
    assert_eq!(place.create(&asked).await.unwrap().id, first.id);
    place.stop().await;
    place.start().await;
    assert_eq!(place.create(&asked).await.unwrap().id, first.id);
    assert_eq!(place.names("sandboxes"), [first.id.to_string()]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_keeper_is_an_end_with_its_reason() {
    let Some(mut place) = Place::new().await else { return };
    let [watched, unwatched] = [place.sandbox("watched").await, place.sandbox("unwatched").await];
    kill_keeper(&place, watched.id.as_str());
    let end = soon("the end", watched.wait()).await.unwrap();
    assert_eq!(end.kind, EndKind::Failed);
    assert!(end.reason().contains("keeper was killed"), "{}", end.reason());
    until("its folder is cleared", async || place.names("scratch") == [unwatched.id.to_string()]).await;

    // The same while no engine looks.
    place.stop().await;
    kill_keeper(&place, unwatched.id.as_str());
    place.start().await;
    let end = place.modal().sandbox(&unwatched.id).poll().await.unwrap().expect("it has ended");
    assert!(end.reason().contains("keeper was killed"), "{}", end.reason());
    assert_eq!(place.names("scratch"), [""; 0]);
    assert_eq!(place.engine().busy(), 0);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_start_leaves_nothing_and_says_why() {
    let Some(mut place) = Place::new().await else { return };
    place.stop().await;
    let good = std::mem::replace(&mut place.program, "/no/such/program".into());
    place.start().await;
    let asked = request("one");
    let failed = place.create(&asked).await.unwrap_err();
    assert!(failed.message.clean_line().as_str().contains("could not be started"), "{failed}");
    assert_eq!(place.names("sandboxes"), [""; 0]);
    place.stop().await;

    place.program = good;
    place.start().await;
    assert_eq!(place.names("scratch"), [""; 0]);
    ok(&place.create(&asked).await.unwrap(), "true").await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_left_when_it_died_in_the_middle_is_cleared() {
    let Some(mut place) = Place::new().await else { return };
    place.stop().await;
    for folder in ["sandboxes", "scratch"] {
        fs::create_dir_all(place.engine_dir().join(folder).join("sb-0123456789abcdefghijklmnop")).unwrap();
    }
    place.start().await;
    assert_eq!(place.names("sandboxes"), [""; 0]);
    assert_eq!(place.names("scratch"), [""; 0]);
    place.close().await;
}
