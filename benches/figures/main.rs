//! What the road costs, beside programs that do a part of it. One JSON line for each figure: what was timed, median,
//! least and most of [`rounds`] in one run, and how busy the machine was. Every round of ours is followed by one of each
//! peer, so that a busy machine disturbs both.
//!
//! `cargo bench --bench figures [WORD]` measures those whose name holds the word. A peer that isn't installed is left
//! out of its line: bubblewrap (`bwrap`), the Claude CLI (`SANDBANK_TEST_CLAUDE`), the aws cli (`SANDBANK_TEST_AWS`).
//! `docs/figures.md` has what was measured once, and why it is what it is.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a figure that can't be taken ends the run")]

mod memory;
#[allow(dead_code, reason = "shared with the engine's tests")]
#[path = "../../tests/engine/place.rs"]
mod place;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../../tests/support/program.rs"]
mod program;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../../tests/support/scripted_api.rs"]
mod scripted_api;
mod shell;
mod starts;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;

/// Rounds of a figure; `SANDBANK_BENCH_ROUNDS` asks for others.
fn rounds() -> usize {
    std::env::var("SANDBANK_BENCH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10).max(1)
}

/// Processes that ran or wanted to, on average over the last minute.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// Takes a figure and prints it under this name.
type Figure = fn(&str);

fn main() {
    let word = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let figures: [(&str, Figure); 7] = [
        ("create_first_command", starts::create),
        ("exec", starts::exec),
        ("exec_from_shell", shell::exec),
        ("chat_overhead", shell::chat),
        ("save_restore_2000", shell::save_and_restore),
        ("idle_memory", memory::idle),
        ("sandbox_list", shell::list),
    ];
    for (name, take) in figures.into_iter().filter(|(name, _)| name.contains(&word)) {
        take(name);
    }
}

/// Times of one figure by who took them.
#[derive(Default)]
struct Times(BTreeMap<&'static str, Vec<Duration>>);

impl Times {
    fn take<T>(&mut self, who: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.add(who, start.elapsed());
        done
    }

    fn add(&mut self, who: &'static str, time: Duration) {
        self.0.entry(who).or_default().push(time);
    }

    fn print(mut self, figure: &str, what: &str, aim_ms: Option<f64>) {
        let milliseconds = |time: &Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
        let times: BTreeMap<_, _> = self
            .0
            .iter_mut()
            .map(|(who, times)| {
                times.sort_unstable();
                let [median, least, most] = [times.len() / 2, 0, times.len() - 1].map(|i| milliseconds(&times[i]));
                (*who, json!({"median": median, "least": least, "most": most}))
            })
            .collect();
        println!(
            "{}",
            json!({"figure": figure, "what": what, "unit": "ms", "rounds": rounds(), "aim": aim_ms, "load": load(),
                   "times": times})
        );
    }
}
