//! Where a command's two streams stood when its output was forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::core::ExecId;

/// How many bytes of each stream came before an offset of the shim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub offset: u64,
    pub out: u64,
    pub err: u64,
}

/// Marks of the commands that have forgotten output. In memory: after a restart such a command's streams can't be told
/// apart any more, and it says so.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<HashMap<ExecId, Mark>>);

impl Marks {
    /// Of one command.
    pub fn get(&self, id: ExecId) -> Option<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// Of one command, from now on.
    pub fn set(&self, id: ExecId, mark: Option<Mark>) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match mark {
            Some(mark) => drop(marks.insert(id, mark)),
            None => drop(marks.remove(&id)),
        }
    }
}
