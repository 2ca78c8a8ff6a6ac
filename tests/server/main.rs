//! The server's life and the shell's manners, with the real binary and without sandboxes.

#[path = "../support/program.rs"]
#[allow(dead_code, reason = "the road's tests use the rest")]
mod program;

mod life;
mod manners;
