//! The jail and its keeper, driven as the engine drives them, against a hostile program.
//!
//! Every check is an ordinary test, run as whoever runs the tests. When that is root, [`users`] runs all of them again
//! as an ordinary user with a range of ids and as one without. What a program *inside* may do is checked by this same
//! binary, shown to the sandbox ([`inside`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "clippy.toml's exception for tests does not reach their helpers"
)]

mod inside;
mod keeper;
mod limits;
mod place;
#[path = "../support/user.rs"]
mod user;
mod users;
mod walls;
