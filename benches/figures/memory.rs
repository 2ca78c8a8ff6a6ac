//! What one idle sandbox holds: its keeper and its first process.

use std::fs;

use serde_json::json;

use crate::program::Place;

/// Bytes of their own (private, and their part of what they share with the server, which is the same program), and
/// which of it is our binary's relocations.
pub fn idle(figure: &str) {
    let place = Place::new();
    place.json(&["sandbox", "create", "--name", "heron"]);
    let (mut proportional, mut relocations) = (0, 0);
    for pid in keepers(place.data().to_str().unwrap()) {
        proportional += sum(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap(), "Pss:");
        relocations += ours(&fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap());
    }
    println!(
        "{}",
        json!({"figure": figure, "what": "Pss of the keeper and first process of a sandbox in which nothing runs",
               "unit": "KiB", "aim": 2048,
               "sizes": {"keeper_and_init": proportional, "relocations_of_the_binary": relocations}})
    );
}

/// The keepers of an engine and their children, the jails' first processes.
fn keepers(folder: &str) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    let pids: Vec<u32> = pids.collect();
    let is_keeper = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains("engine keep") && line.contains(folder)
    };
    let parent = |pid: u32| -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|l| l.strip_prefix("PPid:")?.trim().parse().ok())
    };
    pids.into_iter().filter(|pid| is_keeper(*pid) || parent(*pid).is_some_and(is_keeper)).collect()
}

/// Pages of the binary's file that this process wrote, which the loader did when it relocated it. The keeper and its
/// copy share them: half for each.
fn ours(maps: &str) -> u64 {
    let name = env!("CARGO_BIN_EXE_sandbank");
    let mut inside = false;
    let mut total = 0;
    for line in maps.lines() {
        if line.split(' ').next().is_some_and(|first| first.contains('-')) {
            inside = line.ends_with(name);
        } else if inside {
            total += sum(line, "Private_Dirty:") + sum(line, "Shared_Dirty:") / 2;
        }
    }
    total
}

fn sum(text: &str, field: &str) -> u64 {
    let numbers =
        text.lines().filter_map(|l| l.strip_prefix(field)?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    numbers.sum()
}
