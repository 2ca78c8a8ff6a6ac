//! Bytes of programs that run in sandboxes, on their way to a terminal.

mod guard;

pub use guard::{Guard, MAX_STRING};
