//! Commands that are being done: ours, and those of other clients of the account.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::super::effect::EffectId;
use crate::{
    api::ApiError,
    core::{Clean, RequestId, VersionId},
};

/// Lines of a build's log that are kept: some screens of it; the server has all.
pub const MAX_LOG: usize = 2_000;

/// Bytes of it: those lines, as long as they mostly are. All of them are laid out when a dialog shows the log.
const MAX_LOG_BYTES: usize = 128 * MAX_LOG;

/// Running commands by id.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    /// All of them. Ended ones stay for as long as something shows them.
    pub all: BTreeMap<RequestId, Task>,
    /// How many there have been.
    pub heard_of: u64,
}

/// One command.
#[derive(Debug, Clone)]
pub struct Task {
    /// The kind's name, as the server has it: `sandbox_create`, `version_save`, ….
    pub kind: String,
    /// What it works on, as the one who asked named it.
    pub sandbox: Option<String>,
    /// Asked for by this screen: its failure is told here.
    pub ours: bool,
    /// When it began, by the clock of whoever told.
    pub since: Timestamp,
    /// In which order this screen heard of them.
    pub number: u64,
    /// What it does now.
    pub step: Clean,
    /// How much of it is done, and of how much.
    pub progress: Option<(u64, Option<u64>)>,
    /// What it said so far, oldest first.
    pub log: VecDeque<Clean>,
    /// Bytes of the log.
    pub bytes: usize,
    /// Its result is being asked for.
    pub asked: Option<EffectId>,
    /// How it ended; nothing while it runs.
    pub end: Option<Result<(), ApiError>>,
    /// What was typed for it, given back when it fails.
    pub typed: Option<String>,
    /// What it restores: shown again when it no longer holds what was seen of it.
    pub restores: Option<VersionId>,
}

impl Task {
    /// What it does is seen in the transcript.
    pub fn converses(&self) -> bool {
        matches!(self.kind.as_str(), "chat" | "shell")
    }

    /// What it does now, once more in the log if it is new. The oldest lines go when there are too many.
    pub fn say(&mut self, step: Clean) {
        if self.log.back() != Some(&step) {
            self.log.push_back(step.clone());
            self.bytes += step.as_str().len();
            while self.log.len() > MAX_LOG || (self.bytes > MAX_LOG_BYTES && self.log.len() > 1) {
                let oldest = self.log.pop_front();
                self.bytes -= oldest.map_or(0, |line| line.as_str().len());
            }
        }
        self.step = step;
    }
}
