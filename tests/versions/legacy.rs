//! Versions that other tools have made: objects in a folder whose name is a number.

use std::fs;

use sandbank::service::versions::show_in;

use crate::support::{Place, Tree, Workspace};

async fn put(place: &Place, key: &str, content: &str) {
    let key = format!("{}{key}", place.keys().root());
    place.bucket.create("put", &key, content.to_owned().into()).await.unwrap();
}

#[tokio::test]
async fn they_are_listed_and_restored() {
    let place = Place::new().await;
    put(&place, "1600000000/src/main.rs", "fn main() {}").await;
    put(&place, "1600000000/empty/", "").await;
    put(&place, "1600000000/ä b+%25", "odd").await;
    put(&place, "notes/x", "no version").await;
    put(&place, "007/x", "no version either").await;
    let listed = place.list().await;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].legacy);
    assert_eq!((listed[0].version.0, listed[0].files, listed[0].bytes), (1_600_000_000, 2, 15));
    assert_eq!(show_in(&place.bucket, &place.account, "latest").await.unwrap(), listed[0]);
    let workspace = Workspace::with(&Tree::files([("old", "old")]));
    let changes = place.restore(&workspace.ground(), "1600000000").await.unwrap();
    assert_eq!(changes.deleted[0].path, "old");
    assert_eq!(fs::read(workspace.path().join("src/main.rs")).unwrap(), b"fn main() {}");
    assert_eq!(fs::read(workspace.path().join("ä b+%25")).unwrap(), b"odd");
    assert!(workspace.path().join("empty").is_dir());
    let saved = place.save(&workspace.ground()).await.unwrap();
    let versions: Vec<_> = place.list().await.iter().map(|v| (v.version, v.legacy)).collect();
    assert_eq!(versions, [(saved.version.version, false), (listed[0].version, true)]);
}

#[tokio::test]
async fn one_that_can_not_be_a_tree_is_refused_and_touches_nothing() {
    for bad in ["a//b", "../x", "a/../../x", ".sandbank/restore.json"] {
        let place = Place::new().await;
        put(&place, &format!("1600000000/{bad}"), "bad").await;
        put(&place, "1600000000/good", "good").await;
        let workspace = Workspace::with(&Tree::files([("mine", "mine")]));
        let before = workspace.read();
        let error = place.restore(&workspace.ground(), "1600000000").await.unwrap_err();
        assert!(error.message.contains("no path of a file"), "{error}");
        assert_eq!(workspace.read(), before);
    }
}

#[tokio::test]
async fn a_number_that_is_later_than_now_is_stepped_over() {
    let place = Place::new().await;
    put(&place, "9000000000/x", "from the future").await;
    let workspace = Workspace::with(&Tree::files([("a", "a")]));
    let saved = place.save(&workspace.ground()).await.unwrap();
    assert_eq!(saved.version.version.0, 9_000_000_001);
}
