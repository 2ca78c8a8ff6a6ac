//! Work on several sandboxes that were marked: each is a command of its own, and not all of them begin at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::core::{RequestId, SandboxId};

/// Sandboxes that are ended at once when nothing is saved: a server has other things to do too, and one more call at
/// the same time makes the last of them end no sooner.
const AT_ONCE: usize = 4;

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Its workspace is saved.
    Save,
    /// It ends.
    Terminate {
        /// Its workspace is saved first.
        save: bool,
    },
}

impl Work {
    /// How many of its kind may be under way.
    ///
    /// Saves go one after another, and each sandbox has its own, although sandboxes of an account mostly have one
    /// workspace. One save for all of them would lose what it promises to keep: in Modal a sandbox sees what another
    /// writes only after a commit and a reload, a sandbox may have a volume of its own, and those that wait for their
    /// end still write. One after another, each save is planned against the one before: what is the same is not sent
    /// again. All at once, each of them would send everything.
    fn at_once(self) -> usize {
        match self {
            Self::Save | Self::Terminate { save: true } => 1,
            Self::Terminate { save: false } => AT_ONCE,
        }
    }

    /// What became of a sandbox, in one word.
    pub fn done(self) -> &'static str {
        match self {
            Self::Save => "saved",
            Self::Terminate { .. } => "terminated",
        }
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// To which sandbox.
    pub sandbox: SandboxId,
    /// Its name, as it came.
    pub name: String,
    /// What.
    pub work: Work,
}

/// All of them. Only a connected screen begins one.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    /// Not begun yet, in their order.
    pub waiting: VecDeque<Job>,
    /// Under way.
    pub running: BTreeMap<RequestId, Job>,
    /// How many have ended since there was nothing to do.
    pub ended: usize,
    /// How many of those failed.
    pub failed: usize,
}

impl Jobs {
    /// How many there are, with those that have ended.
    pub fn all(&self) -> usize {
        self.ended + self.running.len() + self.waiting.len()
    }

    /// There is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Sandboxes that something is done to, or will be.
    pub fn sandboxes(&self) -> BTreeSet<&SandboxId> {
        self.running.values().chain(&self.waiting).map(|job| &job.sandbox).collect()
    }

    /// The next one, if it may begin.
    pub fn begin(&mut self) -> Option<Job> {
        let next = self.waiting.front()?;
        let most = self.running.values().map(|job| job.work.at_once()).min().unwrap_or(AT_ONCE);
        let room = self.running.len() < most.min(next.work.at_once());
        if room { self.waiting.pop_front() } else { None }
    }

    /// One has ended. Gives it back if it was one.
    pub fn end(&mut self, request: RequestId, failed: bool) -> Option<Job> {
        let job = self.running.remove(&request)?;
        self.ended += 1;
        self.failed += usize::from(failed);
        Some(job)
    }
}
