//! What `doctor` asks about this machine.

use super::Settings;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// It is fine.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do if it isn't; empty if it is.
    pub remedy: String,
}

/// Can this machine run sandboxes? Nothing is started or made.
pub async fn checks(_settings: &Settings) -> Vec<Check> {
    Vec::new()
}
