//! Keys that ask to be pressed again.

use std::time::Duration;

use jiff::Timestamp;

use crate::core::RequestId;

/// A key that only counts when it is pressed twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Armed {
    /// What the second press does.
    pub what: ArmedFor,
    /// Until when it counts.
    pub until: Timestamp,
}

/// What a second press does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArmedFor {
    /// Stop this turn or shell command.
    Interrupt {
        /// Its command.
        request: RequestId,
    },
    /// End the program.
    Quit,
}

/// How long "again" counts: long enough to read it, too short to be forgotten.
pub const ARMED: Duration = Duration::from_secs(2);
