//! kill -9 of every process on the road, during a chat, a save and a restore, at moments that a seed chooses.
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

#[allow(dead_code, reason = "shared with the road's tests")]
#[path = "../support/program.rs"]
mod program;
mod road;

use road::{Action, Road, Victim};

/// Seeds for each victim: with its five victims 20 in all.
const SEEDS: u64 = 4;

fn seeds(victim: Victim) {
    for seed in 0..SEEDS {
        let action = match victim {
            // It only runs during a chat.
            Victim::Claude => Action::Chat,
            _ => [Action::Chat, Action::Save, Action::Restore, Action::Chat][usize::try_from(seed).unwrap()],
        };
        Road::new(victim, action, seed).walk();
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
fn a_killed_shim_or_mover_ends_its_own_command_only() {
    seeds(Victim::Inside);
}

#[test]
fn a_killed_claude_ends_its_turn_with_a_reason() {
    seeds(Victim::Claude);
}
