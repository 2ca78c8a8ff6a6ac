//! The files of `assets/`, read when the program was built: to parse them would take a third of the time to the first
//! frame.

/// A line of a file: its table, its key, what stands behind it.
pub(super) type Entry = (&'static str, &'static str, &'static [&'static str]);

/// `assets/keymap.toml`, in its order.
pub(super) const KEYMAP: &[Entry] = include!(concat!(env!("OUT_DIR"), "/keymap.rs"));

/// `assets/theme.toml`, in its order.
pub(super) const THEME: &[Entry] = include!(concat!(env!("OUT_DIR"), "/theme.rs"));
