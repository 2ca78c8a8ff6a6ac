//! Walking and sending.

use std::{fs, os::fd::AsFd};

use axum::http::StatusCode;
use rustix::fs::{CWD, FileType, Mode};
use sandbank::inside::mover::{
    path::TreeCheck,
    words::{Frame, Kind, Special},
};

use crate::{
    disk::{self, file, folder, link, odd_tree},
    session::{Session, object},
    store::Store,
};

#[test]
fn a_walk_tells_every_path_as_it_is_in_order() {
    let dir = tempfile::tempdir().unwrap();
    odd_tree(dir.path());
    rustix::fs::mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    folder(dir.path(), ".sandbank/stage", 0o700);

    let frames = Session::start(dir.path()).walk();
    let mut check = TreeCheck::default();
    let mut disk = disk::read(dir.path());
    disk.retain(|path, facts| !path.starts_with(b".sandbank") && facts.kind != "special");
    let mut skipped = Vec::new();
    for frame in &frames {
        match frame {
            Frame::Entry(entry) => {
                check.push(entry).unwrap();
                let facts = disk.remove(&entry.path).unwrap_or_else(|| panic!("{entry:?}"));
                let kind = match &entry.kind {
                    Kind::File(content) => {
                        assert_eq!(content.size, facts.bytes.len() as u64);
                        assert_eq!(content.inode.is_some(), entry.path.starts_with(b"a/"), "{entry:?}");
                        "file"
                    }
                    Kind::Folder => "folder",
                    Kind::Link { target } => {
                        assert_eq!(*target, facts.bytes);
                        "link"
                    }
                    Kind::LeftOut => panic!("{entry:?}"),
                };
                assert_eq!((kind, entry.mode, (entry.uid, entry.gid)), (facts.kind, facts.mode, facts.owner));
                assert_eq!(entry.mtime_ns, facts.mtime.0 * 1_000_000_000 + facts.mtime.1);
            }
            Frame::Skipped { path, what } => skipped.push((path.clone(), *what)),
            other => panic!("{other:?}"),
        }
    }
    assert!(disk.is_empty(), "{disk:?}");
    assert_eq!(skipped, [(b"pipe".to_vec(), Special::Fifo), (b"socket".to_vec(), Special::Socket)]);
}

#[test]
fn what_is_too_deep_for_a_path_is_a_problem_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut at = rustix::fs::open(dir.path(), rustix::fs::OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..3_000 {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = rustix::fs::openat(at.as_fd(), "d", rustix::fs::OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    file(dir.path(), "e", "after", 0o644);
    let mut session = Session::start(dir.path());
    let frames = session.walk();
    assert!(
        matches!(&frames[2048..], [Frame::Problem { .. }, Frame::Entry(e)] if e.path == b"e"),
        "{:?}",
        frames.len()
    );

    // And a restore can delete it.
    let tree: Vec<_> = session.tree().pop().into_iter().collect();
    let said = crate::session::restore(&mut session, 2, &tree, &Store::start(), false, false);
    assert_eq!(said.stopped, None, "{said:?}");
    assert_eq!(disk::read(dir.path()).len(), 1);
}

#[test]
fn a_put_sends_exactly_what_its_entry_said_or_nothing() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Store::start());
    for name in ["grown", "same-size", "gone", "link", "good", "empty"] {
        file(dir.path(), name, name, 0o644);
    }
    file(dir.path(), "empty", "", 0o644);
    file(dir.path(), "large", vec![1; 3 << 20], 0o644);
    let mut session = Session::start(dir.path());
    let tree = session.tree();
    file(dir.path(), "grown", "grown!", 0o644);
    file(dir.path(), "same-size", "SAME-size", 0o644);
    file(dir.path(), "large", [vec![1; (3 << 20) - 1], vec![2]].concat(), 0o644);
    fs::remove_file(dir.path().join("gone")).unwrap();
    fs::remove_file(dir.path().join("link")).unwrap();
    link(dir.path(), "link", "good");
    for (ticket, entry) in tree.iter().enumerate() {
        session.put(&store, ticket as u64, entry, 0);
    }
    let mut sent_again = 0;
    for _ in 0..tree.len() + 3 {
        let frame = session.next().unwrap();
        let (Frame::Done { ticket, .. } | Frame::Changed { ticket, .. }) = &frame else { panic!("{frame:?}") };
        let Some(entry) = tree.get(usize::try_from(*ticket).unwrap()) else {
            sent_again += 1;
            continue;
        };
        let name = String::from_utf8_lossy(&entry.path).into_owned();
        let Kind::File(content) = &entry.kind else { panic!() };
        match (&*name, &frame) {
            ("good" | "empty", Frame::Done { .. }) => {
                assert_eq!(store.object(&object(content)).unwrap(), fs::read(dir.path().join(&name)).unwrap());
            }
            ("gone", Frame::Changed { entry: None, .. }) => {}
            ("link", Frame::Changed { entry: Some(now), .. }) => {
                assert_eq!(now.kind, Kind::Link { target: b"good".to_vec() });
            }
            ("grown" | "same-size" | "large", Frame::Changed { entry: Some(now), .. }) => {
                assert_eq!(now.path, entry.path);
                assert_ne!(now.kind, entry.kind);
                assert_eq!(store.object(&object(content)), None);
                // With the facts of now it is sent.
                session.put(&store, 100, now, 0);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sent_again, 3);
    assert_eq!(store.puts(), 5);
}

#[test]
fn a_file_that_is_written_all_the_time_is_told_and_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    // Sparse, and large enough that reading it takes longer than any pause of the writer's.
    fs::File::create(dir.path().join("log")).unwrap().set_len(256 << 20).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                n += 1;
                disk::touch(dir.path(), "log", n);
            }
        });
        let frames = Session::start(dir.path()).walk();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let [Frame::Entry(entry), Frame::Problem { path, .. }] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!((&entry.path, path), (&b"log".to_vec(), &b"log".to_vec()));
    });
}

#[test]
fn the_stores_faults_are_repeated_or_reported_and_no_url_is_shown() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Store::start());
    file(dir.path(), "f", "bytes", 0o644);
    let mut session = Session::start(dir.path());
    let tree = session.tree();
    let busy = (StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    let mut answer = |faults: &[(StatusCode, &'static str)]| {
        store.fail(faults);
        session.put(&store, 7, &tree[0], 0);
        session.next().unwrap()
    };
    assert!(matches!(answer(&[busy, busy]), Frame::Done { ticket: 7, .. }));
    // The answer to a first try was lost: the object is there.
    let there = (StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    assert_eq!(answer(&[(StatusCode::INTERNAL_SERVER_ERROR, ""), there]), Frame::Exists { ticket: 7 });
    for (faults, expected, code) in [
        (&[busy, busy, busy][..], true, "SlowDown"),
        (&[(StatusCode::FORBIDDEN, "AccessDenied")], true, "AccessDenied"),
        // None of this is about the file: it must not be left out for it.
        (&[(StatusCode::BAD_REQUEST, "BadDigest")], true, "BadDigest"),
        (&[(StatusCode::FOUND, "")], true, "302"),
        (&[(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage")], true, "the store is full"),
    ] {
        let Frame::Failed { again, reason, .. } = answer(faults) else { panic!() };
        assert_eq!(again, expected, "{reason}");
        assert!(reason.contains(code) && !reason.contains("secret"), "{reason}");
    }
    // Nobody listens: the reason says so, without the URL.
    let mut nowhere = Session::start(dir.path());
    let Kind::File(content) = &tree[0].kind else { panic!() };
    let request = sandbank::inside::mover::words::Request {
        url: "http://127.0.0.1:1/f?X-Amz-Signature=secret".into(),
        headers: Vec::new(),
    };
    let digest = content.digests[0];
    nowhere.send(Frame::Put { ticket: 1, path: b"f".to_vec(), part: 0, size: 5, digest, request });
    let Some(Frame::Failed { again: true, reason, .. }) = nowhere.next() else { panic!() };
    assert!(reason.starts_with("the store can't be reached") && !reason.contains("secret"), "{reason}");
}

#[test]
fn a_put_reaches_nothing_outside_of_the_root() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Store::start());
    let root = dir.path().join("root");
    file(dir.path(), "outside/f", "bytes", 0o644);
    file(&root, "inside/f", "bytes", 0o644);
    let mut session = Session::start(&root);
    let entry = session.tree().pop().unwrap();
    fs::rename(root.join("inside"), root.join("was")).unwrap();
    link(&root, "inside", "../outside");
    session.put(&store, 1, &entry, 0);
    assert_eq!(session.next(), Some(Frame::Changed { ticket: 1, entry: None }));
    for path in ["../outside/f", "was/../../outside/f"] {
        let mut entry = entry.clone();
        entry.path = path.into();
        session.put(&store, 2, &entry, 0);
        assert!(!matches!(session.next(), Some(Frame::Done { .. })));
    }
    assert_eq!(store.puts(), 0);
}

#[test]
fn other_versions_and_nonsense_end_the_session_with_a_reason() {
    let mut session = Session::start_mute(&[]);
    session.send(Frame::Hello { protocol: 99, in_flight: 1, root: b"/".to_vec() });
    assert!(matches!(session.next(), Some(Frame::Ready { .. })));
    assert!(matches!(session.next(), Some(Frame::Stopped { reason }) if reason.contains("protocol 99")));

    let mut session = Session::start_mute(&[]);
    session.send(Frame::Hello { protocol: 1, in_flight: 1, root: b"/no/such/root".to_vec() });
    session.next().unwrap();
    assert!(matches!(session.next(), Some(Frame::Stopped { reason }) if reason.contains("/no/such/root")));

    let dir = tempfile::tempdir().unwrap();
    let mut session = Session::start(dir.path());
    session.send(Frame::Synced);
    assert!(matches!(session.next(), Some(Frame::Stopped { .. })));
    assert_eq!(session.next(), None);

    let mut session = Session::start(dir.path());
    session.send(Frame::Sync);
    assert_eq!(session.next(), Some(Frame::Synced));
}
