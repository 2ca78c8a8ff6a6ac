//! A transcript as a person moves in it while a conversation goes on.

mod always;
mod asking;
mod growing;
mod long;
mod moving;
mod searching;

use serde_json::json;

use super::*;
use crate::{
    api::ConversationPage,
    core::{
        ConversationId, Item, ItemBody,
        item::{Tool, ToolState},
    },
};

/// Items of a part, as the server gives them.
const PART: usize = 60;

/// A conversation and one who looks at it.
struct World {
    conversation: ConversationId,
    items: Vec<PlacedItem>,
    transcript: Transcript,
    pane: Pane,
    effects: u64,
}

impl World {
    fn new(items: usize, columns: u16, rows: u16) -> Self {
        let pane = Pane { columns, rows, ..Pane::default() };
        let conversation = ConversationId::new();
        let mut world = Self { conversation, items: Vec::new(), transcript: Transcript::default(), pane, effects: 0 };
        for n in 0..items {
            world.make(n);
        }
        world
    }

    /// The next item, of a height and kind that depend on its number.
    fn make(&mut self, n: usize) -> PlacedItem {
        let text = format!("item {n} {}", "words that wrap ".repeat(n % 7));
        let body = match n % 5 {
            0 => ItemBody::Prompt { text: text.into() },
            1 => ItemBody::Tool(Tool {
                name: "Bash".into(),
                input: json!({"command": text}),
                output: "out\n".repeat(n % 40).into(),
                state: if n.is_multiple_of(2) { ToolState::Failed } else { ToolState::Running },
                ..Tool::default()
            }),
            2 => ItemBody::Text { text: format!("{text}\n\n```rust\nfn f{n}() {{}}\n```").into(), aborted: false },
            _ => ItemBody::Text { text: text.into(), aborted: false },
        };
        let item = Item { key: format!("k{n}"), parent: None, timestamp: None, body };
        let conversation = self.conversation;
        let placed = PlacedItem { conversation, position: n as u64 + 1, at: Timestamp::UNIX_EPOCH, item };
        self.items.push(placed.clone());
        placed
    }

    /// An item of one's own after all others.
    fn add(&mut self, body: ItemBody) {
        let n = self.items.len();
        self.make(n);
        self.items[n].item.body = body;
    }

    fn page(&self, window: Window) -> ConversationPage {
        let at = |position: u64| self.items.partition_point(|item| item.position < position);
        let len = self.items.len();
        let range = match window {
            Window::Last => len.saturating_sub(PART)..len,
            Window::Before(position) => at(position).saturating_sub(PART)..at(position),
            Window::After(position) => at(position + 1)..(at(position + 1) + PART).min(len),
            Window::Around(position) => at(position).saturating_sub(PART / 2)..(at(position) + PART / 2).min(len),
        };
        ConversationPage {
            conversation: None,
            items: self.items[range.clone()].to_vec(),
            more_before: range.start > 0,
            more_after: range.end < len,
        }
    }

    fn settle(&mut self) -> Option<(EffectId, Window)> {
        let wants = self.transcript.settle(self.pane.clone());
        let window = wants.part?;
        self.effects += 1;
        self.transcript.asking(EffectId(self.effects), window);
        Some((EffectId(self.effects), window))
    }

    /// Answers until nothing is asked for.
    fn calm(&mut self) {
        for _ in 0..40 {
            let Some((id, window)) = self.settle() else { return };
            let page = self.page(window);
            self.transcript.take(id, Ok(page));
        }
        panic!("it asks for ever");
    }

    fn open(&self, text: &str) -> OpenBlock {
        let conversation = self.conversation;
        OpenBlock { conversation, item: "open".into(), block: "text".into(), text: text.into() }
    }

    fn first_row(&self) -> String {
        self.transcript.visible().next().map(|row| row.line.text()).unwrap_or_default()
    }

    fn rows(&self) -> Vec<String> {
        self.transcript.visible().map(|row| row.line.text()).collect()
    }
}
