//! Restoring: exactly the version, from anything, through any crash.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use axum::http::StatusCode;
use rustix::fs::{CWD, FileType, Mode};
use sandbank::inside::mover::words::{self, Change, Entry, Frame, Kind, Phase, Request, Unfinished};

use crate::{
    disk::{self, Facts, file, folder, link, odd_tree, touch},
    session::{Session, object, restore, restore_rooted, save},
    store::Store,
};

/// Restores into a folder, which must end well.
pub fn restore_into(root: &Path, tree: &[Entry], store: &Store) -> Vec<(Change, String)> {
    let mut session = Session::start(root);
    let said = restore(&mut session, 9, tree, store, false, false);
    assert!(said.totals.is_some(), "{said:?}");
    assert_eq!(said.problems(), Vec::<&str>::new());
    assert_eq!(session.end().0, []);
    assert!(!root.join(".sandbank").exists());
    said.changes()
}

fn differences(a: &Path, b: &Path) -> Vec<(String, Option<Facts>, Option<Facts>)> {
    let (mut a, mut b) = (disk::read(a), disk::read(b));
    a.retain(|path, facts| if b.get(path) == Some(facts) { b.remove(path).is_none() } else { true });
    let only_b = b.keys().filter(|path| !a.contains_key(*path)).cloned().collect::<Vec<_>>();
    let all = a.keys().cloned().chain(only_b).collect::<Vec<_>>();
    let cut =
        |facts: Option<&Facts>| facts.map(|f| Facts { bytes: f.bytes.iter().take(50).copied().collect(), ..f.clone() });
    all.into_iter().map(|path| (path.escape_ascii().to_string(), cut(a.get(&path)), cut(b.get(&path)))).collect()
}

pub fn assert_same(a: &Path, b: &Path) {
    let differences = differences(a, b);
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn an_odd_tree_comes_back_as_it_was() {
    let (from, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    odd_tree(from.path());
    let tree = save(from.path(), &store);
    restore_into(to.path(), &tree, &store);
    assert_same(from.path(), to.path());

    // Nothing to do: nothing said, nothing fetched.
    let gets = store.gets();
    assert_eq!(restore_into(to.path(), &tree, &store), []);
    assert_eq!(store.gets(), gets);
    assert_same(from.path(), to.path());
}

/// A version, and a workspace that differs from it in every way, types among them.
fn changed_in_every_way(from: &Path, to: &Path) {
    for root in [from, to] {
        file(root, "same", "same", 0o644);
        file(root, "content", "one", 0o644);
        file(root, "mode", "mode", 0o644);
        folder(root, "folder-mode", 0o755);
        file(root, "file-to-folder", "f", 0o644);
        file(root, "folder-to-file/a/b", "f", 0o644);
        folder(root, "folder-to-link/a", 0o755);
        link(root, "link-to-folder", "/etc");
        link(root, "target", "a");
        link(root, "link-to-file", "/etc/passwd");
        file(root, "file-to-link", "f", 0o644);
    }
    file(to, "content", "two", 0o644);
    file(to, "mode", "mode", 0o4755);
    folder(to, "folder-mode", 0o700);
    for path in ["file-to-folder", "link-to-folder", "target", "link-to-file", "file-to-link"] {
        fs::remove_file(to.join(path)).unwrap();
    }
    fs::remove_dir_all(to.join("folder-to-file")).unwrap();
    fs::remove_dir_all(to.join("folder-to-link")).unwrap();
    file(to, "file-to-folder/x/y", "f", 0o600);
    file(to, "folder-to-file", "f", 0o644);
    link(to, "folder-to-link", "/etc");
    file(to, "link-to-folder/passwd", "f", 0o644);
    link(to, "target", "b");
    file(to, "link-to-file", "f", 0o644);
    link(to, "file-to-link", "same");
    file(to, "only/in/version", "new", 0o640);
    file(from, "only/on/disk", "old", 0o640);
    file(from, "gone", "old", 0o640);
}

#[test]
fn every_kind_of_change_is_told_and_made() {
    let (before, version, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    changed_in_every_way(before.path(), version.path());
    let tree = save(version.path(), &store);
    let gets = store.gets();

    let mut session = Session::start(before.path());
    let was = disk::read(before.path());
    let dry = restore(&mut session, 9, &tree, &store, true, false);
    assert_eq!(disk::read(before.path()), was);
    assert_eq!(store.gets(), gets);
    let real = restore(&mut session, 9, &tree, &store, false, false);
    assert_eq!(real.changes(), dry.changes());
    assert_same(before.path(), version.path());

    use Change::{Added, Changed, Deleted};
    let expected = [
        (Changed, "content"),
        (Changed, "file-to-folder"),
        (Added, "file-to-folder/x"),
        (Added, "file-to-folder/x/y"),
        (Changed, "file-to-link"),
        (Changed, "folder-mode"),
        (Changed, "folder-to-file"),
        (Deleted, "folder-to-file/a"),
        (Deleted, "folder-to-file/a/b"),
        (Changed, "folder-to-link"),
        (Deleted, "folder-to-link/a"),
        (Deleted, "gone"),
        (Changed, "link-to-file"),
        (Changed, "link-to-folder"),
        (Added, "link-to-folder/passwd"),
        (Changed, "mode"),
        (Added, "only/in"),
        (Added, "only/in/version"),
        (Deleted, "only/on"),
        (Deleted, "only/on/disk"),
        (Changed, "target"),
    ];
    assert_eq!(dry.changes(), expected.map(|(change, path)| (change, path.to_owned())));
    let totals = dry.totals.unwrap();
    assert_eq!((totals.added, totals.changed, totals.deleted), (5, 10, 6));
}

/// The process dies at the first, second, … place at which a crash could matter, until a run gets through. After each
/// death the workspace is whole or says what it is, and the same restore leads to the version.
#[test]
fn a_crash_at_any_point_is_mended_by_the_same_restore() {
    let (version, store) = (tempfile::tempdir().unwrap(), Store::start());
    changed_in_every_way(tempfile::tempdir().unwrap().path(), version.path());
    let tree = save(version.path(), &store);
    let meta = fs::metadata(version.path()).unwrap();
    let root = words::Facts { mode: 0o751, uid: meta.uid(), gid: meta.gid(), mtime_ns: 1_234_567_890_123_456_789 };
    for point in 1.. {
        let before = tempfile::tempdir().unwrap();
        changed_in_every_way(before.path(), tempfile::tempdir().unwrap().path());
        let mut was = disk::read(before.path());
        let env = [("SANDBANK_TEST_CRASH_AT", point.to_string())];
        let mut session = Session::start_with(before.path(), &env);
        let said = restore_rooted(&mut session, root, &tree, &store);
        if said.totals.is_some() {
            assert!(point > 40, "only {point} places");
            return;
        }
        assert_eq!(said.stopped, None);
        drop(session);

        let mut session = Session::start(before.path());
        session.send(Frame::Status);
        let Some(Frame::Journal { unfinished }) = session.next() else { panic!() };
        let mut now = disk::read(before.path());
        now.retain(|path, _| !path.starts_with(b".sandbank"));
        was.retain(|path, _| !path.starts_with(b".sandbank"));
        match unfinished {
            // Not begun, or ended.
            None => assert!(now == was || now == disk::read(version.path()), "{point}"),
            Some(Unfinished { target: 9, before: Some(1), phase: Phase::Stage }) => assert_eq!(now, was),
            Some(Unfinished { target: 9, before: Some(1), phase: Phase::Apply }) => {
                let gets = store.gets();
                let other = restore(&mut Session::start(before.path()), 8, &tree, &store, false, false);
                assert!(other.stopped.unwrap().contains("version 9"));
                // All that is needed is there.
                let said = restore_rooted(&mut session, root, &tree, &store);
                assert!(said.totals.is_some(), "{said:?}");
                assert_eq!(store.gets(), gets);
            }
            other => panic!("{other:?}"),
        }
        let said = restore_rooted(&mut Session::start(before.path()), root, &tree, &store);
        assert!(said.totals.is_some(), "{said:?}");
        assert_same(before.path(), version.path());
        let meta = fs::metadata(before.path()).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime(), meta.mtime_nsec()), (0o751, 1_234_567_890, 123_456_789));
    }
}

#[test]
fn what_the_stage_has_is_not_fetched_again_and_a_discarded_stage_leaves_nothing() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    for n in 0..600 {
        file(version.path(), format!("f{n:03}"), format!("bytes {n}"), 0o644);
    }
    file(version.path(), "g", vec![7; 40 << 20], 0o644);
    let tree = save(version.path(), &store);
    let mut session = Session::start_with(to.path(), &[("SANDBANK_TEST_CRASH_AT", "400".to_owned())]);
    let said = restore(&mut session, 9, &tree, &store, false, false);
    assert_eq!((said.totals, said.stopped), (None, None));
    let first = store.gets();
    assert!(first >= 390, "{first}");
    restore_into(to.path(), &tree, &store);
    assert_same(version.path(), to.path());
    // Those that had come but not been counted when it died are verified and kept too.
    assert!(store.gets() - first <= 603 - 398, "{}", store.gets());

    let to = tempfile::tempdir().unwrap();
    let mut session = Session::start_with(to.path(), &[("SANDBANK_TEST_CRASH_AT", "9".to_owned())]);
    restore(&mut session, 9, &tree, &store, false, false);
    let mut session = Session::start(to.path());
    session.send(Frame::Discard);
    assert_eq!(session.next(), Some(Frame::Journal { unfinished: None }));
    assert_eq!(disk::read(to.path()).len(), 0);
}

#[test]
fn a_bad_object_is_refused_before_anything_is_touched() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    file(version.path(), "f", "right", 0o644);
    file(to.path(), "f", "mine!", 0o644);
    let tree = save(version.path(), &store);
    let Kind::File(content) = &tree[0].kind else { panic!() };
    for bytes in ["wrong", "righ", "right!"] {
        store.set_object(&object(content), bytes.into());
        let mut session = Session::start(to.path());
        let said = restore(&mut session, 9, &tree, &store, false, false);
        assert!(matches!(said.frames.last(), Some(Frame::Failed { again: false, .. })), "{said:?}");
        drop(session);
        assert_eq!(fs::read(to.path().join("f")).unwrap(), b"mine!");
    }
    // An expired URL is answered by another one, within the same restore.
    store.set_object(&object(content), "right".into());
    store.fail(&[(StatusCode::FORBIDDEN, "AccessDenied")]);
    let mut session = Session::start(to.path());
    let said = restore(&mut session, 9, &tree, &store, false, false);
    assert!(matches!(said.frames.last(), Some(Frame::Failed { again: true, .. })), "{said:?}");
    let request = Request { url: store.url(&object(content), 0), headers: Vec::new() };
    session.send(Frame::Get { ticket: 77, entry: 0, part: 0, request });
    let rest: Vec<_> = std::iter::from_fn(|| session.next().filter(|f| !matches!(f, Frame::Restored(_)))).collect();
    assert!(rest.iter().any(|frame| matches!(frame, Frame::Done { ticket: 77, .. })), "{rest:?}");
    assert_same(version.path(), to.path());
}

#[test]
fn trees_that_climb_are_refused_before_anything_is_touched() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Store::start());
    let root = dir.path().join("root");
    file(&root, "mine", "mine", 0o644);
    let folder = |path: &str| Entry { path: path.into(), kind: Kind::Folder, mode: 0o755, uid: 0, gid: 0, mtime_ns: 0 };
    let bad = ["..", "../x", "/etc", "a/../../x", "", "a\0b", ".sandbank", "."];
    for tree in bad.map(|path| vec![folder(path)]).into_iter().chain([
        vec![folder("b"), folder("a")],
        vec![folder("a"), folder("a")],
        vec![folder("a/b")],
    ]) {
        let was = disk::read(dir.path());
        let mut session = Session::start(&root);
        let said = restore(&mut session, 9, &tree, &store, false, false);
        assert!(said.stopped.is_some_and(|reason| reason.contains("nothing was changed")), "{tree:?}");
        assert_eq!(session.end().0, []);
        assert_eq!(disk::read(dir.path()), was, "our own folder came and went unnoticed");
    }
}

#[test]
fn a_hostile_reserved_folder_leads_nowhere() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Store::start());
    let (root, version, outside) = (dir.path().join("root"), dir.path().join("version"), dir.path().join("outside"));
    file(&version, "f", "bytes", 0o644);
    file(&outside, "stage/0", "theirs", 0o644);
    file(&outside, "restore.json", r#"{"target":5,"before":null,"phase":"apply"}"#, 0o644);
    let tree = save(&version, &store);
    let was = disk::read(&outside);
    folder(&root, "", 0o755);

    link(&root, ".sandbank", "../outside");
    restore_into(&root, &tree, &store);
    assert_same(&version, &root);
    fs::remove_file(root.join("f")).unwrap();

    folder(&root, ".sandbank", 0o777);
    link(&root, ".sandbank/stage", "../../outside/stage");
    link(&root, ".sandbank/trash", "../../outside");
    link(&root, ".sandbank/scratch", "../../outside/restore.json");
    restore_into(&root, &tree, &store);
    assert_same(&version, &root);
    fs::remove_file(root.join("f")).unwrap();

    folder(&root, ".sandbank/stage", 0o777);
    link(&root, ".sandbank/stage/0", "../../../outside/stage/0");
    rustix::fs::mknodat(CWD, root.join(".sandbank/restore.json.new"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    restore_into(&root, &tree, &store);
    assert_same(&version, &root);
    assert_eq!(disk::read(&outside), was);
}

#[test]
fn a_journal_that_is_none_is_not_taken_for_one() {
    let (dir, version, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    file(version.path(), "f", "bytes", 0o644);
    let tree = save(version.path(), &store);
    file(dir.path(), ".sandbank/restore.json", "{]", 0o644);
    let said = restore(&mut Session::start(dir.path()), 9, &tree, &store, false, false);
    assert!(said.stopped.unwrap().contains("no journal"));
    let said = restore(&mut Session::start(dir.path()), 9, &tree, &store, false, true);
    assert!(said.totals.is_some(), "{said:?}");
    assert_same(version.path(), dir.path());
}

#[test]
fn what_the_version_leaves_out_stays_as_it_is() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    file(version.path(), "a/f", "f", 0o644);
    let left_out = |path: &str| Entry { path: path.into(), kind: Kind::LeftOut, mode: 0, uid: 0, gid: 0, mtime_ns: 0 };
    let mut tree = save(version.path(), &store);
    tree.extend([left_out("a/log"), left_out("folder"), left_out("none")]);
    file(to.path(), "a/log", "mine", 0o600);
    file(to.path(), "a/other", "goes", 0o600);
    file(to.path(), "folder/x/y", "mine too", 0o600);
    let changes = restore_into(to.path(), &tree, &store);
    assert_eq!(changes, [(Change::Added, "a/f".to_owned()), (Change::Deleted, "a/other".to_owned())]);
    let paths: Vec<_> = disk::read(to.path()).into_keys().map(|path| String::from_utf8(path).unwrap()).collect();
    assert_eq!(paths, ["a", "a/f", "a/log", "folder", "folder/x", "folder/x/y"]);
    assert_eq!(fs::read(to.path().join("a/log")).unwrap(), b"mine");
}

#[test]
fn files_with_several_names_get_what_each_name_had() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    for (name, mode) in [("a", 0o644), ("b", 0o600)] {
        file(version.path(), name, "same", mode);
        touch(version.path(), name, i64::from(mode));
    }
    file(to.path(), "a", "same", 0o644);
    fs::hard_link(to.path().join("a"), to.path().join("b")).unwrap();
    let tree = save(version.path(), &store);
    restore_into(to.path(), &tree, &store);
    assert_same(version.path(), to.path());
}

#[test]
fn pipes_and_sockets_stay_unless_they_are_in_the_way() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    file(version.path(), "way", "file", 0o644);
    let tree = save(version.path(), &store);
    for name in ["way", "aside"] {
        rustix::fs::mknodat(CWD, to.path().join(name), FileType::Fifo, Mode::RUSR, 0).unwrap();
    }
    assert_eq!(restore_into(to.path(), &tree, &store), [(Change::Changed, "way".to_owned())]);
    assert_eq!(disk::read(to.path())[&b"aside"[..]].kind, "special");
}

#[test]
fn two_movers_work_one_after_the_other() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    file(version.path(), "f", "new", 0o644);
    let tree = save(version.path(), &store);
    let mut first = Session::start(to.path());
    first.send(Frame::Restore { target: 9, before: None, dry: false, replace: false });
    first.send(Frame::Entry(tree[0].clone()));
    first.send(Frame::EndTree { entries: 1 });
    while !matches!(first.next(), Some(Frame::Want { entry: 0, part: 0 })) {}
    let mut second = Session::start(to.path());
    let said = std::thread::scope(|scope| {
        let restored = scope.spawn(|| restore(&mut second, 9, &tree, &store, false, false));
        let Kind::File(content) = &tree[0].kind else { panic!() };
        let request = Request { url: store.url(&object(content), 0), headers: Vec::new() };
        first.send(Frame::Get { ticket: 1, entry: 0, part: 0, request });
        while !matches!(first.next(), Some(Frame::Restored(_))) {}
        restored.join().unwrap()
    });
    assert_eq!(said.totals.unwrap().added, 0, "{said:?}");
    assert_same(version.path(), to.path());
}

#[test]
fn a_service_that_leaves_early_leaves_a_whole_workspace() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    file(version.path(), "f", "new", 0o644);
    file(to.path(), "f", "old", 0o644);
    let tree = save(version.path(), &store);
    let mut session = Session::start(to.path());
    session.send(Frame::Restore { target: 9, before: None, dry: false, replace: false });
    session.send(Frame::Entry(tree[0].clone()));
    session.send(Frame::EndTree { entries: 1 });
    while !matches!(session.next(), Some(Frame::Want { entry: 0, part: 0 })) {}
    let (frames, _) = session.end();
    assert!(matches!(&frames[..], [Frame::Stopped { reason }] if reason.contains("nothing was changed")), "{frames:?}");
    assert_eq!(fs::read(to.path().join("f")).unwrap(), b"old");
    let mut session = Session::start(to.path());
    session.send(Frame::Status);
    let journal = Unfinished { target: 9, before: None, phase: Phase::Stage };
    assert_eq!(session.next(), Some(Frame::Journal { unfinished: Some(journal) }));
}
