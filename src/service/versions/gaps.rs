//! What a version doesn't hold: what can't be in one, and what could not be read.

use crate::{
    inside::mover::{
        path::{TreeCheck, compare},
        words::{Kind, Special},
    },
    storage::manifest::Record,
};

/// The tree with the names of what could not be read, and whether it lacks nothing. Of a folder that could not be read
/// to its end nothing is kept, since nothing would say which part that is.
pub fn with_unread(mut records: Vec<Record>, unread: Vec<Vec<u8>>) -> (Vec<Record>, bool) {
    records.extend(unread.into_iter().map(Record::left_out));
    // A file that changed each time it was read, and was sent whole in spite of it, comes before the complaint.
    let rank = |record: &Record| match record.entry.kind {
        Kind::File(_) | Kind::Link { .. } => 0,
        Kind::LeftOut => 1,
        Kind::Folder => 2,
    };
    records.sort_by(|a, b| compare(&a.entry.path, &b.entry.path).then_with(|| rank(a).cmp(&rank(b))));
    let (mut check, mut kept) = (TreeCheck::default(), Vec::<Record>::with_capacity(records.len()));
    let mut complete = true;
    for record in records {
        let left_out = record.entry.kind == Kind::LeftOut;
        let twice = kept.last().is_some_and(|last| last.entry.path == record.entry.path);
        let fits = check.push(&record.entry).is_ok();
        complete &= !left_out || (twice && !fits);
        if fits {
            kept.push(record);
        }
    }
    (kept, complete)
}

/// Why something can't be in a version.
pub fn what_is(special: Special) -> &'static str {
    match special {
        Special::Fifo => "a named pipe; versions hold none",
        Special::Socket => "a socket; versions hold none",
        Special::Device => "a device; versions hold none",
        Special::Mount => "another file system is mounted there; versions don't hold it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::mover::words::{Content, Digest, Entry};

    fn record(path: &str, kind: Kind) -> Record {
        let entry = Entry { path: path.into(), kind, mode: 0o644, uid: 0, gid: 0, mtime_ns: 0 };
        Record { entry, holder: None, etag: String::new() }
    }

    fn file(path: &str) -> Record {
        record(path, Kind::File(Content { size: 0, digests: vec![Digest([0; 32])], inode: None }))
    }

    fn told(records: Vec<Record>, unread: &[&str]) -> (Vec<(String, bool)>, bool) {
        let (kept, complete) = with_unread(records, unread.iter().map(|path| path.as_bytes().to_vec()).collect());
        let name = |r: Record| (String::from_utf8(r.entry.path).unwrap(), r.entry.kind == Kind::LeftOut);
        (kept.into_iter().map(name).collect(), complete)
    }

    #[test]
    fn what_could_not_be_read_stands_in_its_place() {
        let tree = || vec![record("a", Kind::Folder), file("a/b"), record("c", Kind::Folder), file("d")];
        let names = |list: &[(&str, bool)]| list.iter().map(|(n, l)| ((*n).to_owned(), *l)).collect::<Vec<_>>();
        let whole = names(&[("a", false), ("a/b", false), ("c", false), ("d", false)]);
        assert_eq!(told(tree(), &[]), (whole.clone(), true));
        // It was sent in spite of the complaint.
        assert_eq!(told(tree(), &["d", "d"]), (whole.clone(), true));
        // No place for it, but it is known to be missing.
        assert_eq!(told(tree(), &["../x"]), (whole.clone(), false));
        assert_eq!(told(tree(), &["no/where"]), (whole, false));
        let half = names(&[("a", true), ("c", false), ("c/x", true), ("d", false)]);
        assert_eq!(told(tree(), &["a", "a/b", "c/x"]), (half, false));
    }
}
