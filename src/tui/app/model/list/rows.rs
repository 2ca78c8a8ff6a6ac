//! Sandboxes and versions as rows: what a filter finds, in which orders they stand.

use std::cmp::{Ordering, Reverse};

use super::{Row, Sort};
use crate::core::{SandboxId, SandboxInfo, SandboxStatus, Version, VersionId, text::sanitize_line};

/// What an order compares.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey {
    Name(String),
    Place(u8),
    Most(Reverse<u64>),
}

impl Row for SandboxInfo {
    type Id = SandboxId;

    const SORTS: &'static [Sort<Self>] = &[
        Sort { by: "name", key: |sandbox| SortKey::Name(sandbox.name.to_lowercase()) },
        Sort {
            by: "state",
            key: |sandbox| {
                SortKey::Place(match sandbox.status {
                    SandboxStatus::Running => 0,
                    SandboxStatus::Pending => 1,
                    SandboxStatus::Error => 2,
                    SandboxStatus::Terminated => 3,
                })
            },
        },
    ];

    // A new one is selected by whoever made it.
    const FOLLOWS: bool = false;

    fn id(&self) -> SandboxId {
        self.sandbox_id.clone()
    }

    fn text(&self, wide: bool) -> String {
        let name = sanitize_line(&self.name);
        if wide { format!("{name} {}", sanitize_line(&self.image)) } else { name.as_str().to_owned() }
    }

    fn handles(&self) -> Vec<String> {
        vec![self.sandbox_id.as_str().to_owned()]
    }

    // What can be done to several is for what runs.
    fn can_be_marked(&self) -> bool {
        self.status == SandboxStatus::Running
    }

    fn order(&self, other: &Self) -> Ordering {
        other.created_at.cmp(&self.created_at).then_with(|| self.sandbox_id.cmp(&other.sandbox_id))
    }
}

impl Row for Version {
    type Id = VersionId;

    const SORTS: &'static [Sort<Self>] = &[
        Sort { by: "size", key: |version| SortKey::Most(Reverse(version.bytes)) },
        Sort { by: "files", key: |version| SortKey::Most(Reverse(version.files)) },
    ];

    // What was saved just now is what is restored next.
    const FOLLOWS: bool = true;

    fn id(&self) -> VersionId {
        self.version
    }

    fn text(&self, _wide: bool) -> String {
        sanitize_line(&self.note).as_str().to_owned()
    }

    fn handles(&self) -> Vec<String> {
        vec![self.version.to_string(), self.created_at.to_string()]
    }

    fn can_be_marked(&self) -> bool {
        true
    }

    fn order(&self, other: &Self) -> Ordering {
        other.version.cmp(&self.version)
    }
}
