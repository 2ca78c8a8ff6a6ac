//! The engine as its clients see it: our own client of Modal's protocol, the real binary as keeper, real sandboxes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod control;
mod exec;
mod life;
mod place;
mod reach;
