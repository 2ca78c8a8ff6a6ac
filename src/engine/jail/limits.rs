//! Limits of a sandbox, by what the machine offers: control groups version 1 (as root), version 2 (where a subtree is
//! delegated), or none. Each limit is one small file.
//!
//! Without control groups the number of processes is held by `RLIMIT_NPROC` (counted for each sandbox, because each
//! has its own user namespace) and memory by the jail's first process, which adds up four times a second: best effort,
//! and said so by [`Controllers::describe`].

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::engine::spec::Limits;

/// Processes and threads when nothing is asked: a large parallel build with its tests stays far below.
const PIDS: u64 = 4096;
/// Output kept for one exec when nothing is asked.
const EXEC_LOG: u64 = 256 << 20;
/// Output kept for a sandbox when nothing is asked.
const SANDBOX_LOG: u64 = 2 << 30;
/// The kernel's own default period for CPU quotas, in microseconds.
const CPU_PERIOD: u64 = 100_000;

/// The limits with every zero replaced by its default: memory by three quarters of the machine's. What depends on the
/// disk is left to who looks at it.
pub fn with_defaults(asked: Limits) -> Limits {
    let or = |value: u64, default: u64| if value == 0 { default } else { value };
    let info = rustix::system::sysinfo();
    #[allow(clippy::unnecessary_cast, reason = "its fields are 32 bits wide on some machines")]
    let ram = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    Limits {
        memory: or(asked.memory, ram / 4 * 3),
        pids: or(asked.pids, PIDS),
        exec_log: or(asked.exec_log, EXEC_LOG),
        sandbox_log: or(asked.sandbox_log, SANDBOX_LOG),
        ..asked
    }
}

/// What holds the limits on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Controllers {
    /// Version 1: our own group in each hierarchy, below which we may make others.
    V1 {
        /// In the memory hierarchy.
        memory: PathBuf,
        /// In the pids hierarchy.
        pids: PathBuf,
        /// In the cpu hierarchy, if there is one.
        cpu: Option<PathBuf>,
    },
    /// Version 2: a group whose children have the memory and pids controllers.
    V2(PathBuf),
    /// None: best effort.
    None,
}

impl Controllers {
    /// Those of this machine and user.
    pub fn detect() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::at(Path::new("/sys/fs/cgroup"), &own)
    }

    /// Those of a tree mounted at `mount`, where `own` is the text of `/proc/self/cgroup`.
    fn at(mount: &Path, own: &str) -> Self {
        let path_of = |controller: &str| {
            own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let (names, path) = (parts.next()?, parts.next()?);
                names.split(',').any(|n| n == controller).then(|| path.trim_start_matches('/').to_string())
            })
        };
        let v1 = |controller: &str| {
            let root = mount.join(controller);
            // Inside a container the group's path is the host's, but its own group is mounted as the root.
            let candidates = [root.join(path_of(controller)?), root];
            candidates.into_iter().find(|p| p.join("cgroup.procs").exists() && writable(p))
        };
        if let (Some(memory), Some(pids)) = (v1("memory"), v1("pids")) {
            return Self::V1 { memory, pids, cpu: v1("cpu") };
        }
        let v2 = path_of("").map(|path| [mount.join(path), mount.to_path_buf()]);
        let group = v2.into_iter().flatten().find(|p| p.join("cgroup.subtree_control").exists() && writable(p));
        match group {
            Some(group) if delegates(&group) => Self::V2(group),
            _ => Self::None,
        }
    }

    /// A sentence for `doctor` and for `create`.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::V1 { .. } => "memory, processes and CPU are limited by control groups (version 1)",
            Self::V2(_) => "memory, processes and CPU are limited by control groups (version 2)",
            Self::None => {
                "no control group may be made here: processes are limited by the kernel, memory is checked four times \
                 a second, CPU is not limited"
            }
        }
    }

    /// Folders that [`Self::create`] will make for a sandbox; written down before they exist, so that whoever cleans
    /// up knows them.
    pub fn groups(&self, name: &str) -> Vec<PathBuf> {
        let name = format!("sandbank-{name}");
        match self {
            Self::V1 { memory, pids, cpu } => {
                [Some(memory), Some(pids), cpu.as_ref()].into_iter().flatten().map(|p| p.join(&name)).collect()
            }
            Self::V2(group) => vec![group.join(&name)],
            Self::None => Vec::new(),
        }
    }

    /// Makes the groups, sets the limits (which must have no zeros but `milli_cpu`), and moves the process into them.
    pub fn create(&self, name: &str, limits: &Limits, pid: i32) -> io::Result<Group> {
        let groups = self.groups(name);
        let group = Group { version: if matches!(self, Self::V2(_)) { 2 } else { 1 }, folders: groups };
        if let Err(e) = group.fill(limits, pid) {
            remove(&group.folders, Duration::ZERO);
            return Err(e);
        }
        Ok(group)
    }
}

fn writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether children of a version 2 group get memory and pids; tries to switch them on, which the kernel refuses where
/// processes live in the group itself.
fn delegates(group: &Path) -> bool {
    let control = group.join("cgroup.subtree_control");
    let has = || {
        let on = fs::read_to_string(&control).unwrap_or_default();
        ["memory", "pids"].iter().all(|c| on.split_ascii_whitespace().any(|o| o == *c))
    };
    if has() {
        return true;
    }
    let wanted = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    if !["memory", "pids"].iter().all(|c| wanted.split_ascii_whitespace().any(|o| o == *c)) {
        return false;
    }
    let _ = fs::write(&control, "+memory +pids");
    let _ = fs::write(&control, "+cpu");
    has()
}

/// The control groups of one sandbox; without folders where there are none.
#[derive(Debug, Default)]
pub struct Group {
    version: u8,
    folders: Vec<PathBuf>,
}

impl Group {
    fn fill(&self, limits: &Limits, pid: i32) -> io::Result<()> {
        for folder in &self.folders {
            fs::create_dir(folder)?;
        }
        let quota = (limits.milli_cpu > 0).then(|| limits.milli_cpu.saturating_mul(CPU_PERIOD / 1000).max(1000));
        if let (2, [group]) = (self.version, self.folders.as_slice()) {
            write(&group.join("memory.max"), limits.memory)?;
            write_if_there(&group.join("memory.swap.max"), 0)?;
            write(&group.join("pids.max"), limits.pids)?;
            if let Some(quota) = quota {
                write_if_there(&group.join("cpu.max"), format!("{quota} {CPU_PERIOD}"))?;
            }
        } else if let [memory, pids, cpu @ ..] = self.folders.as_slice() {
            write(&memory.join("memory.limit_in_bytes"), limits.memory)?;
            // Absent where swap isn't accounted; then swap is not limited.
            write_if_there(&memory.join("memory.memsw.limit_in_bytes"), limits.memory)?;
            write(&pids.join("pids.max"), limits.pids)?;
            if let (Some(quota), [cpu]) = (quota, cpu) {
                write(&cpu.join("cpu.cfs_period_us"), CPU_PERIOD)?;
                write(&cpu.join("cpu.cfs_quota_us"), quota)?;
            }
        }
        for folder in &self.folders {
            write(&folder.join("cgroup.procs"), pid)?;
        }
        Ok(())
    }

    /// How often the kernel killed a process of the sandbox for memory.
    pub fn oom_kills(&self) -> u64 {
        let file = if self.version == 2 { "memory.events" } else { "memory.oom_control" };
        let text = self.folders.first().and_then(|f| fs::read_to_string(f.join(file)).ok()).unwrap_or_default();
        text.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> Option<u64> {
        let file = if self.version == 2 { "memory.current" } else { "memory.usage_in_bytes" };
        number(&self.folders.first()?.join(file))
    }

    /// Processes and threads.
    pub fn pids(&self) -> Option<u64> {
        number(&self.folders.get(if self.version == 2 { 0 } else { 1 })?.join("pids.current"))
    }

    /// Its folders.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }
}

/// Removes groups, waiting for their last processes to be gone.
pub fn remove(groups: &[PathBuf], patience: Duration) {
    let deadline = Instant::now() + patience;
    for group in groups {
        while let Err(e) = fs::remove_dir(group) {
            if e.kind() == io::ErrorKind::NotFound || Instant::now() >= deadline {
                break;
            }
            sleep(Duration::from_millis(1));
        }
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn write(path: &Path, value: impl ToString) -> io::Result<()> {
    fs::write(path, value.to_string())
        .map_err(|e| io::Error::new(e.kind(), format!("cannot set {} to {}: {e}", path.display(), value.to_string())))
}

fn write_if_there(path: &Path, value: impl ToString) -> io::Result<()> {
    if path.exists() { write(path, value) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Control files appear with their folder in a real tree; in this one they are put there beforehand.
    fn group(version: u8, folders: Vec<PathBuf>) -> Group {
        Group { version, folders }
    }

    #[test]
    fn a_delegated_subtree_of_version_2_is_found_and_each_limit_lands_in_its_file() {
        let tree = tempfile::tempdir().unwrap();
        let own = tree.path().join("user.slice/mine");
        file(own.join("cgroup.controllers"), "cpu memory pids\n");
        file(own.join("cgroup.subtree_control"), "cpu memory pids\n");
        let found = Controllers::at(tree.path(), "0::/user.slice/mine\n");
        assert_eq!(found, Controllers::V2(own.clone()));
        assert_eq!(found.groups("x"), [own.join("sandbank-x")]);

        let folder = own.join("sandbank-x");
        let limits = Limits { memory: 1 << 20, pids: 9, milli_cpu: 500, ..Limits::default() };
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cpu.max"), "").unwrap();
        // create_dir refuses a group that is there: another sandbox's.
        assert!(group(2, vec![folder.clone()]).fill(&limits, 7).is_err());
        fs::remove_dir_all(&folder).unwrap();
        let made = found.create("x", &limits, 7).unwrap();
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(
            (text("memory.max"), text("pids.max"), text("cgroup.procs")),
            ("1048576".into(), "9".into(), "7".into())
        );
        file(folder.join("memory.events"), "low 0\noom 3\noom_kill 2\n");
        assert_eq!(made.oom_kills(), 2);
    }

    #[test]
    fn version_1_is_found_by_hierarchy() {
        let tree = tempfile::tempdir().unwrap();
        for controller in ["memory/a", "pids", "cpu"] {
            file(tree.path().join(controller).join("cgroup.procs"), "");
        }
        let found = Controllers::at(tree.path(), "8:pids:/\n4:memory:/a\n1:cpu,cpuacct:/\n0::/\n");
        let Controllers::V1 { memory, cpu, .. } = &found else { panic!("{found:?}") };
        assert_eq!(memory, &tree.path().join("memory/a"));
        assert!(cpu.is_some());
    }

    #[test]
    fn a_tree_that_gives_children_no_controllers_limits_nothing() {
        let tree = tempfile::tempdir().unwrap();
        file(tree.path().join("cgroup.controllers"), "cpu\n");
        file(tree.path().join("cgroup.subtree_control"), "");
        assert_eq!(Controllers::at(tree.path(), "0::/\n"), Controllers::None);
        assert_eq!(Controllers::at(tree.path(), ""), Controllers::None);
    }
}
