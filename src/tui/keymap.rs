//! Which keys do what: `assets/keymap.toml`, with the user's own file over it.

use std::path::Path;

use super::{
    app::action::{Action, Context},
    key::Key,
};

/// All bindings.
#[derive(Debug, Clone, Default)]
pub struct Keymap {}

/// What a sequence of keys means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// This.
    Action(Action),
    /// It begins a longer sequence.
    Begins,
    /// Nothing.
    Nothing,
}

/// A keymap that can't be taken: file, line, what contradicts what, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeymapError(pub String);

impl Keymap {
    /// The default keymap with a user's file over it.
    ///
    /// # Errors
    /// Anything in the file that can't be taken; two actions on one key of one context.
    pub fn load(_user: Option<(&Path, &str)>) -> Result<Self, KeymapError> {
        Ok(Self::default())
    }

    /// What a sequence means in a context; what that doesn't bind is looked up in [`Context::Global`].
    pub fn meaning(&self, _context: Context, _keys: &[Key]) -> Meaning {
        Meaning::Nothing
    }

    /// The keys of an action in a context (or global), as they are written (`ctrl-x s`), the first one first.
    pub fn keys(&self, _context: Context, _action: Action) -> Vec<String> {
        Vec::new()
    }

    /// What may follow the keys that were pressed, for a hint: the next key and its action.
    pub fn following(&self, _context: Context, _keys: &[Key]) -> Vec<(Key, Action)> {
        Vec::new()
    }
}
