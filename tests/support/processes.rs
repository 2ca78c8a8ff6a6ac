//! The processes of this machine, as `/proc` shows them.

use std::{collections::BTreeSet, fs};

/// All process ids.
pub fn all() -> Vec<u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// Those whose command line, its words parted by blanks, holds a text.
pub fn with(text: &str) -> Vec<u32> {
    all().into_iter().filter(|pid| command_line(*pid).contains(text)).collect()
}

/// A process and all that it has started, and so on.
pub fn family(of: u32) -> BTreeSet<u32> {
    let (mut family, all) = (BTreeSet::from([of]), all());
    loop {
        let of_it = |pid: &u32| stat(*pid).is_some_and(|(_, parent)| family.contains(&parent));
        let more: Vec<u32> = all.iter().copied().filter(|pid| !family.contains(pid) && of_it(pid)).collect();
        if more.is_empty() {
            return family;
        }
        family.extend(more);
    }
}

/// The words of a process, parted by blanks; nothing when it is gone.
pub fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// It stands still, as after `kill -STOP`.
pub fn is_stopped(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state == "T")
}

/// It has ended, if need be with nobody who asked how.
pub fn is_gone(pid: u32) -> bool {
    stat(pid).is_none_or(|(state, _)| state == "Z")
}

/// State and parent.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}
