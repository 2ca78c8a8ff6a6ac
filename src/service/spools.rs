//! What sandboxes still keep of commands that have ended: their output, for a client that comes again. The oldest goes
//! when the next command starts, which costs no process of its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    core::{ExecId, SandboxId},
    store::Store,
};

/// Commands whose output is kept after their end: a client that lost its connection, or a user who asks once more, comes
/// soon, and each may fill half a gigabyte.
const KEPT: usize = 8;

/// Ids that one command line takes along, of 37 bytes each.
const AT_ONCE: usize = 64;

/// Ended commands that are looked up when a sandbox is first asked for: those that the server before this one kept, and
/// those that ended after the last one began.
const LOOKED_UP: u32 = 128;

/// Sandboxes that are remembered; more than anyone works in at a time. Others are looked up again.
const SANDBOXES: usize = 256;

/// Commands whose end is stored, by sandbox, oldest first. In memory; what a server before this one left is looked up.
#[derive(Debug, Default)]
pub(super) struct Spools(Mutex<HashMap<SandboxId, VecDeque<ExecId>>>);

impl Spools {
    fn lock(&self) -> MutexGuard<'_, HashMap<SandboxId, VecDeque<ExecId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command has ended, and that is stored.
    pub fn ended(&self, sandbox: &SandboxId, id: ExecId) {
        // Of one that isn't looked up yet the store will say it.
        if let Some(ended) = self.lock().get_mut(sandbox)
            // A client that came again ends it again.
            && !ended.contains(&id)
        {
            ended.push_back(id);
        }
    }

    /// What the next command to be started in a sandbox shall remove there.
    pub async fn old(&self, store: &Store, sandbox: &SandboxId) -> Vec<ExecId> {
        if !self.knows(sandbox) {
            match store.ended_execs(sandbox, LOOKED_UP).await {
                Ok(ended) => self.learn(sandbox, ended),
                Err(error) => tracing::warn!(%sandbox, %error, "old output stays in the sandbox for now"),
            }
        }
        self.take_old(sandbox)
    }

    fn knows(&self, sandbox: &SandboxId) -> bool {
        self.lock().contains_key(sandbox)
    }

    fn learn(&self, sandbox: &SandboxId, ended: Vec<ExecId>) {
        let mut all = self.lock();
        if all.len() >= SANDBOXES {
            all.clear();
        }
        all.entry(sandbox.clone()).or_insert_with(|| ended.into());
    }

    fn take_old(&self, sandbox: &SandboxId) -> Vec<ExecId> {
        let mut all = self.lock();
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
        // The first two ended under the server before this one.
        spools.ended(&sandbox, ids[0]);
        assert!(!spools.knows(&sandbox), "the store says more of it");
        spools.learn(&sandbox, ids[..2].to_vec());
        for id in &ids {
            spools.ended(&sandbox, *id);
            spools.ended(&sandbox, *id);
        }
        assert_eq!(spools.take_old(&sandbox), ids[..3]);
        assert!(spools.take_old(&sandbox).is_empty());
    }
}
