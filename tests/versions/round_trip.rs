//! Any tree comes back as it was.

use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

use proptest::{prelude::*, test_runner::Config};
use sandbank::storage::{manifest::Record, version::open};

use crate::support::{Node, Place, Tree, Workspace};

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-c]{1,2}".prop_map(String::into_bytes),
        1 => "[ %+&#?=.a\n'\"\\\\]{1,8}".prop_map(String::into_bytes),
        1 => prop::collection::vec(1u8..=255, 1..8),
        1 => "\\.sandbank[-a-z]{0,4}".prop_map(String::into_bytes),
        1 => "[ä日\u{7f}\u{85}\u{feff}\u{fffe}]{1,5}".prop_map(String::into_bytes),
        1 => prop::collection::vec(prop_oneof![Just(b'x'), Just(0xff)], 200..255),
    ]
    .prop_filter("a name", |n| n != b"." && n != b".." && !n.contains(&b'/') && n.len() <= 255)
}

fn tree() -> impl Strategy<Value = Tree> {
    let node = prop_oneof![
        2 => (prop::collection::vec(any::<u8>(), 0..200), 0o600u32..=0o777).prop_map(|(c, m)| Node::File(c, m | 0o600)),
        1 => (0o700u32..=0o777).prop_map(|m| Node::Folder(m | 0o700)),
        1 => prop::collection::vec(prop_oneof![Just(b'.'), Just(b'/'), 1u8..=255], 1..20).prop_map(Node::Link),
    ];
    let path = prop::collection::vec(name(), 1..4).prop_map(|names| names.join(&b'/'));
    let path = path.prop_filter("not ours", |p| p.split(|b| *b == b'/').next() != Some(b".sandbank"));
    prop::collection::vec((path, node), 0..14).prop_map(|nodes| {
        let mut tree = Tree::default();
        for (path, node) in nodes {
            tree.put(&path, node);
        }
        tree
    })
}

#[test]
fn what_was_saved_is_restored_over_whatever_is_there() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // As long as this is there, all cases have the same store.
    let _store = runtime.block_on(Place::new());
    let config = Config { cases: 16, ..Config::default() };
    proptest!(config, |(a in tree(), b in tree())| runtime.block_on(round_trip(&a, &b)));
}

async fn round_trip(a: &Tree, b: &Tree) {
    let place = Place::new().await;
    let workspace = Workspace::with(a);
    let before = workspace.read();
    let saved = place.save(&workspace.ground()).await.unwrap();
    assert_eq!(saved.stats.errors, [""; 0]);
    assert!(saved.version.complete);
    assert_eq!(saved.version.files, before.values().filter(|what| what.0 == "file").count() as u64);
    workspace.write(b);
    let name = saved.version.version.to_string();
    let told = place.compare(&workspace.ground(), &name).await.unwrap();
    let done = place.restore(&workspace.ground(), &name).await.unwrap();
    assert_eq!(told, done, "what is told is what is done");
    assert_eq!(workspace.read(), before);
    assert!(place.compare(&workspace.ground(), "latest").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_empty_workspace_in_an_empty_bucket() {
    let place = Place::new().await;
    assert_eq!(place.list().await, []);
    let workspace = Workspace::new();
    let saved = place.save(&workspace.ground()).await.unwrap();
    assert_eq!((saved.version.files, saved.version.bytes), (0, 0));
    assert_eq!(place.list().await, [saved.version]);
    fs::write(workspace.path().join("a"), "a").unwrap();
    place.restore(&workspace.ground(), "latest").await.unwrap();
    assert!(workspace.read().is_empty());
}

#[tokio::test]
async fn only_what_changed_is_sent_again_and_each_version_is_whole_in_its_folder() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a/one", "first"), ("a/two", "second"), ("b%", "odd")]));
    let first = place.save(&workspace.ground()).await.unwrap();
    assert_eq!(first.stats.bytes_transferred, 14);
    fs::write(workspace.path().join("a/one"), "FIRST!").unwrap();
    fs::set_permissions(workspace.path().join("a/two"), fs::Permissions::from_mode(0o755)).unwrap();
    let second = place.save(&workspace.ground()).await.unwrap();
    assert_eq!((second.stats.bytes_transferred, second.stats.files_processed), (6, 3));
    assert!(second.version.version > first.version.version);
    let objects = place.objects().await;
    for name in ["a/one", "a/two", "b%25"] {
        let key = format!("{}{name}", place.keys().folder(second.version.version));
        assert!(objects.contains(&key), "{key} in {objects:?}");
    }
    place.restore(&workspace.ground(), &first.version.version.to_string()).await.unwrap();
    assert_eq!(fs::read(workspace.path().join("a/one")).unwrap(), b"first");
    let mode = fs::metadata(workspace.path().join("a/two")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[tokio::test]
async fn the_root_gets_its_own_time_and_mode_back() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "a")]));
    fs::set_permissions(workspace.path(), fs::Permissions::from_mode(0o751)).unwrap();
    let facts = |path: &std::path::Path| {
        let meta = fs::metadata(path).unwrap();
        (meta.permissions().mode(), meta.modified().unwrap())
    };
    let before = facts(workspace.path());
    place.save(&workspace.ground()).await.unwrap();
    workspace.write(&Tree::files([("b", "b")]));
    fs::set_permissions(workspace.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let changed = facts(workspace.path());
    place.compare(&workspace.ground(), "latest").await.unwrap();
    assert_eq!(facts(workspace.path()), changed);
    place.restore(&workspace.ground(), "latest").await.unwrap();
    assert_eq!(facts(workspace.path()), before);
}

#[tokio::test]
async fn a_comparison_changes_nothing() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("keep", "1"), ("change", "22")]));
    place.save(&workspace.ground()).await.unwrap();
    workspace.write(&Tree::files([("keep", "1"), ("change", "333"), ("new", "4")]));
    let before = workspace.read();
    let told = place.compare(&workspace.ground(), "latest").await.unwrap();
    let pairs =
        |list: &[sandbank::api::command::PathSize]| list.iter().map(|p| (p.path.clone(), p.size)).collect::<Vec<_>>();
    assert_eq!(pairs(&told.added), []);
    assert_eq!(pairs(&told.changed), [("change".to_owned(), 2)]);
    assert_eq!(pairs(&told.deleted), [("new".to_owned(), 1)]);
    assert_eq!(workspace.read(), before);
}

#[tokio::test]
async fn a_file_of_several_parts_is_verified_part_by_part() {
    let place = Place::new().await;
    let workspace = Workspace::new();
    let big: Vec<u8> = (0..40_u32 << 20).map(|i| (i / 1000) as u8 ^ i as u8).collect();
    fs::write(workspace.path().join("big"), &big).unwrap();
    let saved = place.save(&workspace.ground()).await.unwrap();
    assert_eq!(saved.stats.bytes_transferred, big.len() as u64);
    let records: Vec<Record> =
        open(&place.bucket, &place.keys(), saved.version.version).await.unwrap().map(Result::unwrap).collect();
    assert_eq!(records[0].content().unwrap().digests.len(), 3);
    assert_eq!(place.save(&workspace.ground()).await.unwrap().stats.bytes_transferred, 0, "copied in the store");
    fs::remove_file(workspace.path().join("big")).unwrap();
    place.restore(&workspace.ground(), "latest").await.unwrap();
    assert!(fs::read(workspace.path().join("big")).unwrap() == big);
}

#[tokio::test]
async fn two_thousand_small_files() {
    let place = Place::new().await;
    let mut tree = Tree::default();
    for i in 0..2_000 {
        let path = format!("d{}/f{i}", i % 40);
        tree.put(path.as_bytes(), Node::File(format!("content of {i}").into_bytes(), 0o644));
    }
    let workspace = Workspace::with(&tree);
    let before = workspace.read();
    let start = Instant::now();
    let saved = place.save(&workspace.ground()).await.unwrap();
    assert_eq!((saved.version.files, saved.stats.errors.len()), (2_000, 0));
    workspace.write(&Tree::default());
    place.restore(&workspace.ground(), "latest").await.unwrap();
    assert!(workspace.read() == before);
    // An unoptimised build on a busy machine takes some seconds; one request after another would take minutes.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
