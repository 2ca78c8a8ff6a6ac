//! This binary inside a sandbox: itself, its loader and the libraries that it links, as a mount.
//!
//! With its own loader it runs in any x86-64 image, whatever libc that has. Each file is sent to a place once, by its
//! content.

use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::{
    api::ApiError,
    modal::{LocalFile, Modal, MountId},
};

/// Where the files lie in a sandbox.
const DIR: &str = "/opt/sandbank";

/// Beginnings of the names of the libraries that the binary links. What glibc loads by itself later (name service,
/// conversions) is in the process's maps too, and must not come along: then the set would differ from start to start.
const LINKED: [&str; 6] = ["libc.so", "libm.so", "libgcc_s.so", "libdl.so", "libpthread.so", "librt.so"];

/// A build without a dynamic loader runs as it is.
const STATIC: bool = cfg!(target_feature = "crt-static");

/// The command line that runs `inside WORDS…` in a sandbox.
pub fn command(words: &[&str]) -> Vec<String> {
    let program = format!("{DIR}/sandbank");
    let start = if STATIC {
        vec![program]
    } else {
        vec![format!("{DIR}/ld.so"), "--library-path".to_owned(), format!("{DIR}/lib"), program]
    };
    start.into_iter().chain(["inside".to_owned()]).chain(words.iter().map(|w| (*w).to_owned())).collect()
}

/// The files of this build, and the mounts of them that were made.
#[derive(Debug, Default)]
pub(super) struct Carried {
    files: OnceCell<Vec<LocalFile>>,
    mounts: Mutex<HashMap<String, MountId>>,
}

impl Carried {
    /// The mount of this build for an app, made if this process hasn't yet; `making` is called before.
    pub(super) async fn mount(&self, modal: &Modal, app: &str, making: impl FnOnce()) -> Result<MountId, ApiError> {
        let known = self.mounts.lock().unwrap_or_else(PoisonError::into_inner).get(app).cloned();
        if let Some(mount) = known {
            return Ok(mount);
        }
        making();
        let files = self.files.get_or_try_init(files).await?;
        let mount = modal.mount(app, files, &|_| {}).await?;
        self.mounts.lock().unwrap_or_else(PoisonError::into_inner).insert(app.to_owned(), mount.clone());
        Ok(mount)
    }
}

async fn files() -> Result<Vec<LocalFile>, ApiError> {
    let failed =
        |why: String| ApiError::failed(format!("the files of this program that sandboxes need can't be read: {why}"));
    tokio::task::spawn_blocking(read).await.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))
}

fn read() -> std::io::Result<Vec<LocalFile>> {
    // The link leads to the running file also after another was put in its place.
    let mut files = vec![file(Path::new("/proc/self/exe"), format!("{DIR}/sandbank"))?];
    if !STATIC {
        for (path, target) in linked(&fs::read_to_string("/proc/self/maps")?) {
            files.push(file(&path, target)?);
        }
    }
    Ok(files)
}

/// Loader and libraries among the mapped files, and where they go.
fn linked(maps: &str) -> Vec<(PathBuf, String)> {
    let mut found: Vec<(PathBuf, String)> = maps
        .lines()
        .filter_map(|line| {
            let path = Path::new(line.get(line.find('/')?..)?);
            let name = path.file_name()?.to_str()?;
            if name.starts_with("ld-linux") || name.starts_with("ld-2.") {
                Some((path.to_owned(), format!("{DIR}/ld.so")))
            } else if LINKED.iter().any(|l| name.starts_with(l)) {
                Some((path.to_owned(), format!("{DIR}/lib/{name}")))
            } else {
                None
            }
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn file(source: &Path, target: String) -> std::io::Result<LocalFile> {
    let mut reader = fs::File::open(source)?;
    let mut digest = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            n => {
                digest.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
    Ok(LocalFile { source: source.to_owned(), target, sha256: hex::encode(digest.finalize()), size, mode: 0o755 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_and_linked_libraries_are_found_once_and_nothing_else() {
        let maps = "\
55e0-55e1 r-xp 00000000 08:01 1 /opt/target/debug/sandbank
7f00-7f01 r--p 00000000 08:01 2 /usr/lib/x86_64-linux-gnu/libc.so.6
7f01-7f02 r-xp 00000000 08:01 2 /usr/lib/x86_64-linux-gnu/libc.so.6
7f03-7f04 r-xp 00000000 08:01 3 /usr/lib/x86_64-linux-gnu/libnss_dns.so.2
7f05-7f06 r-xp 00000000 08:01 4 /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
7ffd-7ffe rw-p 00000000 00:00 0 [stack]
";
        let targets: Vec<_> = linked(maps).into_iter().map(|(_, target)| target).collect();
        assert_eq!(targets, ["/opt/sandbank/ld.so", "/opt/sandbank/lib/libc.so.6"]);
    }

    /// The very files, copied together, run by their own loader.
    #[test]
    fn what_is_carried_runs() {
        let dir = tempfile::tempdir().unwrap();
        let mut words = command(&["nonsense"]);
        for f in read().unwrap() {
            let target = dir.path().join(f.target.trim_start_matches('/'));
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&f.source, &target).unwrap();
        }
        for word in &mut words {
            if word.starts_with('/') {
                *word = dir.path().join(word.trim_start_matches('/')).to_str().unwrap().to_owned();
            }
        }
        // The test's own binary is what was carried; asked for its list of tests it prints this one.
        let out = std::process::Command::new(&words[0]).args(&words[1..4]).arg("--list").env_clear().output().unwrap();
        assert!(String::from_utf8_lossy(&out.stdout).contains("what_is_carried_runs"), "{out:?}");
    }
}
