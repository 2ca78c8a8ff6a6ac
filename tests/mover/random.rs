//! Any tree over any other.

use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;

use crate::{
    disk::{file, folder, link, touch},
    restore::{assert_same, restore_into},
    session::save,
    store::Store,
};

#[derive(Debug, Clone)]
enum Thing {
    File(Vec<u8>, u32),
    Folder(BTreeMap<Vec<u8>, (Thing, i64)>, u32),
    Link(String),
}

fn thing() -> impl Strategy<Value = Thing> {
    let mode = prop_oneof![Just(0o644), Just(0o755), Just(0o600), Just(0o4711), Just(0o2755)];
    let bytes = prop::collection::vec(0u8..3, 0..4);
    let leaf = prop_oneof![
        3 => (bytes, mode.clone()).prop_map(|(bytes, mode)| Thing::File(bytes, mode)),
        1 => "[a-c./]{1,5}".prop_map(Thing::Link),
    ];
    // Few names and short contents, so that two trees meet; order-sensitive and odd bytes among them.
    let name = prop_oneof![
        Just(b"a".to_vec()),
        Just(b"a-".to_vec()),
        Just(b"a.b".to_vec()),
        Just(b"b".to_vec()),
        Just(b"\xff\n".to_vec()),
        Just(vec![b'x'; 255]),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        let times = prop_oneof![Just(1_000_000_001), any::<i32>().prop_map(i64::from)];
        (prop::collection::btree_map(name.clone(), (inner, times), 0..5), mode.clone())
            .prop_map(|(things, mode)| Thing::Folder(things, mode | 0o700))
    })
}

fn make(root: &Path, path: &[u8], thing: &Thing) {
    match thing {
        Thing::File(bytes, mode) => file(root, path, bytes, *mode),
        Thing::Link(target) => link(root, path, target),
        Thing::Folder(things, mode) => {
            folder(root, path, *mode);
            for (name, (thing, mtime)) in things {
                let path = [path, name.as_slice()].join(&b'/');
                make(root, &path, thing);
                touch(root, &path, *mtime);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_restore_over_any_tree_gives_exactly_the_version(a in thing(), b in thing()) {
        let (from, to, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Store::start());
        make(from.path(), b"top", &a);
        make(to.path(), b"top", &b);
        let tree = save(from.path(), &store);
        restore_into(to.path(), &tree, &store);
        assert_same(from.path(), to.path());
    }
}
