//! What the road costs, beside programs that do a part of it. One JSON line for each figure: the median of
//! [`ROUNDS`] in one run, every round of ours followed by one of each peer.
//!
//! `cargo bench --bench figures [WORD]` measures those whose name holds the word. A peer that isn't installed is left
//! out of its line: bubblewrap (`bwrap`), the Claude CLI (`SANDBANK_TEST_CLAUDE`), the aws cli (`SANDBANK_TEST_AWS`).
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

/// Rounds of a figure.
const ROUNDS: usize = 10;

/// Takes a figure and prints it under this name.
type Figure = fn(&str);

fn main() {
    let word = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let figures: [(&str, Figure); 6] = [
        ("create_first_command", starts::create),
        ("exec", starts::exec),
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

    fn print(mut self, figure: &str, aim_ms: Option<f64>) {
        let medians: BTreeMap<_, _> = self
            .0
            .iter_mut()
            .map(|(who, times)| {
                times.sort_unstable();
                let milliseconds = times[times.len() / 2].as_secs_f64() * 1e3;
                (*who, (milliseconds * 100.0).round() / 100.0)
            })
            .collect();
        println!("{}", json!({"figure": figure, "unit": "ms", "rounds": ROUNDS, "aim": aim_ms, "median": medians}));
    }
}
