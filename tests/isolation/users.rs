//! All checks again, as two kinds of ordinary user that are made for it. Only root can do that.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use sandbank::engine::{jail, spec::IdMode};

use crate::place;

/// Names the mode that the checks run in, when this module started them.
const MODE: &str = "SANDBANK_TEST_ID_MODE";

#[test]
fn everything_holds_for_an_ordinary_user_with_a_range_of_ids() {
    if !Path::new("/usr/bin/newuidmap").exists() {
        return skip("newuidmap is missing (package uidmap)");
    }
    run_as("subuid", &[]);
}

#[test]
fn everything_holds_for_an_ordinary_user_with_one_id() {
    // useradd gives system users no range.
    run_as("single", &["--system"]);
}

/// What the two above rely on: a user with a range gets that mode, and so on.
#[test]
fn the_ids_are_those_of_this_user() {
    let ids = place::Place::new().ids.clone();
    match env::var(MODE).ok().as_deref() {
        Some("subuid") => assert_eq!(ids.mode, IdMode::Subuid),
        Some("single") => assert_eq!(ids.mode, IdMode::Single),
        _ if rustix::process::getuid().is_root() => assert_eq!(ids.mode, IdMode::Range),
        _ => assert_ne!(ids.mode, IdMode::Range),
    }
    for range in ids.uids.iter().chain(&ids.gids) {
        assert_ne!(range.outside, 0, "an id of the sandbox is the host's root: {ids:?}");
    }
}

fn run_as(mode: &str, options: &[&str]) {
    if env::var_os(MODE).is_some() {
        return;
    }
    if !rustix::process::getuid().is_root() {
        return skip("only root can make another user");
    }
    if let Err(why) = jail::available() {
        return skip(&why);
    }
    let user = User::new(mode, options);
    let home = tempfile::Builder::new().prefix("sandbank-user-").tempdir().unwrap();
    let mine = |name: &str| home.path().join(name);
    // Both programs where that user may read them: a checkout may lie below a closed home.
    fs::copy(env::current_exe().unwrap(), mine("checks")).unwrap();
    fs::copy(place::program(), mine("sandbank")).unwrap();
    fs::create_dir(mine("tmp")).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(mine("tmp"), Some(user.uid), Some(user.gid)).unwrap();

    let id = |flag: &str, id: u32| format!("--{flag}={id}");
    let out = Command::new("setpriv")
        .args([id("reuid", user.uid), id("regid", user.gid), "--clear-groups".into(), "--".into()])
        .arg(mine("checks"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("TMPDIR", mine("tmp"))
        .env("HOME", mine("tmp"))
        .env("SANDBANK_TEST_PROGRAM", mine("sandbank"))
        .env(MODE, mode)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "as a user in mode {mode}:\n{said}\n{}", String::from_utf8_lossy(&out.stderr));
}

fn skip(why: &str) {
    assert!(env::var_os("SANDBANK_TEST_REQUIRE").is_none() || env::var_os(MODE).is_some(), "required, but {why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A user of the machine for the length of one test.
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl User {
    fn new(mode: &str, options: &[&str]) -> Self {
        let name = format!("sandbank-{mode}-{}", std::process::id());
        let made = lock_passwd(|| {
            Command::new("useradd")
                .args(["--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin"])
                .args(options)
                .arg(&name)
                .output()
                .unwrap()
        });
        assert!(made.status.success(), "useradd: {}", String::from_utf8_lossy(&made.stderr));
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|l| l.starts_with(&format!("{name}:"))).expect("a new user has its line");
        let number = |field: usize| line.split(':').nth(field).unwrap().parse().unwrap();
        let user = Self { uid: number(2), gid: number(3), name };
        let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
        if mode == "subuid" {
            assert!(ranges.contains(&format!("{}:", user.name)), "useradd gave {} no range of ids", user.name);
        }
        user
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = lock_passwd(|| Command::new("userdel").arg(&self.name).output());
    }
}

/// useradd and userdel give up when another one runs.
fn lock_passwd<T>(work: impl FnOnce() -> T) -> T {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    work()
}
