//! What one idle sandbox holds: its keeper and its first process.

use std::fs;

use serde_json::json;

use crate::place::Place;

/// Bytes of their own (private, and their part of what they share), and which of it is our binary's relocations.
pub fn idle(figure: &str) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let Some(engine) = Place::new().await else { return };
        engine.sandbox("heron").await;
        let mut proportional = 0;
        let mut relocations = 0;
        let folder = engine.engine_dir();
        for pid in keepers(folder.to_str().unwrap()) {
            proportional += sum(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap(), "Pss:");
            let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
            relocations += ours(&maps);
        }
        println!(
            "{}",
            json!({"figure": figure, "unit": "KiB", "rounds": 1,
                   "median": {"keeper_and_init": proportional, "relocations_of_the_binary": relocations}})
        );
        engine.close().await;
    });
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

/// Pages of the binary's file that this process wrote, which the loader did when it relocated it.
fn ours(maps: &str) -> u64 {
    let name = env!("CARGO_BIN_EXE_sandbank");
    let mut inside = false;
    let mut total = 0;
    for line in maps.lines() {
        if line.split(' ').next().is_some_and(|first| first.contains('-')) {
            inside = line.ends_with(name);
        } else if inside {
            total += sum(line, "Private_Dirty:") + sum(line, "Shared_Dirty:");
        }
    }
    total
}

fn sum(text: &str, field: &str) -> u64 {
    let numbers =
        text.lines().filter_map(|l| l.strip_prefix(field)?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    numbers.sum()
}
