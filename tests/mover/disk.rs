//! Trees on the disk, made and read without the mover's code.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

/// All there is to know of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub kind: &'static str,
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: (i64, i64),
    pub bytes: Vec<u8>,
}

/// Everything below a folder.
pub fn read(root: &Path) -> BTreeMap<Vec<u8>, Facts> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let (kind, bytes) = if meta.is_dir() {
                folders.push(path.clone());
                ("folder", Vec::new())
            } else if meta.is_symlink() {
                ("link", fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec())
            } else if meta.is_file() {
                ("file", fs::read(&path).unwrap())
            } else {
                ("special", Vec::new())
            };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            let (mode, owner, mtime) =
                (meta.mode() & 0o7777, (meta.uid(), meta.gid()), (meta.mtime(), meta.mtime_nsec()));
            all.insert(name, Facts { kind, mode, owner, mtime, bytes });
        }
    }
    all
}

pub fn file(root: &Path, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>, mode: u32) {
    let path = root.join(OsStr::from_bytes(path.as_ref()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn folder(root: &Path, path: impl AsRef<[u8]>, mode: u32) {
    let path = root.join(OsStr::from_bytes(path.as_ref()));
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn link(root: &Path, path: impl AsRef<[u8]>, target: &str) {
    symlink(target, root.join(OsStr::from_bytes(path.as_ref()))).unwrap();
}

/// Sets the time of a path, of a link itself too, in nanoseconds since 1970.
pub fn touch(root: &Path, path: impl AsRef<[u8]>, mtime_ns: i64) {
    let time = Timespec { tv_sec: mtime_ns.div_euclid(1_000_000_000), tv_nsec: mtime_ns.rem_euclid(1_000_000_000) };
    let times = Timestamps { last_access: time, last_modification: time };
    let path = root.join(OsStr::from_bytes(path.as_ref()));
    rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A tree with everything that a version holds.
pub fn odd_tree(root: &Path) {
    file(root, "bin/run", "#!/bin/sh\n", 0o755);
    file(root, "bin/suid", "suid", 0o6755);
    file(root, "secret", "s", 0o600);
    file(root, "empty", "", 0o644);
    file(root, b"not-utf8-\xff\xfe", "odd", 0o644);
    file(root, "new\nline and \x1b[31m", "odd", 0o644);
    file(root, vec![b'n'; 255], "long", 0o644);
    file(root, "a/b", "1", 0o644);
    file(root, "a-b", "2", 0o644);
    file(root, "deep/".repeat(200) + "end", "down", 0o644);
    let big: Vec<u8> = (0..(33u32 << 20)).map(|n| (n ^ (n >> 11)).to_le_bytes()[0]).collect();
    file(root, "big", big, 0o644);
    folder(root, "none", 0o700);
    folder(root, "sticky", 0o1777);
    link(root, "dangling", "nowhere");
    link(root, "loop", "loop");
    link(root, "up", "../../etc");
    link(root, "a/inner", "../a");
    fs::hard_link(root.join("a/b"), root.join("a/same")).unwrap();
    touch(root, "dangling", 1_234_567_890_123_456_789);
    touch(root, "bin/run", -5_000_000_001);
    touch(root, "none", 7);
}
