//! The whole road from the shell, with the real binary.

mod bad_input;
mod program;
