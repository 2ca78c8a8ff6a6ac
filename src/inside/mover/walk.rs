//! The walk: every path below the root, in the order of a tree, in bounded memory.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use rustix::fs::{Dir, FileType, Stat};

use super::{
    hash::entry,
    path::join,
    root::{Root, file_type, look, open_folder, read_link, special},
    words::{Entry, Kind, MAX_PATH, RESERVED, Special},
};

/// Names of one folder read at a time. A larger folder is read again for the next ones, so that its size does not
/// decide our memory.
const NAMES: usize = 65_536;

/// Names held for all open folders together (at most 64 MiB of names); above, the outer folders' are dropped and read
/// again when it is their turn.
const HELD: usize = 4 * NAMES;

/// Folders held open; outer ones are opened again when it is their turn. The usual limit is 1,024 descriptors.
const OPEN: usize = 64;

/// What the walk finds.
#[derive(Debug)]
pub enum Found {
    /// A folder or a link, complete.
    Entry(Entry, Stat),
    /// A regular file, not read yet.
    File {
        /// Its path.
        path: Vec<u8>,
        /// Its folder.
        folder: Arc<OwnedFd>,
        /// What it was when it was found.
        stat: Stat,
    },
    /// Something that no version holds.
    Skipped(Vec<u8>, Special),
    /// Something that can't be read.
    Problem(Vec<u8>, String),
}

impl Found {
    /// Where it is.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Entry(entry, _) => &entry.path,
            Self::File { path, .. } | Self::Skipped(path, _) | Self::Problem(path, _) => path,
        }
    }
}

/// A walk that is under way.
#[derive(Debug)]
pub struct Walk {
    root: Arc<Root>,
    levels: Vec<Level>,
    /// The folder given out last, to go into next.
    next: Option<Place>,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    names: usize,
    held: usize,
    open: usize,
}

/// A path, and the folder that it is in.
type Place = (Vec<u8>, Arc<OwnedFd>);

/// A folder that the walk is in.
#[derive(Debug)]
struct Level {
    path: Vec<u8>,
    folder: Option<Arc<OwnedFd>>,
    /// Names to come, in order.
    names: VecDeque<Vec<u8>>,
    /// The name given out last.
    after: Vec<u8>,
    /// There are no names beyond `names`.
    last: bool,
}

impl Walk {
    /// Begins at the root, which is not given itself.
    pub fn new(root: Arc<Root>) -> io::Result<Self> {
        let folder = Arc::new(root.folder(&[])?);
        let limits = Limits { names: NAMES, held: HELD, open: OPEN };
        Ok(Self { root, levels: Vec::new(), next: Some((Vec::new(), folder)), limits })
    }

    /// Doesn't go into the folder that was given last.
    pub fn pass_over(&mut self) {
        self.next = None;
    }

    /// Goes into the folder given last, and drops what outer levels can get again.
    fn enter(&mut self) {
        let Some((path, folder)) = self.next.take() else { return };
        if self.levels.iter().map(|level| level.names.len()).sum::<usize>() > self.limits.held {
            for level in &mut self.levels {
                level.last &= level.names.is_empty();
                level.names = VecDeque::new();
            }
        }
        if let Some(outer) = self.levels.len().checked_sub(self.limits.open) {
            self.levels[outer].folder = None;
        }
        let level = Level { path, folder: Some(folder), names: VecDeque::new(), after: Vec::new(), last: false };
        self.levels.push(level);
    }

    /// The next name, and where it is. A folder that can't be read (any more) is left.
    fn next_name(&mut self) -> Option<Result<Place, Found>> {
        loop {
            let level = self.levels.last_mut()?;
            let folder = match level.folder.clone() {
                Some(folder) => Ok(folder),
                None => self.root.folder(&level.path).map(Arc::new),
            };
            let read = folder.and_then(|folder| {
                level.folder = Some(folder.clone());
                if level.names.is_empty() && !level.last {
                    let at_root = level.path.is_empty();
                    (level.names, level.last) = read_names(&folder, &level.after, self.limits.names, at_root)?;
                }
                Ok(folder)
            });
            match read {
                Err(e) => {
                    let path = std::mem::take(&mut level.path);
                    self.levels.pop();
                    return Some(Err(Found::Problem(path, format!("the folder can't be read: {e}"))));
                }
                Ok(folder) => match level.names.pop_front() {
                    Some(name) => {
                        level.after.clone_from(&name);
                        return Some(Ok((join(&level.path, &name), folder)));
                    }
                    None => {
                        self.levels.pop();
                    }
                },
            }
        }
    }

    fn look(&mut self, path: Vec<u8>, folder: Arc<OwnedFd>) -> Option<Found> {
        if path.len() > MAX_PATH {
            return Some(Found::Problem(path[..MAX_PATH].to_vec(), "its path is longer than Linux allows".to_owned()));
        }
        let name = super::path::split(&path).1;
        match self.look_at(&path, name, &folder) {
            Ok(found) => found,
            Err(e) => Some(Found::Problem(path, format!("it can't be read: {e}"))),
        }
    }

    /// Nothing if it has gone since its folder was read.
    fn look_at(&mut self, path: &[u8], name: &[u8], folder: &Arc<OwnedFd>) -> io::Result<Option<Found>> {
        let Some(stat) = look(folder.as_fd(), name)? else { return Ok(None) };
        if let Some(what) = special(&stat) {
            return Ok(Some(Found::Skipped(path.to_vec(), what)));
        }
        Ok(Some(match file_type(&stat) {
            FileType::Directory if self.root.is_mount(&stat) => Found::Skipped(path.to_vec(), Special::Mount),
            FileType::Directory => {
                let inner = match open_folder(folder.as_fd(), name) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                    other => other?,
                };
                // Facts of what was opened, should it be another folder by now.
                let stat = rustix::fs::fstat(&inner)?;
                self.next = Some((path.to_vec(), Arc::new(inner)));
                Found::Entry(entry(path, Kind::Folder, &stat), stat)
            }
            FileType::Symlink => match read_link(folder.as_fd(), name) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                target => Found::Entry(entry(path, Kind::Link { target: target? }, &stat), stat),
            },
            _ => Found::File { path: path.to_vec(), folder: folder.clone(), stat },
        }))
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        self.enter();
        loop {
            match self.next_name()? {
                Err(problem) => return Some(problem),
                Ok((path, folder)) => {
                    if let Some(found) = self.look(path, folder) {
                        return Some(found);
                    }
                }
            }
        }
    }
}

/// The first names after `after`, in order, and whether those are all.
fn read_names(folder: &OwnedFd, after: &[u8], most: usize, at_root: bool) -> io::Result<(VecDeque<Vec<u8>>, bool)> {
    let mut names = BTreeSet::new();
    let mut last = true;
    // A descriptor of its own: the place in a folder belongs to the descriptor.
    for item in Dir::new(open_folder(folder.as_fd(), b".")?)? {
        let item = item?;
        let name = item.file_name().to_bytes();
        if name <= after || matches!(name, b"." | b"..") || (at_root && name == RESERVED) {
            continue;
        }
        if names.len() == most {
            last = false;
            if names.last().is_some_and(|largest: &Vec<u8>| largest.as_slice() <= name) {
                continue;
            }
            names.pop_last();
        }
        names.insert(name.to_vec());
    }
    Ok((names.into_iter().collect(), last))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::ffi::OsStrExt};

    use super::*;
    use crate::inside::mover::path::compare;

    fn paths(walk: Walk) -> Vec<String> {
        walk.map(|found| String::from_utf8_lossy(found.path()).into_owned()).collect()
    }

    #[test]
    fn small_windows_and_few_descriptors_give_the_same_walk() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/b/c/d/e/f/g", "a/b/c/x/y", "a/b-/c", "a-b", "z/1", "z/2"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for n in 0..50 {
            fs::write(dir.path().join(format!("a/b/{n}")), "").unwrap();
        }
        let root = Arc::new(Root::open(dir.path().as_os_str().as_bytes()).unwrap());
        let all = paths(Walk::new(root.clone()).unwrap());
        assert!(all.is_sorted_by(|a, b| compare(a.as_bytes(), b.as_bytes()).is_lt()));
        assert_eq!(all.len(), 65);
        for (names, held, open) in [(1, 0, 1), (3, 2, 2), (7, 10, 1)] {
            let mut walk = Walk::new(root.clone()).unwrap();
            walk.limits = Limits { names, held, open };
            assert_eq!(paths(walk), all);
        }
    }

    #[test]
    fn the_reserved_folder_is_left_out_at_the_root_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".sandbank/stage")).unwrap();
        fs::create_dir_all(dir.path().join("a/.sandbank")).unwrap();
        let root = Arc::new(Root::open(dir.path().as_os_str().as_bytes()).unwrap());
        assert_eq!(paths(Walk::new(root).unwrap()), ["a", "a/.sandbank"]);
    }

    #[test]
    fn a_folder_that_becomes_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/a/deep")).unwrap();
        fs::create_dir_all(dir.path().join("root/b")).unwrap();
        let root = Arc::new(Root::open(dir.path().join("root").as_os_str().as_bytes()).unwrap());
        let mut walk = Walk::new(root).unwrap();
        assert_eq!(walk.next().unwrap().path(), b"a");
        fs::remove_dir_all(dir.path().join("root/a")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("root/a")).unwrap();
        assert_eq!(paths(walk), ["b"]);
    }
}
