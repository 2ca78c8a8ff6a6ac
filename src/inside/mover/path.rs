//! Paths of a tree: which are allowed, and in what order they come. Used by both ends: the service checks what a mover
//! says, the mover what it is told to restore.

use std::cmp::Ordering;

use super::words::{Entry, Kind, MAX_PATH, RESERVED};

/// Why a path or a tree is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {path:?} {fault}")]
pub struct BadPath {
    /// The path, as text.
    pub path: String,
    /// What is wrong with it.
    pub fault: &'static str,
}

/// Checks a path: never empty, absolute or climbing, no NUL, and not below the reserved name.
pub fn check_path(path: &[u8]) -> Result<(), BadPath> {
    let fault = if path.is_empty() {
        "is empty"
    } else if path.len() > MAX_PATH {
        "is longer than Linux allows"
    } else if path.starts_with(b"/") {
        "is absolute"
    } else if path.contains(&0) {
        "holds a NUL"
    } else if components(path).next() == Some(RESERVED) {
        "is reserved for restores"
    } else {
        match components(path).find_map(|name| match name {
            b".." => Some("climbs out of its folder"),
            b"." | b"" => Some("has an empty component"),
            // What no Linux file system takes, and what no readdir gives.
            name if name.len() > 255 => Some("has a component of more than 255 bytes"),
            _ => None,
        }) {
            Some(fault) => fault,
            None => return Ok(()),
        }
    };
    Err(bad(path, fault))
}

fn bad(path: &[u8], fault: &'static str) -> BadPath {
    let cut = &path[..path.len().min(200)];
    BadPath { path: String::from_utf8_lossy(cut).into_owned(), fault }
}

/// The names on the way.
pub fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/')
}

/// The folder of a path (empty for the root) and its own name.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// Whether `path` is below the folder `folder`. Everything is below the root, which is empty.
pub fn is_below(path: &[u8], folder: &[u8]) -> bool {
    folder.is_empty() || (path.len() > folder.len() && path.starts_with(folder) && path[folder.len()] == b'/')
}

/// A name below a folder.
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, name].join(&b'/') }
}

/// The order of a tree: byte order of components, so that a folder comes right before what is in it.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    // The slash counts as less than any other byte; nothing else differs from comparing bytes.
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
    a.iter().map(rank).cmp(b.iter().map(rank))
}

/// Checks that entries are a tree: good paths, in order, without doubles, each in a folder that came before.
#[derive(Debug, Default)]
pub struct TreeCheck {
    last: Vec<u8>,
    /// The last entry's folders, as lengths of `last`; itself too if it is a folder.
    folders: Vec<usize>,
    entries: u64,
}

impl TreeCheck {
    /// Takes the next entry.
    ///
    /// # Errors
    /// It can't be there.
    pub fn push(&mut self, entry: &Entry) -> Result<(), BadPath> {
        check_path(&entry.path)?;
        if self.entries > 0 && compare(&self.last, &entry.path) != Ordering::Less {
            return Err(bad(&entry.path, "is out of order or comes twice"));
        }
        let (folder, _) = split(&entry.path);
        while self.folders.last().is_some_and(|end| !is_below(&entry.path, &self.last[..*end])) {
            self.folders.pop();
        }
        if self.folders.last().map_or(0, |end| *end) != folder.len() {
            return Err(bad(&entry.path, "is in a folder that isn't in the tree"));
        }
        if let Kind::Link { target } = &entry.kind
            && (target.is_empty() || target.contains(&0))
        {
            return Err(bad(&entry.path, "is a link whose target is empty or holds a NUL"));
        }
        self.last.clone_from(&entry.path);
        if entry.kind == Kind::Folder {
            self.folders.push(entry.path.len());
        }
        self.entries += 1;
        Ok(())
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[rstest::rstest]
    #[case(b"a/b", true)]
    #[case(b"a/.sandbank", true)]
    #[case(b".sandbank2", true)]
    #[case(b"\xff\n\x01", true)]
    #[case(b"", false)]
    #[case(b"/a", false)]
    #[case(b"..", false)]
    #[case(b"a/../b", false)]
    #[case(b"a/..", false)]
    #[case(b"./a", false)]
    #[case(b"a//b", false)]
    #[case(b"a/", false)]
    #[case(b"a\0b", false)]
    #[case(b".sandbank", false)]
    #[case(b".sandbank/stage", false)]
    #[case(&[b'a'; 255], true)]
    #[case(&[b'a'; 256], false)]
    fn paths_that_climb_are_refused(#[case] path: &[u8], #[case] good: bool) {
        assert_eq!(check_path(path).is_ok(), good, "{path:?}");
    }

    fn entry(path: &str, folder: bool) -> Entry {
        let kind = if folder { Kind::Folder } else { Kind::Link { target: b"x".to_vec() } };
        Entry { path: path.into(), kind, mode: 0o755, uid: 0, gid: 0, mtime_ns: 0 }
    }

    #[rstest::rstest]
    #[case(&["a/", "a/b", "a-b"], true)]
    #[case(&["a/", "a/b/", "a/b/c", "a/c", "b"], true)]
    #[case(&["a/", "a-b", "a/b"], false)]
    #[case(&["a", "a"], false)]
    #[case(&["a", "a/b"], false)]
    #[case(&["a/b"], false)]
    #[case(&["a/", "b/", "b/a/", "b/a/c/d"], false)]
    #[case(&["a/", "ab/c"], false)]
    fn only_trees_pass(#[case] paths: &[&str], #[case] good: bool) {
        let mut check = TreeCheck::default();
        let all = paths.iter().try_for_each(|p| check.push(&entry(p.trim_end_matches('/'), p.ends_with('/'))));
        assert_eq!(all.is_ok(), good, "{all:?}");
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_components(a in "[a-c/.-]{0,8}", b in "[a-c/.-]{0,8}") {
            let by_components = components(a.as_bytes()).cmp(components(b.as_bytes()));
            prop_assert_eq!(compare(a.as_bytes(), b.as_bytes()), by_components);
        }
    }
}
