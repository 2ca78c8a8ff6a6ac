//! Can this machine run sandboxes? What `doctor` asks, and what start refuses. Nothing is started or made.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};

use super::{
    Settings, access,
    jail::{self, limits::Controllers},
    room,
    spec::IdMode,
};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// It is fine.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do if it isn't; empty if it is.
    pub remedy: String,
}

impl Check {
    fn new(name: &str, found: Result<String, (String, String)>) -> Self {
        let ok = found.is_ok();
        let (detail, remedy) = match found {
            Ok(detail) => (detail, String::new()),
            Err(wrong) => wrong,
        };
        Self { name: name.to_owned(), ok, detail, remedy }
    }
}

/// All of them; `runs` says whether the caller has an engine with these settings, which then holds its ports itself.
pub async fn checks(settings: &Settings, runs: bool) -> Vec<Check> {
    let settings = settings.clone();
    // The first one makes a process and waits for it.
    tokio::task::spawn_blocking(move || all(&settings, runs)).await.unwrap_or_default()
}

fn all(settings: &Settings, runs: bool) -> Vec<Check> {
    let limits = Controllers::detect();
    vec![
        Check::new("sandboxes", jail::available().map(|()| "namespaces can be made".to_owned()).map_err(remedy_within)),
        Check::new("ids", ids(&settings.cache)),
        Check::new("merged /usr", merged_usr()),
        Check::new("limits", Ok(format!("{}; disk is not: {DISK}", limits.describe()))),
        Check::new("the engine's program", own_program()),
        Check::new(
            "engine's folder",
            file_system(&settings.dir)
                .map(|()| format!("{} can hold layers and volumes", settings.dir.display()))
                .map_err(remedy_within),
        ),
        Check::new("engine's ports", ports(settings, runs).map_err(remedy_within)),
        Check::new("disk space", room::check(settings).map_err(remedy_within)),
        Check::new("claude", claude(settings.claude.as_deref())),
    ]
}

/// Sentences of the form "what is wrong: what to do".
fn remedy_within(sentence: String) -> (String, String) {
    match sentence.split_once(": ") {
        Some((wrong, remedy)) => (wrong.to_owned(), remedy.to_owned()),
        None => (sentence, String::new()),
    }
}

fn ports(settings: &Settings, runs: bool) -> Result<String, String> {
    if runs { Ok("the engine serves on them".to_owned()) } else { access::check_ports(settings) }
}

fn ids(cache: &Path) -> Result<String, (String, String)> {
    let map = jail::look_for_ids(cache).map_err(remedy_within)?;
    // The range is the last part: your own id, where it is one, stands before it.
    let from = map.uids.last().map_or(0, |range| range.outside);
    Ok(match map.mode {
        IdMode::Range => format!("65,536 of their own from {from} on, chosen as root"),
        IdMode::Subuid => format!("yours, shown as root, and your range from {from} on"),
        // Sandboxes work all the same.
        IdMode::Single => {
            "yours alone, shown as root: `chown` in a sandbox pretends to work (a range in /etc/subuid and \
                           /etc/subgid, and the package uidmap, give more)"
                .to_owned()
        }
    })
}

/// What is said of disk, whatever limits the rest.
const DISK: &str = "a sandbox can fill the data dir's file system (give it one of its own where that matters)";

/// Where the sandbox's root is the engine's own user, a kernel without Landlock leaves it a way to the engine's program.
fn own_program() -> Result<String, (String, String)> {
    if jail::only_own_programs() {
        return Ok("sandboxes can't run it: Landlock is in force".to_owned());
    }
    if rustix::process::getuid().is_root() {
        return Ok("belongs to no id of a sandbox".to_owned());
    }
    let remedy = "boot a kernel from 5.19 on with landlock among its `lsm=`, or let another user own sandbank's file";
    Err(("a sandbox could change this program's mode: the kernel has no Landlock".to_owned(), remedy.to_owned()))
}

fn merged_usr() -> Result<String, (String, String)> {
    if fs::read_link("/bin").is_ok_and(|to| to.ends_with("usr/bin")) {
        return Ok("/bin is a part of /usr".to_owned());
    }
    let remedy =
        "install the package usrmerge, or run the engine on another host: sandboxes show the host's /usr alone";
    Err(("/bin is not a part of /usr".to_owned(), remedy.to_owned()))
}

fn claude(path: Option<&Path>) -> Result<String, (String, String)> {
    match path {
        Some(path) if path.is_file() => Ok(format!("{}, shown in sandboxes as /opt/claude", path.display())),
        Some(path) => Err((
            format!("{} is not a file", path.display()),
            "set `[engine.host] claude` to the Claude CLI of this machine".to_owned(),
        )),
        None => Err((
            "the Claude CLI was not found".to_owned(),
            "install it (npm install -g @anthropic-ai/claude-code), or set `[engine.host] claude`".to_owned(),
        )),
    }
}

/// Magic numbers of file systems that statfs gives.
const NFS: i64 = 0x6969;
const OVERLAYFS: i64 = 0x794c_7630;
const TMPFS: i64 = 0x0102_1994;

/// Overlays whose upper layer lies on it must work: user xattrs, no network, not itself an overlay.
///
/// # Errors
/// "What is wrong: what to do".
pub fn file_system(dir: &Path) -> Result<(), String> {
    let there: PathBuf = dir.ancestors().find(|a| a.exists()).unwrap_or(Path::new("/")).to_owned();
    let say = |e: rustix::io::Errno| format!("the file system of {} can't be asked what it is: {e}", there.display());
    let kind = statfs(&there).map_err(say)?;
    let flags = statvfs(&there).map_err(say)?.f_flag;
    let noexec = flags.contains(StatVfsMountFlags::NOEXEC);
    let wrong = refusal(kind.f_type, noexec, || has_user_attributes(&there));
    match wrong {
        None => Ok(()),
        Some(why) => Err(format!(
            "{} is on {why}: name a folder on a local disk (ext4, xfs, btrfs) with --data-dir",
            dir.display()
        )),
    }
}

/// Why a file system of this kind can't be used.
fn refusal(kind: i64, noexec: bool, has_attributes: impl FnOnce() -> bool) -> Option<&'static str> {
    match kind {
        NFS => Some("NFS, where sandboxes' ids and layers don't work"),
        OVERLAYFS => Some("overlayfs, which can't be a layer of another"),
        TMPFS if !has_attributes() => Some("a tmpfs without user attributes, which layers need"),
        _ if noexec => Some("mounted noexec, so nothing in a sandbox could run"),
        _ => None,
    }
}

/// Linux gives tmpfs user attributes from 6.6 on, if it was built so. Asking for one tells "none" from "not possible".
fn has_user_attributes(dir: &Path) -> bool {
    !matches!(
        rustix::fs::getxattr(dir, "user.sandbank", &mut [0_u8; 1]),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_need_a_local_disk_that_runs_programs() {
        /// ext4.
        const DISK: i64 = 0xef53;
        assert!(refusal(NFS, false, || true).is_some());
        assert!(refusal(OVERLAYFS, false, || true).is_some());
        assert!(refusal(TMPFS, false, || false).is_some());
        assert!(refusal(DISK, true, || true).is_some());
        assert_eq!(refusal(TMPFS, false, || true), None);
        assert_eq!(refusal(DISK, false, || false), None);
        assert_eq!(file_system(&std::env::current_dir().unwrap().join("not/yet/there")), Ok(()));
    }

    #[tokio::test]
    async fn what_is_wrong_comes_with_what_to_do() {
        let there = tempfile::tempdir().unwrap();
        let settings = Settings {
            dir: there.path().to_owned(),
            cache: there.path().to_owned(),
            data_dir: there.path().to_owned(),
            program: "sandbank".into(),
            modal_port: 0,
            s3_port: 0,
            bucket: "b".into(),
            stand_ins: Default::default(),
            extra: Vec::new(),
            claude: None,
            disk_floor: 0,
            withhold: Vec::new(),
        };
        let all = checks(&settings, false).await;
        let claude = all.iter().find(|c| c.name == "claude").unwrap();
        assert!(!claude.ok && claude.remedy.contains("[engine.host] claude"));
        assert!(all.iter().find(|c| c.name == "engine's ports").unwrap().ok);
        assert!(all.iter().all(|c| c.ok == c.remedy.is_empty() && !c.detail.is_empty()), "{all:?}");

        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = Settings { s3_port: other.local_addr().unwrap().port(), ..settings };
        let ports =
            async |runs| checks(&settings, runs).await.into_iter().find(|c| c.name == "engine's ports").unwrap();
        let taken = ports(false).await;
        assert!(!taken.ok && taken.remedy.contains("`[engine] s3_port`"), "{taken:?}");
        assert!(ports(true).await.ok, "its own engine has it");
        drop(other);
        assert!(ports(false).await.ok);
        let settings = Settings { modal_port: settings.s3_port, ..settings };
        let both = checks(&settings, false).await.into_iter().find(|c| c.name == "engine's ports").unwrap();
        assert!(!both.ok, "one port can't be both");
    }
}
