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
}
