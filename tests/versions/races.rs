//! Savers that meet, and savers that die.

use std::{fs, sync::Arc};

use sandbank::{
    core::AccountId,
    service::versions::{list_in, save_on, show_in, unfinished_in},
    storage::{
        claim::claim,
        survey::{Survey, survey},
    },
};
use tokio::sync::Notify;

use crate::support::{Place, Tree, Workspace, run, watched};

#[tokio::test]
async fn savers_at_the_same_moment_get_versions_of_their_own() {
    let place = Place::new().await;
    let workspaces: Vec<_> =
        ["one", "two", "three", "four"].map(|text| Workspace::with(&Tree::files([("a", text)]))).into();
    let saves = workspaces.iter().map(async |workspace| place.save(&workspace.ground()).await.unwrap());
    let saved = futures::future::join_all(saves).await;
    let mut versions: Vec<_> = saved.iter().map(|s| s.version.version).collect();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 4);
    let listed: Vec<_> = place.list().await.iter().map(|v| v.version).collect();
    assert_eq!(listed, versions.iter().rev().copied().collect::<Vec<_>>());
    for (workspace, saved) in workspaces.iter().zip(saved) {
        let told = place.compare(&workspace.ground(), &saved.version.version.to_string()).await.unwrap();
        assert!(told.is_empty(), "{told:?}");
    }
}

#[tokio::test]
async fn one_second_is_claimed_by_one_saver() {
    let place = Place::new().await;
    let (keys, nothing) = (place.keys(), Survey::default());
    let ids: Vec<_> = (0..12).map(|_| uuid::Uuid::new_v4()).collect();
    let claims = ids.iter().map(|id| claim(&place.bucket, &keys, &nothing, *id, None, None));
    let claims = futures::future::try_join_all(claims).await.unwrap();
    let mut versions: Vec<_> = claims.iter().map(|c| c.version).collect();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 12);
    // A second that is known is never claimed again, whatever the clock says.
    let found = survey(&place.bucket, &keys).await.unwrap();
    let next = claim(&place.bucket, &keys, &found, uuid::Uuid::new_v4(), None, None).await.unwrap();
    assert!(next.version > versions[11]);
    // Nothing came of them: they are unfinished, each with whoever made it.
    let unfinished = unfinished_in(&place.bucket, &place.account).await.unwrap();
    assert_eq!(unfinished.len(), 13);
    assert_eq!((unfinished[0].version, unfinished[0].saver.unwrap().0), (next.version, next.saver));
    assert!(place.save(&Workspace::new().ground()).await.unwrap().version.version > next.version);
    assert_eq!(unfinished_in(&place.bucket, &place.account).await.unwrap(), unfinished, "what was saved is none");
}

#[tokio::test]
async fn a_save_that_is_killed_leaves_nothing_listed() {
    for step in ["claiming a version", "reading the workspace", "checking what the store has"] {
        let place = Arc::new(Place::new().await);
        let workspace = Workspace::with(&Tree::files([("a", "one"), ("b", "two")]));
        let reached = Arc::new(Notify::new());
        let save = tokio::spawn({
            let (place, ground, reached) = (place.clone(), workspace.ground(), reached.clone());
            async move {
                let run = watched(move |what| {
                    if what == step {
                        reached.notify_one();
                    }
                });
                let bucket = place.bucket.clone();
                save_on(&bucket, &place.account, &ground, "", &run).await
            }
        });
        reached.notified().await;
        save.abort();
        if save.await.is_ok() {
            continue; // It was faster than its end.
        }
        assert_eq!(place.list().await, [], "killed while {step}");
        let saved = place.save(&workspace.ground()).await.unwrap();
        assert_eq!(place.list().await, std::slice::from_ref(&saved.version));
        for unfinished in unfinished_in(&place.bucket, &place.account).await.unwrap() {
            assert!(unfinished.version < saved.version.version);
            let error = show_in(&place.bucket, &place.account, &unfinished.version.to_string()).await.unwrap_err();
            assert!(error.message.contains("did not finish"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_save_that_is_stopped_says_so_and_leaves_nothing_listed() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "one")]));
    let run = run();
    run.cancel.cancel();
    let error = save_on(&place.bucket, &place.account, &workspace.ground(), "", &run).await.unwrap_err();
    assert_eq!(error.code, sandbank::api::ErrorCode::Interrupted);
    assert_eq!(place.list().await, []);
}

#[tokio::test]
async fn a_command_that_is_run_again_after_its_save_was_published_saves_nothing_more() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "one")]));
    let mut run = run();
    let first = save_on(&place.bucket, &place.account, &workspace.ground(), "", &run).await.unwrap();
    run.attempts = 2;
    let again = save_on(&place.bucket, &place.account, &workspace.ground(), "", &run).await.unwrap();
    assert_eq!(again.version, first.version);
    assert_eq!(again.stats.bytes_transferred, 3, "what it took is told again");
    assert!(!again.stats.duration.is_zero());
    assert_eq!(place.list().await.len(), 1);
}

#[tokio::test]
async fn accounts_whose_names_begin_alike_see_only_their_own() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "one")]));
    let longer = AccountId::new(format!("{}x", place.account)).unwrap();
    save_on(&place.bucket, &longer, &workspace.ground(), "", &run()).await.unwrap();
    assert_eq!(place.list().await, []);
    place.save(&workspace.ground()).await.unwrap();
    assert_eq!(list_in(&place.bucket, &longer).await.unwrap().len(), 1);
    assert_eq!(place.list().await.len(), 1);
}

#[tokio::test]
async fn a_note_is_kept_and_one_that_does_not_fit_is_refused_first() {
    let place = Place::new().await;
    let workspace = Workspace::new();
    fs::write(workspace.path().join("a"), "a").unwrap();
    let note = "before\nrefactor \u{1b}[31m";
    save_on(&place.bucket, &place.account, &workspace.ground(), note, &run()).await.unwrap();
    assert_eq!(place.list().await[0].note, note);
    let long = "x".repeat(5_000);
    let error = save_on(&place.bucket, &place.account, &workspace.ground(), &long, &run()).await.unwrap_err();
    assert_eq!(error.code, sandbank::api::ErrorCode::Usage);
    assert_eq!(place.list().await.len(), 1);
}
