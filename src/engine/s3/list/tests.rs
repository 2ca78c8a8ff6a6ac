use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn filled(keys: &BTreeSet<String>) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(include_str!("../schema.sql")).unwrap();
    db.execute_batch("INSERT INTO bucket VALUES (1, 'bank', 0); INSERT INTO blob (id, size, refs) VALUES (1, 0, 1)")
        .unwrap();
    for key in keys {
        db.execute("INSERT INTO object VALUES (1, ?, 1, 0, 'e', 0, 'CRC32:AA==', '{}')", [key]).unwrap();
    }
    db
}

/// What S3 says: keys in byte order, those with the delimiter behind the prefix rolled up.
fn model(keys: &BTreeSet<String>, query: &Query) -> Vec<String> {
    let mut out = BTreeMap::new();
    for key in keys.iter().filter(|k| **k >= query.from) {
        let Some(rest) = key.strip_prefix(query.prefix.as_str()) else { continue };
        let name = match query.delimiter.as_deref().and_then(|d| Some(rest.find(d)? + d.len())) {
            Some(cut) => format!("{}{}", query.prefix, &rest[..cut]),
            None => key.clone(),
        };
        out.insert(name.into_bytes(), ());
    }
    out.into_keys().map(|k| String::from_utf8(k).unwrap()).collect()
}

fn name(entry: &Entry) -> String {
    match entry {
        Entry::Key { key, .. } | Entry::Prefix(key) => key.clone(),
    }
}

/// Few characters, so that prefixes are shared; among them the ends of the ranges that `beyond` steps over.
fn key() -> impl Strategy<Value = String> {
    let character = prop::sample::select(vec!['a', 'b', '/', '-', '.', '0', 'ä', '\u{D7FF}', '\u{E000}', '\u{10FFFF}']);
    prop::collection::vec(character, 1..6).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn pages_together_are_the_model(
        keys in prop::collection::btree_set(key(), 0..40),
        prefix in prop_oneof![Just(String::new()), key()],
        delimiter in prop_oneof![Just(None), Just(Some("/".to_owned())), Just(Some("\u{10FFFF}".to_owned())), Just(Some("a/".to_owned()))],
        after in prop_oneof![Just(String::new()), key()],
        max in 1_usize..7,
    ) {
        let db = filled(&keys);
        let mut query = Query { prefix, delimiter, from: after, max };
        let expected = model(&keys, &query);
        let mut got = Vec::new();
        loop {
            let page = page(&db, 1, &query).unwrap();
            prop_assert!(page.entries.len() <= max);
            got.extend(page.entries.iter().map(name));
            match page.next {
                Some(next) => {
                    prop_assert_eq!(page.entries.len(), max);
                    query.from = next;
                }
                None => break,
            }
        }
        prop_assert_eq!(got, expected);
    }
}

#[test]
fn beyond_is_the_next_prefix() {
    assert_eq!(beyond("a/").as_deref(), Some("a0"));
    assert_eq!(beyond("\u{D7FF}").as_deref(), Some("\u{E000}"));
    assert_eq!(beyond("a\u{10FFFF}").as_deref(), Some("b"));
    assert_eq!(beyond("\u{10FFFF}"), None);
}
