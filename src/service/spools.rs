//! What sandboxes still keep of commands that have ended: their output, for a client that comes again. The oldest goes
//! when the next command starts, which costs no process of its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use super::MAX_OPEN_WAYS;
use crate::core::{ExecId, SandboxId};

/// Commands whose output is kept after their end: a client that lost its connection, or a user who asks once more, comes
/// soon, and each may fill half a gigabyte.
const KEPT: usize = 8;

/// Ids that one command line takes along, of 37 bytes each.
const AT_ONCE: usize = 64;

/// Commands whose end is stored, by sandbox, oldest first. In memory: what a server before this one left stays until the
/// sandbox ends.
#[derive(Debug, Default)]
pub(super) struct Spools(Mutex<HashMap<SandboxId, VecDeque<ExecId>>>);

impl Spools {
    /// A command has ended, and that is stored.
    pub fn ended(&self, sandbox: &SandboxId, id: ExecId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_OPEN_WAYS && !all.contains_key(sandbox) {
            all.clear();
        }
        let ended = all.entry(sandbox.clone()).or_default();
        // A client that came again ends it again.
        if !ended.contains(&id) {
            ended.push_back(id);
        }
    }

    /// What the next command to be started there shall remove.
    pub fn take_old(&self, sandbox: &SandboxId) -> Vec<ExecId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ended) = all.get_mut(sandbox) else { return Vec::new() };
        let old = ended.len().saturating_sub(KEPT).min(AT_ONCE);
        ended.drain(..old).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_last_few_go_once_each() {
        let (spools, sandbox) = (Spools::default(), "sb-1".parse::<SandboxId>().unwrap());
        let ids: Vec<ExecId> = (0..KEPT + 3).map(|_| ExecId::new()).collect();
        for id in &ids {
            spools.ended(&sandbox, *id);
            spools.ended(&sandbox, *id);
        }
        assert_eq!(spools.take_old(&sandbox), ids[..3]);
        assert!(spools.take_old(&sandbox).is_empty());
    }
}
