//! `engine helper skeleton`: makes the host base's own layers, as the sandboxes' root. Being that, it reads what every
//! user of the host may read and nothing else, so no secret of the host can get in by mistake.
//!
//! ```text
//! usr/    the folders of /usr, empty
//! root/   links to /usr, /etc by an allow-list, what package managers need of /var, and empty folders
//! ```

use std::{
    ffi::{CStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    process::ExitCode,
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, fstat, mkdirat, openat, readlinkat,
        statat, symlinkat,
    },
    io::Errno,
};

use crate::engine::{jail::helper, spec::IdMap};

/// The helper's word.
pub const WORD: &str = "skeleton";

/// Raised when what is made changes, so that old ones are not taken for it.
pub const VERSION: u32 = 1;

/// Deepest folder that is copied: each level holds two of the 1,024 descriptors of a process.
const DEPTH_MAX: usize = 400;

/// What of the host's `/etc` a sandbox sees: what programs of `/usr` need to run and packages to install. Never
/// `shadow`, `ssh`, `sudoers`, `machine-id`, or anything that a site puts its own settings into.
const ETC: &[&str] = &[
    "alternatives",
    "apt",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "debconf.conf",
    "debian_version",
    "dpkg",
    "fonts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "perl",
    "profile",
    "protocols",
    "python3",
    "rpc",
    "services",
    "shells",
    "skel",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];

/// Of `/var`: what dpkg and apt know.
const VAR: &[&str] = &["lib/dpkg", "lib/apt/extended_states", "lib/ucf", "cache/debconf"];

/// Empty folders of the root, with their modes.
const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("home", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("etc", 0o755),
    ("etc/ssl", 0o755),
    ("etc/apt", 0o755),
    ("etc/apt/apt.conf.d", 0o755),
    ("var", 0o755),
    ("var/backups", 0o755),
    ("var/cache", 0o755),
    ("var/cache/apt", 0o755),
    ("var/cache/apt/archives", 0o755),
    ("var/cache/apt/archives/partial", 0o755),
    ("var/cache/debconf", 0o755),
    ("var/cache/ldconfig", 0o755),
    ("var/lib", 0o755),
    ("var/lib/apt", 0o755),
    ("var/lib/apt/lists", 0o755),
    ("var/lib/apt/lists/partial", 0o755),
    ("var/lib/dpkg", 0o755),
    ("var/lib/misc", 0o755),
    ("var/local", 0o755),
    ("var/log", 0o755),
    ("var/log/apt", 0o755),
    ("var/mail", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

/// Files with our own words.
const FILES: &[(&str, &str)] = &[
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"),
    ("etc/resolv.conf", "# No name server: what passes goes through the proxy, which looks names up.\n"),
    // The sandbox is apt's sandbox, and a change of user needs ids that some hosts don't give.
    ("etc/apt/apt.conf.d/99sandbank", "APT::Sandbox::User \"root\";\n"),
];

/// Links at the root that a merged `/usr` has.
const LINKS: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Runs the word of this room; `None` for another one. Arguments: the id map as JSON, then the folder to fill.
pub fn words(word: &str, args: &[OsString]) -> Option<ExitCode> {
    (word == WORD).then(|| helper::report(helper::arguments(args).and_then(|(ids, paths)| make(&ids, &paths))))
}

fn make(ids: &IdMap, folders: &[PathBuf]) -> io::Result<()> {
    helper::inside(ids, folders, |opened| opened.iter().try_for_each(fill))
}

fn fill(target: &OwnedFd) -> io::Result<()> {
    let usr = folder(target, c"usr", 0o755)?;
    copy_folders(&open(CWD, c"/usr")?, &usr, 0)?;
    // In front of whatever the host has there, which may lead to a home that isn't shown.
    if let Ok(local) = within(&usr, "local/bin") {
        symlinkat(super::claude::PROGRAM, &local, "claude")?;
    }
    let root = folder(target, c"root", 0o755)?;
    for (path, mode) in FOLDERS {
        mkdirat(&root, *path, Mode::RWXU)?;
        fchmod(within(&root, path)?, Mode::from_raw_mode(*mode))?;
    }
    for name in LINKS {
        if let Ok(to) = readlinkat(CWD, format!("/{name}"), Vec::new()) {
            symlinkat(to.as_c_str(), &root, *name)?;
        }
    }
    for (host, ours, names) in [("/etc", "etc", ETC), ("/var", "var", VAR)] {
        let from = openat(CWD, host, FOLDER, Mode::empty())?;
        for name in names {
            let Ok(stat) = statat(&from, *name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let (folder, last) = name.rsplit_once('/').unwrap_or((".", name));
            let name = std::ffi::CString::new(last)?;
            copy(&within(&from, folder)?, &within(&root, &format!("{ours}/{folder}"))?, &name, &stat, 0)?;
        }
    }
    for (path, kind) in [("passwd", Accounts::Users), ("group", Accounts::Groups)] {
        let mut text = String::new();
        File::open(format!("/etc/{path}"))?.read_to_string(&mut text)?;
        write(&root, &format!("etc/{path}"), accounts(&text, kind).as_bytes())?;
    }
    FILES.iter().try_for_each(|(path, text)| write(&root, path, text.as_bytes()))
}

#[derive(Clone, Copy)]
enum Accounts {
    Users,
    Groups,
}

/// The accounts of the system, not those of its people, and no members of groups.
fn accounts(text: &str, kind: Accounts) -> String {
    let people = 1_000..65_534;
    let lines = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let id: u32 = fields.get(2)?.parse().ok()?;
        if people.contains(&id) {
            return None;
        }
        Some(match kind {
            Accounts::Users => format!("{line}\n"),
            Accounts::Groups => format!("{}:\n", fields[..3].join(":")),
        })
    });
    lines.collect()
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open(at: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    openat(at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())
}

fn within(at: impl AsFd, path: &str) -> rustix::io::Result<OwnedFd> {
    openat(at, path, FOLDER, Mode::empty())
}

/// Makes a folder, or takes the one that is there.
fn folder(at: impl AsFd, name: &CStr, mode: u32) -> rustix::io::Result<OwnedFd> {
    match mkdirat(&at, name, Mode::RWXU) {
        Err(Errno::EXIST) | Ok(()) => {}
        Err(e) => return Err(e),
    }
    let made = open(at, name)?;
    fchmod(&made, Mode::from_raw_mode(mode & 0o7777))?;
    Ok(made)
}

fn write(root: &OwnedFd, path: &str, text: &[u8]) -> io::Result<()> {
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = File::from(openat(root, path, flags, Mode::from_raw_mode(0o644))?);
    // The mask is the engine's.
    fchmod(&file, Mode::from_raw_mode(0o644))?;
    file.write_all(text)
}

/// Owner and group as on the host, where the sandbox has those ids.
fn give(file: impl AsFd, stat: &Stat) {
    let id = |id: u32| if id < 65_536 { id } else { 0 };
    if (stat.st_uid, stat.st_gid) != (0, 0) {
        let _ = fchown(file, Some(Uid::from_raw(id(stat.st_uid))), Some(Gid::from_raw(id(stat.st_gid))));
    }
}

fn entries(folder: &OwnedFd) -> io::Result<Vec<(std::ffi::CString, Stat)>> {
    let mut out = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        // One that is gone meanwhile is no longer part of the host.
        if let Ok(stat) = statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            out.push((entry.file_name().to_owned(), stat));
        }
    }
    Ok(out)
}

/// The folders below `from`, empty. Those that not every user may read are made and stay empty.
fn copy_folders(from: &OwnedFd, to: &OwnedFd, depth: usize) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    let device = fstat(from)?.st_dev;
    for (name, stat) in entries(from)? {
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            continue;
        }
        let made = folder(to, &name, stat.st_mode)?;
        give(&made, &stat);
        // Overlayfs doesn't show what is mounted below its layers either.
        if stat.st_dev == device
            && let Ok(inner) = open(from, &name)
        {
            copy_folders(&inner, &made, depth + 1)?;
        }
    }
    Ok(())
}

/// A file, link or tree with its contents; what not every user may read is left out.
fn copy(from: &OwnedFd, to: &OwnedFd, name: &CStr, stat: &Stat, depth: usize) -> io::Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory if depth < DEPTH_MAX => {
            let Ok(inner) = open(from, name) else { return Ok(()) };
            let made = folder(to, name, stat.st_mode)?;
            give(&made, stat);
            entries(&inner)?.iter().try_for_each(|(name, stat)| copy(&inner, &made, name, stat, depth + 1))
        }
        FileType::Symlink => Ok(symlinkat(readlinkat(from, name, Vec::new())?.as_c_str(), to, name)?),
        FileType::RegularFile => {
            let Ok(source) = openat(from, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            else {
                return Ok(());
            };
            let mut source = File::from(source);
            if name.to_bytes().starts_with(b"auth.conf") || is_apt(name) && holds_password(&mut source)? {
                return Ok(());
            }
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            let mut target = File::from(openat(to, name, flags, Mode::RUSR | Mode::WUSR)?);
            io::copy(&mut source, &mut target)?;
            give(&target, stat);
            // After the owner, whose change takes set-id bits away.
            Ok(fchmod(&target, Mode::from_raw_mode(stat.st_mode & 0o777))?)
        }
        _ => Ok(()),
    }
}

/// A file of apt's configuration by its name; they have a few endings.
fn is_apt(name: &CStr) -> bool {
    let name = name.to_bytes();
    [&b".list"[..], b".sources", b".conf"].iter().any(|end| name.ends_with(end)) || !name.contains(&b'.')
}

/// Small files are looked through for addresses with a user and password, as private mirrors and proxies have them.
fn holds_password(file: &mut File) -> io::Result<bool> {
    /// Configuration is smaller; what is larger is data.
    const MOST: u64 = 256 << 10;
    if file.metadata()?.len() > MOST {
        return Ok(false);
    }
    let mut text = Vec::new();
    io::Seek::rewind(file)?;
    file.read_to_end(&mut text)?;
    io::Seek::rewind(file)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.split_whitespace().any(|word| {
        word.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_of_the_host_are_not_shown() {
        let users = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n\
                     nobody:x:65534:65534:nobody:/:/bin/false\n";
        let shown = accounts(users, Accounts::Users);
        assert!(shown.contains("root:") && shown.contains("nobody:") && !shown.contains("ann"));
        assert_eq!(accounts("sudo:x:27:ann,bob\nann:x:1000:\n", Accounts::Groups), "sudo:x:27:\n");
    }

    #[test]
    fn passwords_in_addresses_are_seen() {
        let has = |text: &str| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            holds_password(&mut file).unwrap()
        };
        assert!(has("deb https://ann:secret@mirror.example/debian stable main\n"));
        assert!(!has("deb https://deb.debian.org/debian@x stable main # a@b\n"));
    }
}
