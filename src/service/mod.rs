//! The use cases, the only thing that the server calls.

pub mod conversations;
