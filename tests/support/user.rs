//! Tests again as two kinds of ordinary user, who are made for it. Only root can do that.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Command, Stdio},
};

use sandbank::engine::{jail, spec::IdMode};

/// Names the kind of user to tests that run as one.
const KIND: &str = "SANDBANK_TEST_USER";

/// A kind of ordinary user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// With a range of ids in `/etc/subuid`.
    Range,
    /// With its own id alone.
    One,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::One => "one",
        }
    }
}

/// Whether a sandbox's ids are what whoever runs these tests has.
pub fn has(mode: IdMode) -> bool {
    let root = rustix::process::getuid().is_root();
    match env::var(KIND).ok().as_deref() {
        Some("range") => mode == IdMode::Subuid,
        Some("one") => mode == IdMode::Single,
        _ => root == (mode == IdMode::Range),
    }
}

/// A user of the machine for the length of one test, with a folder of its own.
pub struct User {
    kind: Kind,
    name: String,
    uid: u32,
    gid: u32,
    home: tempfile::TempDir,
}

impl User {
    /// `None`, said, where none can be made; and silently for such a user itself.
    pub fn new(kind: Kind) -> Option<Self> {
        if env::var_os(KIND).is_some() {
            return None;
        }
        if !rustix::process::getuid().is_root() {
            return skip("only root can make another user");
        }
        if kind == Kind::Range && !Path::new("/usr/bin/newuidmap").exists() {
            return skip("newuidmap is missing (package uidmap)");
        }
        if let Err(why) = jail::available() {
            return skip(&why);
        }
        let name = format!("sandbank-{}-{}", kind.name(), std::process::id());
        // useradd gives system users no range.
        let system: &[&str] = if kind == Kind::One { &["--system"] } else { &[] };
        let made = lock_passwd(|| {
            Command::new("useradd")
                .args(["--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin"])
                .args(system)
                .arg(&name)
                .output()
                .unwrap()
        });
        assert!(made.status.success(), "useradd: {}", String::from_utf8_lossy(&made.stderr));
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|l| l.starts_with(&format!("{name}:"))).expect("a new user has its line");
        let number = |field: usize| line.split(':').nth(field).unwrap().parse().unwrap();
        let home = tempfile::Builder::new().prefix("sandbank-user-").tempdir().unwrap();
        let user = Self { kind, uid: number(2), gid: number(3), name, home };
        let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
        if kind == Kind::Range {
            assert!(ranges.contains(&format!("{}:", user.name)), "useradd gave {} no range of ids", user.name);
        }
        fs::set_permissions(user.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["tmp", "cache"] {
            fs::create_dir(user.home.path().join(folder)).unwrap();
            chown(user.home.path().join(folder), Some(user.uid), Some(user.gid)).unwrap();
        }
        // Both programs where that user may read them: a checkout may lie below a closed home.
        fs::copy(env::current_exe().unwrap(), user.home.path().join("tests")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_sandbank"), user.home.path().join("sandbank")).unwrap();
        Some(user)
    }

    /// A command as this user, with none of root's environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        let id = |flag: &str, id: u32| format!("--{flag}={id}");
        command
            .args([id("reuid", self.uid), id("regid", self.gid), "--clear-groups".into(), "--".into()])
            .arg(program)
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.home.path().join("tmp"))
            .env("TMPDIR", self.home.path().join("tmp"))
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    /// Runs tests of this binary as this user, all of them if none is named. They must pass.
    pub fn run(&self, tests: &[&str], variables: &[(&str, &Path)]) {
        let exact: &[&str] = if tests.is_empty() { &[] } else { &["--exact"] };
        let out = self
            .command(&self.home.path().join("tests"))
            .args(tests)
            .args(exact)
            .env(KIND, self.kind.name())
            .env("SANDBANK_TEST_PROGRAM", self.home.path().join("sandbank"))
            .env("SANDBANK_TEST_CACHE", self.home.path().join("cache"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let (said, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "as {}:\n{said}\n{errors}", self.name);
        let ran = tests.is_empty() || said.contains(&format!(" {} passed", tests.len()));
        assert!(ran, "not all of {tests:?} are tests:\n{said}");
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = lock_passwd(|| Command::new("userdel").arg(&self.name).output());
    }
}

fn skip(why: &str) -> Option<User> {
    assert!(env::var_os("SANDBANK_TEST_REQUIRE").is_none(), "required, but {why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    None
}

/// useradd and userdel give up when another one runs, of other test binaries too.
fn lock_passwd<T>(work: impl FnOnce() -> T) -> T {
    let lock = fs::File::open(env::temp_dir()).unwrap();
    lock.lock().unwrap();
    work()
}
