//! What a save has to do, and what differs between two trees. Pure: trees come in, decisions come out.
//!
//! Both sides come in the order of a walk, so a plan is one merge in bounded memory.

use std::{cmp::Ordering, iter::Peekable};

use super::manifest::{BadManifest, Record};
use crate::inside::mover::{
    path::compare,
    words::{Change, Content, Entry, Kind},
};

/// S3 copies no larger object in one request.
const MAX_COPY: u64 = 5_000_000_000;

/// What one entry of the workspace needs to be in a version of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is all in the manifest.
    Nothing,
    /// The base has the same bytes: its object is copied inside the store.
    Copy,
    /// The mover sends it.
    Put,
}

/// What an entry needs, by what the base has at its path.
pub fn step(entry: &Entry, base: Option<&Record>) -> Step {
    let Kind::File(content) = &entry.kind else { return Step::Nothing };
    match base {
        // Without an ETag nothing would say that the object is still the one that the base meant.
        Some(record)
            if content.size <= MAX_COPY
                && !record.etag.is_empty()
                && record.content().is_some_and(|old| same(old, content)) =>
        {
            Step::Copy
        }
        _ => Step::Put,
    }
}

fn same(a: &Content, b: &Content) -> bool {
    a.size == b.size && a.digests == b.digests
}

/// The version that a save is planned against, read along with the walk.
pub struct Base<I: Iterator<Item = Result<Record, BadManifest>>> {
    records: Peekable<I>,
}

impl<I: Iterator<Item = Result<Record, BadManifest>>> Base<I> {
    /// A base from its records.
    pub fn new(records: I) -> Self {
        Self { records: records.peekable() }
    }

    /// What the base has at a path. Paths must be asked for in the order of a walk.
    ///
    /// # Errors
    /// The base is damaged.
    pub fn at(&mut self, path: &[u8]) -> Result<Option<Record>, BadManifest> {
        let before = |next: &Result<Record, BadManifest>| match next {
            Ok(record) => compare(&record.entry.path, path) == Ordering::Less,
            Err(_) => false,
        };
        while self.records.next_if(before).is_some() {}
        let here = |next: &Result<Record, BadManifest>| match next {
            Ok(record) => record.entry.path == path,
            Err(_) => true,
        };
        self.records.next_if(here).transpose()
    }
}

/// One path that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How.
    pub change: Change,
    /// Where.
    pub path: Vec<u8>,
    /// Size in the new tree, or in the old one where it is deleted.
    pub size: u64,
}

/// What differs from an old tree to a new one: type, content, link target or mode. Times and owners alone don't count,
/// as in a restore.
///
/// # Errors
/// One of them is damaged.
pub fn differences<E>(
    old: impl Iterator<Item = Result<Entry, E>>,
    new: impl Iterator<Item = Result<Entry, E>>,
) -> Result<Vec<Difference>, E> {
    let (mut old, mut new) = (old.peekable(), new.peekable());
    let mut found = Vec::new();
    let mut note =
        |change, entry: &Entry| found.push(Difference { change, path: entry.path.clone(), size: size(&entry.kind) });
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return Ok(found),
            (Some(Ok(a)), Some(Ok(b))) => compare(&a.path, &b.path),
            (Some(_), None) | (Some(Err(_)), _) => Ordering::Less,
            (None, Some(_)) | (_, Some(Err(_))) => Ordering::Greater,
        };
        let before = if order.is_le() { old.next().transpose()? } else { None };
        let after = if order.is_ge() { new.next().transpose()? } else { None };
        match (before, after) {
            (Some(a), Some(b)) if a.mode != b.mode || !same_kind(&a.kind, &b.kind) => note(Change::Changed, &b),
            (Some(_), Some(_)) | (None, None) => {}
            (Some(gone), None) => note(Change::Deleted, &gone),
            (None, Some(here)) => note(Change::Added, &here),
        }
    }
}

fn size(kind: &Kind) -> u64 {
    match kind {
        Kind::File(content) => content.size,
        Kind::Folder | Kind::Link { .. } | Kind::LeftOut => 0,
    }
}

fn same_kind(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (Kind::File(a), Kind::File(b)) => same(a, b),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::storage::manifest::tests::tree;

    fn entries(records: &[Record]) -> impl Iterator<Item = Result<Entry, BadManifest>> {
        records.iter().map(|r| Ok(r.entry.clone()))
    }

    fn by_path(records: &[Record]) -> BTreeMap<Vec<u8>, Record> {
        records.iter().map(|r| (r.entry.path.clone(), r.clone())).collect()
    }

    proptest! {
        #[test]
        fn a_merge_finds_what_a_map_finds(base in tree(), walked in tree()) {
            let map = by_path(&base);
            let mut merge = Base::new(base.into_iter().map(Ok));
            for record in walked {
                let path = &record.entry.path;
                let found = merge.at(path).unwrap();
                prop_assert_eq!(found.as_ref(), map.get(path));
            }
        }

        #[test]
        fn differences_are_all_there_is(old in tree(), new in tree()) {
            let (a, b) = (by_path(&old), by_path(&new));
            let found = differences(entries(&old), entries(&new)).unwrap();
            let told: BTreeMap<_, _> = found.iter().map(|d| (d.path.clone(), d.change)).collect();
            prop_assert_eq!(told.len(), found.len());
            for path in a.keys().chain(b.keys()) {
                let expected = match (a.get(path), b.get(path)) {
                    (Some(_), None) => Some(Change::Deleted),
                    (None, Some(_)) => Some(Change::Added),
                    (Some(x), Some(y)) if x.entry.mode != y.entry.mode || !same_kind(&x.entry.kind, &y.entry.kind) => Some(Change::Changed),
                    _ => None,
                };
                prop_assert_eq!(told.get(path).copied(), expected);
            }
        }

        #[test]
        fn a_tree_does_not_differ_from_itself(records in tree()) {
            prop_assert_eq!(differences(entries(&records), entries(&records)).unwrap(), []);
        }

        #[test]
        fn an_unchanged_file_is_copied_and_a_changed_one_sent(records in tree()) {
            for mut record in records {
                let file = record.content().is_some();
                prop_assert_eq!(step(&record.entry, None), if file { Step::Put } else { Step::Nothing });
                let no_etag = step(&record.entry, Some(&record));
                prop_assert_eq!(no_etag, if file { Step::Put } else { Step::Nothing });
                record.etag = "\"1\"".into();
                let mut now = record.entry.clone();
                now.mtime_ns = 7;
                prop_assert_eq!(step(&now, Some(&record)), if file { Step::Copy } else { Step::Nothing });
                if let Kind::File(content) = &mut now.kind {
                    content.digests[0].0[0] ^= 1;
                    prop_assert_eq!(step(&now, Some(&record)), Step::Put);
                }
            }
        }
    }
}
