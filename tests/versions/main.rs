//! Versions end to end: the engine's own store, the real mover on a folder, and everything between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod bad_luck;
mod legacy;
mod movers;
mod races;
mod round_trip;
mod seen;
mod support;
