//! kill -9 of every process on the road: in each phase of a save and of a restore, and in the middle of an answer of the
//! real Claude CLI. A seed chooses which pass of a phase it is, and whether the answer is before or after its tool.
//!
//! What must hold after each: a command that was accepted is finished once or ends with a reason, and its result can
//! be asked for by its id; nothing is doubled; the workspace is as before or as after, or a restore can be gone on
//! with; versions are whole. A killed keeper ends its own sandbox, with a reason, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod chat;
mod phases;
#[allow(dead_code, reason = "the engine's tests use the rest")]
#[path = "../support/processes.rs"]
mod processes;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../support/program.rs"]
mod program;
mod road;
#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../support/scripted_api.rs"]
mod scripted_api;
#[path = "../support/stops.rs"]
mod stops;

use phases::{RESTORE, SAVE};
use road::{Road, Victim};

/// Seeds for each victim: with its five victims 20 in all.
const SEEDS: u64 = 4;

/// All on one road, since everything goes on. Each seed has an answer; every second one all phases of a save, the others those of a restore.
fn seeds(victim: Victim) {
    let mut road = Road::new(victim);
    for seed in 0..SEEDS {
        eprintln!("{victim:?} killed, seed {seed}");
        road.seed = seed;
        chat::walk(&road);
        match (victim, seed % 2) {
            (Victim::Claude, _) => {}
            (_, 0) => SAVE.iter().for_each(|phase| phases::save(&road, *phase)),
            _ => RESTORE.iter().for_each(|phase| phases::restore(&road, *phase)),
        }
    }
}

#[test]
fn a_killed_client_changes_nothing() {
    seeds(Victim::Client);
}

#[test]
fn a_killed_server_is_replaced_by_the_next() {
    seeds(Victim::Server);
}

#[test]
fn a_killed_keeper_ends_its_own_sandbox_only() {
    seeds(Victim::Keeper);
}

#[test]
fn a_killed_shim_ends_its_own_turn_and_a_killed_mover_is_replaced() {
    seeds(Victim::Inside);
}

#[test]
fn a_killed_claude_ends_its_turn_with_a_reason() {
    seeds(Victim::Claude);
}
