//! `engine helper …`: work on files that belong to ids of sandboxes, by a process that is root over just those ids.
//!
//! An engine of an ordinary user can neither read nor delete what other ids made inside; one of root must not walk
//! hostile trees with all its rights. So both send this helper, which opens the folders it is told as the engine's
//! user and then works below them as the sandboxes' root. A tree is walked by descriptors, never through a link.

use std::{
    ffi::{CStr, OsString},
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output, Stdio},
};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fchmod, openat, renameat, statat, unlinkat};

use super::namespace;
use crate::engine::spec::IdMap;

/// Levels that are walked down: each holds one descriptor of the 1,024 that a process has by default. A hostile program
/// makes trees of any depth; what lies deeper is moved up and emptied from there.
const DEPTH_MAX: usize = 900;

/// Runs `program engine helper ARGS…`; the first of `args` is the word, the map is put behind it. Blocking.
///
/// # Errors
/// Only when the program can't be started: else the answer has its exit code, and a sentence on its standard error.
pub fn run_helper(program: &Path, ids: &IdMap, args: &[OsString]) -> io::Result<Output> {
    let (word, rest) = args.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Command::new(program)
        .args(["engine", "helper"])
        .arg(word)
        .arg(serde_json::to_string(ids)?)
        .args(rest)
        .env_clear()
        .stdin(Stdio::null())
        .current_dir("/")
        .output()
}

/// Deletes folders with all that is below them, whoever made it. A folder that isn't there is fine. Blocking.
///
/// # Errors
/// What could not be deleted.
pub fn remove_tree(program: &Path, ids: &IdMap, paths: &[&Path]) -> io::Result<()> {
    let mut args = vec![OsString::from("remove-tree")];
    args.extend(paths.iter().map(|p| p.as_os_str().to_os_string()));
    let done = run_helper(program, ids, &args)?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&done.stderr).trim().to_string()))
}

/// The words of this room. Arguments: the map as JSON, then paths. `None` for a word that isn't one.
pub fn words(word: &str, args: &[OsString]) -> Option<ExitCode> {
    let work: fn(&IdMap, &[PathBuf]) -> io::Result<()> = match word {
        "remove-tree" => remove_trees,
        "make-dir" => |ids, paths| paths.iter().try_for_each(|p| super::make_dir(ids, p)),
        _ => return None,
    };
    let done = arguments(args).and_then(|(ids, paths)| work(&ids, &paths));
    Some(report(done))
}

/// The map and the paths of a helper's arguments.
pub fn arguments(args: &[OsString]) -> io::Result<(IdMap, Vec<PathBuf>)> {
    let (ids, paths) = args.split_first().ok_or_else(|| io::Error::other("the id map is missing"))?;
    Ok((serde_json::from_str(&ids.to_string_lossy())?, paths.iter().map(PathBuf::from).collect()))
}

/// A helper's exit code, and its sentence on standard error for the engine.
pub fn report(done: io::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(io::stderr(), "{e}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `work` as the root of `ids`, in a process of its own. The engine's user finds the folders, whose paths only it
/// may walk; that root opens them, for a program may have closed one to the engine's user by its mode or its owner.
///
/// Must be called by a process of one thread, as helpers are.
pub fn inside(ids: &IdMap, folders: &[PathBuf], work: impl FnOnce(&[OwnedFd]) -> io::Result<()>) -> io::Result<()> {
    let find = |path| openat(CWD, path, FOLDER | OFlags::PATH, Mode::empty());
    let found: Vec<OwnedFd> = folders.iter().map(find).collect::<Result<_, _>>()?;
    let (go_read, go_write) = namespace::pipe()?;
    let (said_read, said_write) = namespace::pipe()?;
    // SAFETY: helper processes have one thread.
    let Some(child) = (unsafe { namespace::fork_into(namespace::FILES) })? else {
        drop((go_write, said_read));
        let done = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .map_err(io::Error::from)
            .and_then(|()| if namespace::read_byte(&go_read) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) })
            .and_then(|()| namespace::become_root(ids))
            // Changing ids cleared it.
            .and_then(|()| Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?))
            .and_then(|()| Ok(found.iter().map(|folder| open_folder(folder, c".")).collect::<Result<Vec<_>, _>>()?))
            .and_then(|opened| work(&opened));
        let code = match done {
            Ok(()) => 0,
            Err(e) => {
                let _ = std::fs::File::from(said_write).write_all(e.to_string().as_bytes());
                1
            }
        };
        // SAFETY: the end of a forked child: the parent's buffers are not flushed a second time.
        unsafe { libc::_exit(code) }
    };
    drop((go_read, said_write));
    if let Err(e) = namespace::write_maps(child, ids).and_then(|()| Ok(rustix::io::write(&go_write, b"g")?)) {
        namespace::kill_and_wait(child);
        return Err(e);
    }
    let mut said = String::new();
    io::Read::read_to_string(&mut std::fs::File::from(said_read), &mut said)?;
    let status = namespace::wait_for(child)?;
    if status.exit_status() == Some(0) { Ok(()) } else { Err(io::Error::other(said)) }
}

/// A folder, never through a link.
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn open_folder(at: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    openat(at, name, FOLDER | OFlags::RDONLY, Mode::empty())
}

/// Empties the trees inside, then removes the empty folders, whose parents belong to the engine's user.
fn remove_trees(ids: &IdMap, paths: &[PathBuf]) -> io::Result<()> {
    let there: Vec<PathBuf> = paths.iter().filter(|p| p.symlink_metadata().is_ok()).cloned().collect();
    inside(ids, &there, |folders| {
        for (folder, path) in folders.iter().zip(&there) {
            // Below overlayfs' work folder the kernel leaves one with no rights at all, of whoever mounted it.
            let say = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
            while empty(folder.as_fd(), folder.as_fd(), 0).map_err(say)? {}
        }
        Ok(())
    })?;
    there.iter().try_for_each(std::fs::remove_dir)
}

/// Empties a folder below, or at, `top`. True when something was moved to the top, which must then be emptied again.
fn empty(top: BorrowedFd<'_>, folder: BorrowedFd<'_>, depth: usize) -> io::Result<bool> {
    let mut moved = false;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    for name in names {
        let name = name.as_c_str();
        let is_folder =
            FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) == FileType::Directory;
        if !is_folder {
            unlinkat(folder, name, AtFlags::empty())?;
            continue;
        }
        if unlinkat(folder, name, AtFlags::REMOVEDIR).is_ok() {
            continue;
        }
        let inner = open_folder(folder, name)?;
        // An owner without capabilities (one id only) can't empty a folder whose owner may not write.
        let _ = fchmod(&inner, Mode::RWXU);
        if depth == DEPTH_MAX {
            // A name that nothing there has.
            renameat(folder, name, top, uuid::Uuid::new_v4().to_string())?;
            moved = true;
            continue;
        }
        moved |= empty(top, inner.as_fd(), depth + 1)?;
        unlinkat(folder, name, AtFlags::REMOVEDIR)?;
    }
    Ok(moved)
}
