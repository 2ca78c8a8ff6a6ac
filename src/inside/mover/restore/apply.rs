//! Everything is in the stage: the workspace becomes the version. Only local renames from here on.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, FileType, Gid, Mode, Stat, Uid},
    io::Errno,
};

use super::{
    compare::Plan,
    tree::{Merge, Step, Tree},
    work::{Work, staged},
};
use crate::{
    fault,
    inside::mover::{
        path::{is_below, split},
        pipes::Out,
        root::{Root, file_type, look, mode, modified, mtime_ns, open_file, read_link},
        walk::{Found, Walk},
        words::{Entry, Facts, Frame, Kind},
    },
};

/// A link that waits for its place.
const LINK: &str = "link";

/// Brings the workspace to the tree.
pub struct Apply {
    root: Arc<Root>,
    work: Arc<Work>,
    out: Out,
    /// The folder of the last path: the next is often in it.
    parent: Option<(Vec<u8>, OwnedFd)>,
    /// Owners can't be set here; that was said.
    foreign_owners: bool,
    /// How many paths could not be restored.
    failed: u64,
    /// The first of them.
    first: Option<String>,
}

impl Apply {
    /// Prepares.
    pub fn new(root: Arc<Root>, work: Arc<Work>, out: Out) -> Self {
        Self { root, work, out, parent: None, foreign_owners: false, failed: 0, first: None }
    }

    /// Does it all. One path that fails doesn't keep the others from their place.
    ///
    /// # Errors
    /// The tree can't be read, or some paths failed: the workspace is mixed.
    pub fn run(mut self, tree: &Tree, plan: &Plan) -> io::Result<()> {
        for (item, place) in tree.entries().zip(&plan.place) {
            let (number, entry) = item?;
            let done = self.place(number, &entry, *place);
            self.note(&entry.path, done);
            fault::point("placing");
        }
        self.parent = None;
        self.delete_others(tree)?;
        self.finish_folders(tree)?;
        if let Some(Facts { mode, uid, gid, mtime_ns }) = plan.root {
            self.finish_folder(&Entry { path: Vec::new(), kind: Kind::Folder, mode, uid, gid, mtime_ns });
        }
        match self.first {
            None => Ok(()),
            Some(first) => Err(io::Error::other(format!("{} paths, the first: {first}", self.failed))),
        }
    }

    /// Remembers a failure, and tells it. The service may be gone: that is no reason to stop here.
    fn note(&mut self, path: &[u8], done: io::Result<()>) {
        if let Err(e) = done {
            let reason = format!("it can't be restored: {e}");
            self.failed += 1;
            self.first.get_or_insert_with(|| format!("{}: {e}", path.escape_ascii()));
            let _ = self.out.send_blocking(Frame::Problem { path: path.to_vec(), reason });
        }
    }

    fn open_parent(&mut self, path: &[u8]) -> io::Result<OwnedFd> {
        let (folder, _) = split(path);
        match &self.parent {
            Some((last, open)) if last == folder => open.try_clone(),
            _ => {
                let open = self.root.folder(folder)?;
                self.parent = Some((folder.to_vec(), open.try_clone()?));
                Ok(open)
            }
        }
    }

    fn place(&mut self, number: u64, entry: &Entry, place: bool) -> io::Result<()> {
        let folder = self.open_parent(&entry.path)?;
        let (folder, name) = (folder.as_fd(), split(&entry.path).1);
        let there = look(folder, name)?;
        match &entry.kind {
            Kind::LeftOut => Ok(()),
            Kind::Folder => self.place_folder(folder, name, there),
            Kind::File(_) if !place => {
                let (file, stat) = open_file(folder, name)?;
                self.set_facts(&file, &stat, entry)
            }
            Kind::File(_) => {
                let (file, stat) = self.work.open_staged(number)?;
                self.set_facts(&file, &stat, entry)?;
                self.move_in(staged(number).as_bytes(), folder, name, there)
            }
            Kind::Link { target } => {
                if let Some(stat) = there
                    && file_type(&stat) == FileType::Symlink
                    && read_link(folder, name)? == *target
                {
                    return self.set_link_facts(folder, name, &stat, entry);
                }
                let work = self.work.clone();
                let stage = work.stage();
                if look(stage, LINK.as_bytes())?.is_some() {
                    rustix::fs::unlinkat(stage, LINK, AtFlags::empty())?;
                }
                rustix::fs::symlinkat(target.as_slice(), stage, LINK)?;
                let stat = rustix::fs::statat(stage, LINK, AtFlags::SYMLINK_NOFOLLOW)?;
                self.set_link_facts(stage, LINK.as_bytes(), &stat, entry)?;
                self.move_in(LINK.as_bytes(), folder, name, there)
            }
        }
    }

    /// The folder gets its own mode and time last of all; until then we must be able to work in it.
    fn place_folder(&mut self, parent: BorrowedFd<'_>, name: &[u8], there: Option<Stat>) -> io::Result<()> {
        match there {
            Some(stat) if file_type(&stat) == FileType::Directory => return Ok(()),
            Some(_) => self.work.throw_away(parent, name)?,
            None => {}
        }
        Ok(rustix::fs::mkdirat(parent, name, Mode::RWXU)?)
    }

    /// From the stage to its place. Replaces a file at once; a folder is moved out of the way.
    fn move_in(&self, staged: &[u8], to: BorrowedFd<'_>, name: &[u8], there: Option<Stat>) -> io::Result<()> {
        if there.is_some_and(|stat| file_type(&stat) == FileType::Directory) {
            self.work.throw_away(to, name)?;
            fault::point("placing");
        }
        Ok(rustix::fs::renameat(self.work.stage(), staged, to, name)?)
    }

    /// What the version doesn't have goes, whole folders at once.
    fn delete_others(&mut self, tree: &Tree) -> io::Result<()> {
        let mut merge = Merge::new(tree, Walk::new(self.root.clone())?);
        while let Some(step) = merge.next() {
            let Step::Extra(found) = step? else { continue };
            let done = match &found {
                Found::Skipped(..) | Found::Problem(..) => continue,
                Found::Entry(entry, _) if entry.kind == Kind::Folder => {
                    merge.pass_over();
                    self.delete(&entry.path)
                }
                other => self.delete(other.path()),
            };
            self.note(found.path(), done);
            fault::point("deleting");
        }
        self.work.empty_trash()
    }

    fn delete(&self, path: &[u8]) -> io::Result<()> {
        let (folder, name) = self.root.parent(path)?;
        self.work.throw_away(folder.as_fd(), name)
    }

    /// Modes, owners and times of folders, deepest first: whatever is done in a folder changes its time.
    fn finish_folders(&mut self, tree: &Tree) -> io::Result<()> {
        let mut around: Vec<Entry> = Vec::new();
        for item in tree.entries() {
            let (_, entry) = item?;
            while let Some(folder) = around.pop_if(|folder| !is_below(&entry.path, &folder.path)) {
                self.finish_folder(&folder);
            }
            if entry.kind == Kind::Folder {
                around.push(entry);
            }
        }
        while let Some(folder) = around.pop() {
            self.finish_folder(&folder);
        }
        Ok(())
    }

    fn finish_folder(&mut self, entry: &Entry) {
        let done = self.root.folder(&entry.path).and_then(|folder| {
            let stat = rustix::fs::fstat(&folder)?;
            self.set_facts(&File::from(folder), &stat, entry)
        });
        self.note(&entry.path, done);
        fault::point("finishing");
    }

    /// Owner, mode and time of a file or folder, where they differ. The owner first: a change of it takes setuid away.
    fn set_facts(&mut self, file: &File, stat: &Stat, entry: &Entry) -> io::Result<()> {
        let mut now = mode(stat);
        if (stat.st_uid, stat.st_gid) != (entry.uid, entry.gid) {
            let (uid, gid) = owner(entry);
            self.owned(entry, rustix::fs::fchown(file, uid, gid))?;
            now = mode(&rustix::fs::fstat(file)?);
        }
        if now != entry.mode {
            rustix::fs::fchmod(file, Mode::from_raw_mode(entry.mode))?;
        }
        if mtime_ns(stat) != entry.mtime_ns {
            rustix::fs::futimens(file, &modified(entry.mtime_ns))?;
        }
        Ok(())
    }

    fn set_link_facts(&mut self, at: BorrowedFd<'_>, name: &[u8], stat: &Stat, entry: &Entry) -> io::Result<()> {
        if (stat.st_uid, stat.st_gid) != (entry.uid, entry.gid) {
            let (uid, gid) = owner(entry);
            self.owned(entry, rustix::fs::chownat(at, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW))?;
        }
        if mtime_ns(stat) != entry.mtime_ns {
            rustix::fs::utimensat(at, name, &modified(entry.mtime_ns), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    /// In a sandbox with one id only, other owners don't exist: said once, and no failure.
    fn owned(&mut self, entry: &Entry, done: Result<(), Errno>) -> io::Result<()> {
        match done {
            Err(Errno::PERM | Errno::INVAL) => {
                if !self.foreign_owners {
                    self.foreign_owners = true;
                    let reason =
                        format!("owner {}:{} can't be set in this sandbox; others neither", entry.uid, entry.gid);
                    let _ = self.out.send_blocking(Frame::Problem { path: entry.path.clone(), reason });
                }
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    // The highest number means "leave it" to Linux, and can be no owner.
    let id = |n: u32| (n != u32::MAX).then_some(n);
    (id(entry.uid).map(Uid::from_raw), id(entry.gid).map(Gid::from_raw))
}
