//! Blocks while they are being written. Live only: nothing here is ever stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    agent::stream::{
        message::Block,
        partial::{Delta, Raw, Stream},
    },
    core::Untrusted,
};

/// More text than this in one open block is not shown before the block is whole.
const MAX_OPEN: usize = 2 << 20;

/// Blocks that are open at once: the API writes one after the other, so this is a program that invents them.
const MAX_BLOCKS: usize = 256;

/// What is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenKind {
    /// Prose.
    Text,
    /// Thinking.
    Thinking,
    /// A tool's input, as JSON text.
    Input,
}

/// One block as far as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBlock {
    /// The key that its item will have; for a tool's input, the call's.
    pub item: String,
    /// What it is.
    pub kind: OpenKind,
    /// The tool, for an input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Untrusted>,
    /// The text so far.
    pub text: Untrusted,
}

/// What happened to open blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A block begins.
    Begun(OpenBlock),
    /// A block grew.
    Grown {
        /// Its key.
        item: String,
        /// Where the new text begins, in bytes of the block's text.
        from: usize,
        /// The new text.
        text: Untrusted,
    },
    /// A block goes without ever becoming an item.
    Dropped {
        /// Its key.
        item: String,
    },
}

#[derive(Debug, Default)]
pub(super) struct Open {
    blocks: BTreeMap<(String, u32), OpenBlock>,
    changes: Vec<Change>,
}

impl Open {
    pub(super) fn apply(&mut self, stream: &Stream, parent: Option<&str>) {
        // Sub-agents stream nothing (measured); if one ever does, its blocks would mix with the main answer's.
        if parent.is_some() {
            return;
        }
        if stream.event == Raw::MessageStart {
            // After half an answer the CLI tries again: blocks of the first try that have no line yet will get none.
            let gone = std::mem::take(&mut self.blocks).into_values();
            self.changes.extend(gone.map(|block| Change::Dropped { item: block.item }));
        }
        let Some(message) = &stream.api_message_id else { return };
        match &stream.event {
            Raw::ContentBlockStart { index, content_block } => self.begin(message, *index, content_block),
            Raw::ContentBlockDelta { index, delta } => {
                let text = match delta {
                    Delta::TextDelta { text } => text,
                    Delta::ThinkingDelta { thinking } => thinking,
                    Delta::InputJsonDelta { partial_json } => partial_json,
                    Delta::Other => return,
                };
                self.grow(message, *index, text);
            }
            // A block that is whole goes with its line, which comes before its end or soon after.
            _ => {}
        }
    }

    fn begin(&mut self, message: &str, index: u32, block: &Block) {
        let item = format!("{message}/{index}");
        let (item, kind, tool, text) = match block {
            Block::Text { text } => (item, OpenKind::Text, None, text.clone()),
            Block::Thinking { thinking } => (item, OpenKind::Thinking, None, thinking.clone()),
            Block::ToolUse { id, name, .. } => (id.clone(), OpenKind::Input, Some(name.clone()), Untrusted::default()),
            Block::ToolResult { .. } | Block::Other => return,
        };
        if self.blocks.len() >= MAX_BLOCKS || text.raw().len() > MAX_OPEN {
            return;
        }
        let block = OpenBlock { item, kind, tool, text };
        self.changes.push(Change::Begun(block.clone()));
        self.blocks.insert((message.to_owned(), index), block);
    }

    fn grow(&mut self, message: &str, index: u32, text: &str) {
        let Some(block) = self.blocks.get_mut(&(message.to_owned(), index)) else { return };
        let from = block.text.raw().len();
        if text.is_empty() || from + text.len() > MAX_OPEN {
            return;
        }
        block.text.push_str(text);
        self.changes.push(Change::Grown { item: block.item.clone(), from, text: text.into() });
    }

    /// The block's line came: what was open is an item now.
    pub(super) fn close(&mut self, message: &str, index: u32) {
        self.blocks.remove(&(message.to_owned(), index));
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
    }

    pub(super) fn blocks(&self) -> Vec<OpenBlock> {
        self.blocks.values().cloned().collect()
    }

    pub(super) fn has(&self, item: &str) -> bool {
        self.blocks.values().any(|block| block.item == item)
    }

    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}
