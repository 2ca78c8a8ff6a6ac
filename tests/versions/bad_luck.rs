//! A failed read never becomes a destructive write.

use std::{fs, os::unix::net::UnixListener};

use sandbank::{
    api::ErrorCode,
    core::VersionId,
    inside::mover::words::{Content, Digest, Entry, Kind as What},
    service::versions::{restore_on, save_on, show_in},
    storage::{
        claim::claim,
        manifest::{Head, Holder, Record},
        survey::survey,
        version::publish,
    },
};

use crate::support::{Place, Tree, Workspace, run, stopped_at, wish};

const V: VersionId = VersionId(1_600_000_000);

fn head(place: &Place, records: &[Record]) -> Head {
    Head::of(V, place.account.clone(), uuid::Uuid::nil(), records)
}

fn file(path: &str, size: u64) -> Record {
    let content = Content { size, digests: vec![Digest([7; 32])], inode: None };
    Record {
        entry: Entry { path: path.into(), kind: What::File(content), mode: 0o644, uid: 0, gid: 0, mtime_ns: 0 },
        holder: Some(Holder::Version(V)),
        etag: String::new(),
    }
}

async fn refused(place: &Place, why: &str) {
    let workspace = Workspace::with(&Tree::files([("mine/a", "mine"), ("b", "mine too")]));
    let before = workspace.read();
    let error = place.restore(&workspace.ground(), "latest").await.unwrap_err();
    assert!(error.message.contains(why), "{error} should tell: {why}");
    assert_eq!(workspace.read(), before, "the workspace is as it was, without anything left");
}

#[tokio::test]
async fn a_version_whose_save_was_interrupted_is_no_version_and_that_is_told() {
    let place = Place::new().await;
    let found = survey(&place.bucket, &place.keys()).await.unwrap();
    let claimed = claim(&place.bucket, &place.keys(), &found, uuid::Uuid::nil(), None, None).await.unwrap();
    let workspace = Workspace::with(&Tree::files([("mine", "mine")]));
    let before = workspace.read();
    let error = place.restore(&workspace.ground(), &claimed.version.to_string()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.contains("did not finish") && error.hint.contains("version list"), "{error} {}", error.hint);
    assert_eq!(place.restore(&workspace.ground(), "latest").await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(workspace.read(), before);
}

#[tokio::test]
async fn an_object_that_is_gone_stops_the_restore_before_it_touches_anything() {
    let place = Place::new().await;
    let records = [file("gone", 5)];
    publish(&place.bucket, &place.keys(), &head(&place, &records), &records).await.unwrap();
    refused(&place, "fetched").await;
}

#[tokio::test]
async fn an_object_that_is_another_one_stops_it_too() {
    let place = Place::new().await;
    let records = [file("other", 5)];
    place.bucket.create("put", &place.keys().object(V, b"other"), "12345".into()).await.unwrap();
    publish(&place.bucket, &place.keys(), &head(&place, &records), &records).await.unwrap();
    refused(&place, "fetched").await;
}

#[tokio::test]
async fn a_manifest_whose_names_climb_is_refused() {
    for path in ["../escape", "/etc/x", "a/../../x", ".sandbank/restore.json"] {
        let place = Place::new().await;
        let records = [file(path, 0)];
        publish(&place.bucket, &place.keys(), &head(&place, &records), &records).await.unwrap();
        refused(&place, "damaged").await;
    }
}

#[tokio::test]
async fn a_manifest_that_is_none_hides_no_other() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "a")]));
    let saved = place.save(&workspace.ground()).await.unwrap();
    place.bucket.create("put", &place.keys().manifest(V), "no manifest at all".into()).await.unwrap();
    assert_eq!(place.list().await, [saved.version]);
    let error = place.restore(&workspace.ground(), &V.to_string()).await.unwrap_err();
    assert!(error.message.contains("damaged"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let place = Place::new().await;
    for (name, code) in [("latest", ErrorCode::NotFound), ("5", ErrorCode::NotFound), ("newest", ErrorCode::Usage)] {
        assert_eq!(show_in(&place.bucket, &place.account, name).await.unwrap_err().code, code, "{name}");
    }
}

#[tokio::test]
async fn what_no_version_holds_is_told_and_the_rest_is_saved() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "a")]));
    let _socket = UnixListener::bind(workspace.path().join("socket")).unwrap();
    let saved = place.save(&workspace.ground()).await.unwrap();
    assert_eq!(saved.stats.errors, ["socket: a socket; versions hold none"]);
    assert!(saved.version.complete);
    assert_eq!(saved.version.files, 1);
}

#[tokio::test]
async fn a_full_store_is_told_and_no_version_is_made() {
    let place = Place::full().await;
    let workspace = Workspace::with(&Tree::files([("a", "a")]));
    let error = place.save(&workspace.ground()).await.unwrap_err();
    assert!(error.message.contains("507"), "{error}");
    assert!(error.hint.contains("free space"), "{error:?}");
    assert_eq!(place.list().await, []);
}

#[tokio::test]
async fn a_wrong_key_is_told_without_the_key() {
    let place = Place::with_wrong_key().await;
    let workspace = Workspace::with(&Tree::files([("a", "a")]));
    let before = workspace.read();
    for error in [
        place.save(&workspace.ground()).await.unwrap_err(),
        place.restore(&workspace.ground(), "latest").await.unwrap_err(),
    ] {
        assert!(error.message.contains("SignatureDoesNotMatch"), "{error}");
        assert!(error.hint.contains("keys"), "{error:?}");
        assert!(!format!("{error:?}").contains("another secret"));
    }
    assert_eq!(workspace.read(), before);
}

#[tokio::test]
async fn a_save_that_is_stopped_in_any_phase_makes_no_version() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "a"), ("b", "b")]));
    for step in ["claiming a version", "reading the workspace", "checking what the store has"] {
        let run = stopped_at(step);
        let error = save_on(&place.bucket, &place.account, &workspace.ground(), "", &run).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Interrupted, "{step}: {error}");
        assert_eq!(place.list().await, [], "{step}");
    }
    assert!(place.save(&workspace.ground()).await.unwrap().version.complete);
}

#[tokio::test]
async fn a_restore_that_is_stopped_in_any_phase_leaves_one_version_or_the_other() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "saved"), ("b", "saved too")]));
    let saved = workspace.read();
    place.save(&workspace.ground()).await.unwrap();
    for step in ["reading the version", "comparing the workspace", "fetching files", "changing the workspace"] {
        workspace.write(&Tree::files([("a", "changed"), ("c", "new")]));
        let before = workspace.read();
        let run = stopped_at(step);
        match restore_on(&place.bucket, &place.account, &workspace.ground(), wish("latest"), &run).await {
            Ok(_) => assert_eq!(workspace.read(), saved, "{step}"),
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Interrupted, "{step}: {error}");
                assert_eq!(workspace.read(), before, "{step}");
            }
        }
    }
}

#[tokio::test]
async fn a_restore_that_is_stopped_leaves_the_workspace_as_it_was() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "saved")]));
    place.save(&workspace.ground()).await.unwrap();
    fs::write(workspace.path().join("a"), "changed").unwrap();
    let before = workspace.read();
    let run = run();
    run.cancel.cancel();
    let error = restore_on(&place.bucket, &place.account, &workspace.ground(), wish("latest"), &run).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Interrupted);
    assert_eq!(workspace.read(), before);
}
