//! Which ids of the host a sandbox's ids are: chosen once for each user of the machine, kept in the cache folder and
//! noted in each data dir.
//!
//! What must stay true: all sandboxes, layers and volumes of a data dir use one map, because their files carry its
//! ids; and 0 is never 0, since the kernel then neither counts processes nor hides the engine's descriptors.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use rustix::{
    fs::{FlockOperation, flock},
    process::{getgid, getuid},
};
use serde::{Deserialize, Serialize};

use crate::engine::{
    json_file,
    spec::{IdMap, IdMode, IdRange},
};

/// Where the map lies, in the cache folder and in a data dir.
const FILE: &str = "ids.json";

/// Ids of one sandbox user: all that Linux distributions use themselves (`nobody` is 65534).
const COUNT: u32 = 65_536;

/// Ranges of the root engine begin at multiples of this: easy to read in `ls -n`, and beyond what adduser gives out.
const STEP: u32 = 100_000;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    uid: u32,
    map: IdMap,
}

/// The map of this user for a data dir. Both folders must exist.
///
/// # Errors
/// A sentence with the remedy when the data dir belongs to another user or map, or none can be made.
pub fn choose(cache_dir: &Path, data_dir: &Path) -> Result<IdMap, String> {
    let uid = getuid().as_raw();
    let noted = once(cache_dir, || Ok(Noted { uid, map: fresh()? }))?;
    if noted.uid != uid {
        return Err(format!(
            "{} belongs to user {}; this is user {uid}: use another cache folder (XDG_CACHE_HOME)",
            cache_dir.join(FILE).display(),
            noted.uid
        ));
    }
    let data = once(data_dir, || Ok(Noted { uid, map: noted.map.clone() }))?;
    if data.uid != uid {
        return Err(format!(
            "{} was made by user {}; this is user {uid}: use another --data-dir",
            data_dir.display(),
            data.uid
        ));
    }
    if data.map != noted.map {
        return Err(format!(
            "the files in {} carry other ids than this user's sandboxes now have: use another --data-dir, or copy its \
             {FILE} over {}",
            data_dir.display(),
            cache_dir.join(FILE).display()
        ));
    }
    Ok(data.map)
}

/// Reads a folder's note, or writes it if it is the first. Two that start at once agree by a lock.
fn once(folder: &Path, make: impl FnOnce() -> Result<Noted, String>) -> Result<Noted, String> {
    let path = folder.join(FILE);
    let say = |e: io::Error| format!("cannot keep the sandboxes' ids in {}: {e}", path.display());
    let lock = fs::File::open(folder).map_err(say)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|e| say(e.into()))?;
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|e| format!("{} is damaged ({e}): remove it if no sandbox or volume is kept", path.display())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let noted = make()?;
            json_file::write(&path, &noted).map_err(say)?;
            Ok(noted)
        }
        Err(e) => Err(say(e)),
    }
}

/// The map that this user's sandboxes have or would get. Notes nothing.
///
/// # Errors
/// A sentence with the remedy when none can be made.
pub fn look(cache_dir: &Path) -> Result<IdMap, String> {
    let noted = fs::read(cache_dir.join(FILE)).ok().and_then(|bytes| serde_json::from_slice::<Noted>(&bytes).ok());
    noted.map_or_else(fresh, |noted| Ok(noted.map))
}

fn fresh() -> Result<IdMap, String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (subuid, subgid) = (read("/etc/subuid"), read("/etc/subgid"));
    if getuid().is_root() {
        let start = free_range(&read("/proc/self/uid_map"), &format!("{subuid}\n{subgid}")).ok_or(
            "no 65,536 ids are free for sandboxes here (root of a container with few ids?): run the engine as an \
             ordinary user",
        )?;
        let range = vec![IdRange { inside: 0, outside: start, count: COUNT }];
        return Ok(IdMap { mode: IdMode::Range, uids: range.clone(), gids: range });
    }
    let passwd = read("/etc/passwd");
    let ranges = |text: &str| subordinate(text, &passwd, getuid().as_raw());
    let tools = ["newuidmap", "newgidmap"].iter().all(|t| tool(t).is_some());
    match (ranges(&subuid), ranges(&subgid)) {
        (Some(uids), Some(gids)) if tools => {
            let map = |own: u32, range: IdRange| vec![IdRange { inside: 0, outside: own, count: 1 }, range];
            Ok(IdMap { mode: IdMode::Subuid, uids: map(getuid().as_raw(), uids), gids: map(getgid().as_raw(), gids) })
        }
        _ => Ok(IdMap {
            mode: IdMode::Single,
            uids: vec![IdRange { inside: 0, outside: getuid().as_raw(), count: 1 }],
            gids: vec![IdRange { inside: 0, outside: getgid().as_raw(), count: 1 }],
        }),
    }
}

/// Where a set-uid tool of the `uidmap` package is.
pub(super) fn tool(name: &str) -> Option<String> {
    ["/usr/bin", "/bin", "/usr/local/bin"]
        .iter()
        .map(|dir| format!("{dir}/{name}"))
        .find(|p| fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
}

/// First multiple of [`STEP`] whose range nobody has and this namespace knows.
fn free_range(uid_map: &str, taken: &str) -> Option<u32> {
    let numbers = |line: &str| -> Vec<u64> { line.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect() };
    let known: Vec<(u64, u64)> = uid_map
        .lines()
        .filter_map(|line| match numbers(line).as_slice() {
            [inside, _, count] => Some((*inside, inside + count)),
            _ => None,
        })
        .collect();
    let taken: Vec<(u64, u64)> = taken
        .lines()
        .filter_map(|line| {
            let mut parts = line.trim().split(':').skip(1);
            let (start, count): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((start, start + count))
        })
        .collect();
    (1..u32::MAX / STEP).map(|i| i * STEP).find(|start| {
        let (from, to) = (u64::from(*start), u64::from(*start) + u64::from(COUNT));
        known.iter().any(|k| k.0 <= from && to <= k.1) && taken.iter().all(|t| to <= t.0 || t.1 <= from)
    })
}

/// The largest range that `/etc/subuid` or `/etc/subgid` gives a user, by name or number, as ids from 1 on.
fn subordinate(text: &str, passwd: &str, uid: u32) -> Option<IdRange> {
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        (Some(owner) == name || owner.parse() == Ok(uid)).then_some(())?;
        let (start, count): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (start > 0 && count > 0 && start.checked_add(count).is_some()).then_some((start, count))
    });
    let (start, count) = lines.max_by_key(|(_, count)| *count)?;
    Some(IdRange { inside: 1, outside: start, count: count.min(COUNT - 1) })
}

/// Makes a folder (mode 0755, parents too) that belongs to the sandboxes' root. Needs no namespace: the engine's user
/// either is that root or may give files away.
pub fn make_dir(ids: &IdMap, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    if ids.mode == IdMode::Range {
        let root = |map: &[IdRange]| map.iter().find(|r| r.inside == 0).map(|r| r.outside);
        std::os::unix::fs::chown(path, root(&ids.uids), root(&ids.gids))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "         0          0 4294967295\n";

    #[test]
    fn root_takes_the_first_range_that_nobody_has_and_never_the_hosts_own() {
        assert_eq!(free_range(WHOLE, ""), Some(100_000));
        assert_eq!(free_range(WHOLE, "ann:100000:65536\nbob:165536:65536\n"), Some(300_000));
        assert_eq!(free_range(WHOLE, "ann:299999:1\nbad line\nx:y:z\n:100000:65536"), Some(200_000));
        assert_eq!(free_range("0 100000 65536\n", ""), None);
        assert_eq!(free_range("0 1000 1\n1 100000 400000\n", ""), Some(100_000));
    }

    #[test]
    fn a_users_range_is_found_by_name_or_number() {
        let passwd = "root:x:0:0::/:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        let range = |outside, count| Some(IdRange { inside: 1, outside, count });
        assert_eq!(subordinate("ann:200000:65536\n", passwd, 1000), range(200_000, 65_535));
        assert_eq!(subordinate("1000:200000:10\nann:300000:20\n", passwd, 1000), range(300_000, 20));
        assert_eq!(subordinate("bob:200000:65536\n", passwd, 1000), None);
        assert_eq!(subordinate("ann:0:65536\nann:x\n", passwd, 1000), None);
    }

    #[test]
    fn a_data_dir_of_another_map_is_refused_with_what_to_do() {
        let (cache, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let map = choose(cache.path(), data.path()).unwrap();
        assert_eq!(choose(cache.path(), data.path()).unwrap(), map);
        assert!(map.uids.iter().all(|r| r.outside != 0), "0 may never be 0: {map:?}");
        let other = Noted { uid: getuid().as_raw(), map: IdMap { uids: Vec::new(), ..map } };
        fs::write(data.path().join(FILE), serde_json::to_vec(&other).unwrap()).unwrap();
        assert!(choose(cache.path(), data.path()).unwrap_err().contains("--data-dir"));
        let stranger = Noted { uid: 4321, ..other };
        fs::write(data.path().join(FILE), serde_json::to_vec(&stranger).unwrap()).unwrap();
        assert!(choose(cache.path(), data.path()).unwrap_err().contains("user 4321"));
    }
}
