//! What a command gave.

use serde_json::Value;

use crate::{
    api::{ApiError, EventBody},
    store::SandboxRow,
};

/// What a command gave: its document, and what else happened by it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub result: Value,
    pub events: Vec<EventBody>,
    /// A row that changes with the command's end: both or none are stored, by one flush of the disk.
    pub sandbox: Option<SandboxRow>,
}

impl Outcome {
    /// A document, and nothing else.
    pub fn of<T: serde::Serialize>(document: &T) -> Result<Self, ApiError> {
        let result = serde_json::to_value(document).map_err(|e| ApiError::failed(format!("its result: {e}")))?;
        Ok(Self { result, events: Vec::new(), sandbox: None })
    }

    /// A row that changes too.
    pub fn with_row(mut self, row: SandboxRow) -> Self {
        self.sandbox = Some(row);
        self
    }

    /// Events that it brought.
    pub fn with(mut self, events: Vec<EventBody>) -> Self {
        self.events.extend(events);
        self
    }
}
