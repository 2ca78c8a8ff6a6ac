//! A restore that does only what was seen.

use std::fs;

use sandbank::inside::mover::words::{Frame, Kind, Request};

use crate::{
    disk::file,
    restore::assert_same,
    session::{Session, object, restore, save},
    store::Store,
};

#[test]
fn what_is_written_while_files_are_fetched_stays() {
    let (version, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
    file(version.path(), "f", "new", 0o644);
    file(to.path(), "f", "old", 0o644);
    let tree = save(version.path(), &store);
    let said = restore(&mut Session::start(to.path()), 9, &tree, &store, true, false);
    let seen = said.frames.iter().find_map(|f| if let Frame::State(digest) = f { Some(*digest) } else { None });
    let restore = |meanwhile: &dyn Fn()| {
        let mut session = Session::start(to.path());
        session.send(Frame::Restore { target: 9, before: None, dry: false, replace: false });
        session.send(Frame::Only(seen.unwrap()));
        session.send(Frame::Entry(tree[0].clone()));
        session.send(Frame::EndTree { entries: 1 });
        while !matches!(session.next(), Some(Frame::Want { entry: 0, part: 0 })) {}
        meanwhile();
        let Kind::File(content) = &tree[0].kind else { panic!() };
        let request = Request { url: store.url(&object(content), 0), headers: Vec::new() };
        session.send(Frame::Get { ticket: 1, entry: 0, part: 0, request });
        while let Some(frame) = session.next() {
            if matches!(frame, Frame::Restored(_) | Frame::Stopped { .. }) {
                return frame;
            }
        }
        panic!("it said nothing");
    };
    let ended = restore(&|| file(to.path(), "mine", "mine", 0o644));
    assert!(matches!(&ended, Frame::Stopped { reason } if reason.contains("nothing was restored")), "{ended:?}");
    assert_eq!(fs::read(to.path().join("f")).unwrap(), b"old");
    assert!(to.path().join("mine").exists() && !to.path().join(".sandbank").exists());
    fs::remove_file(to.path().join("mine")).unwrap();
    let ended = restore(&|| {});
    assert!(matches!(&ended, Frame::Restored(_)), "{ended:?}");
    assert_same(version.path(), to.path());
}
