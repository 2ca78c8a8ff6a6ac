//! A restore does what was seen of it, and nothing else.

use std::fs;

use sandbank::{
    api::{ErrorCode, command::Changes},
    service::versions::{Wish, restore_on},
};

use crate::support::{Node, Place, Tree, Workspace, run, wish};

/// A version, a workspace that has gone on from it, and what a restore would change.
async fn looked_at() -> (Place, Workspace, Changes) {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("keep", "1"), ("change", "22"), ("gone", "333")]));
    place.save(&workspace.ground()).await.unwrap();
    let mut tree = Tree::files([("keep", "1"), ("change", "4444"), ("new/file", "5")]);
    tree.put(b"link", Node::Link(b"here".to_vec()));
    workspace.write(&tree);
    let seen = place.compare(&workspace.ground(), "latest").await.unwrap();
    (place, workspace, seen)
}

#[tokio::test]
async fn what_was_seen_is_done() {
    let (place, workspace, seen) = looked_at().await;
    let again = place.compare(&workspace.ground(), "latest").await.unwrap();
    assert_eq!(again, seen, "the same changes have the same digest");
    assert!(seen.digest.is_some());
    let done = place.restore_only(&workspace.ground(), &seen).await.unwrap();
    assert_eq!((done.added, done.changed, done.deleted), (seen.added, seen.changed, seen.deleted));
    assert!(place.compare(&workspace.ground(), "latest").await.unwrap().is_empty());
}

#[rstest::rstest]
#[case::a_new_file(|w: &Workspace| fs::write(w.path().join("unseen"), "mine").unwrap())]
#[case::a_new_file_in_what_goes(|w: &Workspace| fs::write(w.path().join("new/unseen"), "mine").unwrap())]
#[case::a_file_that_goes_is_written(|w: &Workspace| fs::write(w.path().join("new/file"), "6").unwrap())]
#[case::a_file_that_changes_is_written(|w: &Workspace| fs::write(w.path().join("change"), "7777").unwrap())]
#[case::a_file_that_stays_is_written(|w: &Workspace| fs::write(w.path().join("keep"), "8").unwrap())]
#[case::a_link_leads_elsewhere(|w: &Workspace| {
    fs::remove_file(w.path().join("link")).unwrap();
    std::os::unix::fs::symlink("there", w.path().join("link")).unwrap();
})]
#[tokio::test]
async fn what_was_not_seen_stays(#[case] write: fn(&Workspace)) {
    let (place, workspace, seen) = looked_at().await;
    write(&workspace);
    let before = workspace.read();
    let error = place.restore_only(&workspace.ground(), &seen).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
    assert_eq!(workspace.read(), before, "nothing was changed, and nothing left behind");
    // Seen again, it is done.
    let seen = place.compare(&workspace.ground(), "latest").await.unwrap();
    place.restore_only(&workspace.ground(), &seen).await.unwrap();
}

#[tokio::test]
async fn what_was_not_seen_stays_also_where_nothing_is_fetched() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("keep", "1")]));
    place.save(&workspace.ground()).await.unwrap();
    fs::write(workspace.path().join("seen"), "2").unwrap();
    let seen = place.compare(&workspace.ground(), "latest").await.unwrap();
    fs::write(workspace.path().join("unseen"), "3").unwrap();
    let before = workspace.read();
    let error = place.restore_only(&workspace.ground(), &seen).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
    assert_eq!(workspace.read(), before);
}

#[tokio::test]
async fn another_version_was_not_seen() {
    let (place, workspace, seen) = looked_at().await;
    let other = Workspace::with(&Tree::files([("keep", "1"), ("change", "22"), ("gone", "333")]));
    place.save(&other.ground()).await.unwrap();
    let error = place.restore_only(&workspace.ground(), &seen).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
}

#[tokio::test]
async fn a_restore_that_has_begun_is_finished_by_the_next_server_and_by_no_other_command() {
    let (place, workspace, seen) = looked_at().await;
    let version = place.list().await[0].version;
    // As a server leaves it that is killed in the middle.
    fs::create_dir(workspace.path().join(".sandbank")).unwrap();
    let journal = format!(r#"{{"target":{version},"before":null,"phase":"apply"}}"#);
    fs::write(workspace.path().join(".sandbank/restore.json"), journal).unwrap();
    fs::write(workspace.path().join("change"), "22").unwrap();
    // The restore's own folder gets another time.
    let left = || workspace.read().into_iter().filter(|(path, _)| path.as_os_str() != ".sandbank").collect::<Vec<_>>();
    let before = left();
    let wish = Wish { expected: seen.digest.as_deref(), ..wish("latest") };
    let (mut run, ground) = (run(), workspace.ground());
    let error = restore_on(&place.bucket, &place.account, &ground, wish, &run).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
    assert_eq!(left(), before);
    run.attempts = 2;
    restore_on(&place.bucket, &place.account, &ground, wish, &run).await.unwrap();
    assert!(place.compare(&ground, "latest").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_digest_is_refused() {
    let (place, workspace, seen) = looked_at().await;
    for digest in ["", "no", &"f".repeat(63)] {
        let seen = Changes { digest: Some(digest.to_owned()), ..seen.clone() };
        let error = place.restore_only(&workspace.ground(), &seen).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Usage, "{error}");
    }
}
