//! The command router: exec and its bytes.
