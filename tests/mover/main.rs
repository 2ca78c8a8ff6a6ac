//! The mover as a process, between a service and a store of the tests' own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod disk;
mod random;
mod restore;
mod save;
mod seen;
mod session;
mod store;
