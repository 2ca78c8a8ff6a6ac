//! From events to what a transcript shows.
//!
//! The fold is a function of the lines that are stored: the same lines give the same items, read at once, one by one,
//! or again after a restart. What streams before its line is whole is kept apart ([`open`]) and adds nothing to the
//! items. Every item has a natural key, so that a line or a second source (the session file) seen twice changes
//! nothing.

mod notice;
mod open;
mod tool;

use std::collections::{BTreeMap, HashSet};

pub use open::{Change, OpenBlock, OpenKind};

use super::{
    Ending, cost,
    stream::{
        Event, Line,
        message::{Assistant, Block, Content, User},
        turn::ResultLine,
    },
};
use crate::core::{
    Item, ItemBody, Untrusted, Usage,
    item::{Level, Tool, ToolState},
};

/// Folds the lines of one run of the CLI (one process) into items.
#[derive(Debug, Default)]
pub struct Fold {
    /// Names the run in keys of things that have no id of their own.
    process: String,
    seen: HashSet<String>,
    blocks: BTreeMap<String, u32>,
    tools: BTreeMap<String, Item>,
    open: open::Open,
    session: Option<String>,
    model: Option<Untrusted>,
    context: Option<u64>,
    results: u64,
    total: Usage,
    spent: Usage,
    last_result: Option<ResultLine>,
    stray: String,
    /// Of this turn an item says already that it was interrupted.
    cut: bool,
    /// Calls that gave no result since somebody said no to them: a person, or whoever interrupted the turn.
    rejected: Vec<String>,
}

/// Stray text that is kept for telling why a run broke: its last lines say it, and a flood says nothing more.
const MAX_STRAY: usize = 4096;

impl Fold {
    /// A fold for one process. `total` is the session's stored total, which the CLI's cumulative figures go on from.
    pub fn new(process: impl Into<String>, total: Usage) -> Self {
        Self { process: process.into(), total, ..Self::default() }
    }

    /// Takes one line; the items that it made or changed. A line that was seen before changes nothing.
    pub fn apply(&mut self, line: &Line) -> Vec<Item> {
        if let Event::Stream(stream) = &line.event {
            // Deltas carry ids of their own that would only fill the set.
            self.open.apply(stream, line.parent.as_deref());
            return Vec::new();
        }
        if line.uuid.as_ref().is_some_and(|uuid| !self.seen.insert(uuid.clone())) {
            return Vec::new();
        }
        match &line.event {
            Event::Init(init) => {
                self.session = Some(init.session_id.clone());
                self.model = Some(init.model.clone());
                Vec::new()
            }
            Event::ConversationReset(reset) => {
                self.session = Some(reset.new_conversation_id.clone());
                self.context = Some(0);
                vec![notice::item(line, Level::Info, "a new conversation begins here")]
            }
            Event::CompactBoundary(compact) => {
                self.context = Some(compact.compact_metadata.post_tokens);
                notice::of(line).into_iter().collect()
            }
            Event::Assistant(assistant) => self.assistant(line, assistant),
            Event::User(user) => self.user(line, user),
            Event::Result(result) => self.result(line, result),
            Event::ToolProgress(progress) => self.update(progress.parent_tool_use_id.as_deref(), |tool| {
                tool.elapsed_ms = Some(millis(progress.elapsed_time_seconds * 1000.0));
            }),
            Event::PermissionDenied(denied) => {
                let changed = self.update(denied.tool_use_id.as_deref(), |tool| tool.state = ToolState::Refused);
                if changed.is_empty() { notice::of(line).into_iter().collect() } else { changed }
            }
            Event::Stray(text) => {
                self.stray.push_str(text.raw());
                self.stray.push('\n');
                let mut cut = self.stray.len().saturating_sub(MAX_STRAY);
                while !self.stray.is_char_boundary(cut) {
                    cut += 1;
                }
                self.stray.drain(..cut);
                Vec::new()
            }
            _ => notice::of(line).into_iter().collect(),
        }
    }

    /// The session to resume by, as the last `init` or reset gave it.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The model that answers.
    pub fn model(&self) -> Option<&Untrusted> {
        self.model.as_ref()
    }

    /// Tokens that the conversation takes up in its context, as its last message said; a task of a sub-agent has a context
    /// of its own.
    pub fn context(&self) -> Option<u64> {
        self.context
    }

    /// What this process has cost so far: the sum of its results.
    pub fn spent(&self) -> Usage {
        self.spent
    }

    /// The session's total, to be stored and given to the next process.
    pub fn total(&self) -> Usage {
        self.total
    }

    /// The last result. More may follow until the process ends.
    pub fn last_result(&self) -> Option<&ResultLine> {
        self.last_result.as_ref()
    }

    /// The last text that was no event.
    pub fn stray(&self) -> &str {
        &self.stray
    }

    /// Blocks that are being written now, for one who begins to follow.
    pub fn open(&self) -> Vec<OpenBlock> {
        self.open.blocks()
    }

    /// Whether a block of this key is being written.
    pub fn is_open(&self, item: &str) -> bool {
        self.open.has(item)
    }

    /// What the last lines changed in open blocks, for those who follow.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.open.take_changes()
    }

    /// Nothing more comes of the process: calls that have no result get none. Those that this changed.
    pub fn end(&mut self) -> Vec<Item> {
        let mut changed = Vec::new();
        for item in self.tools.values_mut() {
            if let ItemBody::Tool(tool) = &mut item.body
                && tool.state == ToolState::Running
            {
                tool.state = ToolState::Interrupted;
                changed.push(item.clone());
            }
        }
        changed
    }

    fn assistant(&mut self, line: &Line, assistant: &Assistant) -> Vec<Item> {
        let message = &assistant.message;
        let context = message.usage.context();
        // The CLI's own words come with zeros.
        if line.parent.is_none() && context > 0 {
            self.context = Some(context);
        }
        let blocks = match &message.content {
            Content::Text(text) => &[Block::Text { text: text.clone() }][..],
            Content::Blocks(blocks) => blocks,
        };
        let mut items = Vec::new();
        for block in blocks {
            let index = self.blocks.entry(message.id.clone()).or_default();
            let key = format!("{}/{index}", message.id);
            self.open.close(&message.id, *index);
            *index += 1;
            let body = match block {
                // Told by the result, which has the status too; a task's own has no result here.
                Block::Text { .. } if assistant.is_api_error_message && line.parent.is_none() => continue,
                Block::Text { text } if assistant.is_api_error_message => {
                    ItemBody::Notice { level: Level::Error, text: text.clone() }
                }
                Block::Text { text } => {
                    self.cut |= assistant.aborted;
                    ItemBody::Text { text: text.clone(), aborted: assistant.aborted }
                }
                Block::Thinking { thinking } => {
                    ItemBody::Thinking { text: thinking.clone(), duration_ms: assistant.thinking_duration_ms }
                }
                Block::ToolUse { id, name, input } => {
                    let tool = Tool { name: name.clone(), input: input.clone(), ..Tool::default() };
                    let card = item(id.clone(), line, assistant.timestamp.as_deref(), ItemBody::Tool(tool));
                    self.tools.insert(id.clone(), card.clone());
                    items.push(card);
                    continue;
                }
                Block::ToolResult { .. } | Block::Other => continue,
            };
            items.push(item(key, line, assistant.timestamp.as_deref(), body));
        }
        items
    }

    fn user(&mut self, line: &Line, user: &User) -> Vec<Item> {
        let mut items = Vec::new();
        if let Content::Blocks(blocks) = &user.message.content {
            for block in blocks {
                let Block::ToolResult { tool_use_id, content, is_error } = block else { continue };
                let called = self.tools.get(tool_use_id).and_then(|call| call.timestamp.as_deref());
                let took = called.zip(user.timestamp.as_deref()).and_then(|(from, to)| tool::took(from, to));
                if user.rejected(tool_use_id) {
                    self.rejected.push(tool_use_id.clone());
                }
                items.extend(self.update(Some(tool_use_id), |tool| {
                    tool::finish(tool, &content.text(), *is_error, &user.tool_use_result);
                    // The CLI's own count comes each few seconds, and never for what is quick.
                    tool.elapsed_ms = took.or(tool.elapsed_ms);
                }));
            }
        }
        let text = user.message.content.text();
        // What the CLI says in the user's place is told by other events (a compaction, a continuation); an echo of
        // our own prompt is an item already.
        if user.is_synthetic || user.is_replay || text.raw().is_empty() {
            return items;
        }
        if interrupts(&text) {
            items.extend(self.interrupt());
        }
        let body = match interrupts(&text) {
            true if self.cut => return items,
            true => ItemBody::Notice { level: Level::Warning, text: "interrupted".into() },
            false => ItemBody::Notice { level: Level::Info, text },
        };
        let key = line.uuid.clone().unwrap_or_else(|| format!("{}/user/{}", self.process, self.seen.len()));
        items.push(item(key, line, user.timestamp.as_deref(), body));
        items
    }

    /// The turn was interrupted: calls that ran were stopped by that. The CLI gives them a result that tells the model
    /// about a refusal, which is nothing that they gave back.
    fn interrupt(&mut self) -> Vec<Item> {
        let stopped = std::mem::take(&mut self.rejected);
        self.cut |= !stopped.is_empty();
        let stop = |tool: &mut Tool| {
            tool.state = ToolState::Interrupted;
            tool.output = Untrusted::default();
        };
        stopped.iter().flat_map(|id| self.update(Some(id), stop)).collect()
    }

    fn result(&mut self, line: &Line, result: &ResultLine) -> Vec<Item> {
        let total = cost::sum(&result.model_usage);
        let used = match &result.model_usage_since_last_result {
            Some(models) => cost::sum(models),
            None => total.since(self.total),
        };
        if !result.model_usage.is_empty() {
            self.total = total;
        }
        self.spent = self.spent + used;
        let key = format!("{}/result/{}", self.process, result.result_index.unwrap_or(self.results));
        self.results += 1;
        self.last_result = Some(result.clone());
        self.open.clear();
        self.cut = false;
        self.rejected.clear();
        let mut items = Vec::new();
        let ending = Ending::of(None, Some(result), "");
        if let Ending::ApiError { .. } = ending {
            let body = ItemBody::Notice { level: Level::Error, text: ending.sentence().into() };
            items.push(item(format!("{key}/error"), line, None, body));
        }
        let body = ItemBody::Result {
            usage: used,
            duration_ms: result.duration_ms,
            rounds: result.num_turns,
            // Who stopped it knows; to the CLI that is an error.
            is_error: result.is_error && ending != Ending::Interrupted,
            denied: result.permission_denials.iter().map(|d| d.tool_name.clone()).collect(),
        };
        items.push(item(key, line, None, body));
        items
    }

    fn update(&mut self, id: Option<&str>, change: impl FnOnce(&mut Tool)) -> Vec<Item> {
        let Some(item) = id.and_then(|id| self.tools.get_mut(id)) else { return Vec::new() };
        if let ItemBody::Tool(tool) = &mut item.body {
            change(tool);
        }
        vec![item.clone()]
    }
}

/// An item that a line made.
fn item(key: String, line: &Line, timestamp: Option<&str>, body: ItemBody) -> Item {
    Item { key, parent: line.parent.clone(), timestamp: timestamp.map(str::to_owned), body }
}

/// What the CLI says in the user's place when it was interrupted: while it answered, or while a tool ran.
fn interrupts(text: &Untrusted) -> bool {
    matches!(text.raw(), "[Request interrupted by user]" | "[Request interrupted by user for tool use]")
}

/// Milliseconds that a hostile line can't make absurd: at most a year.
fn millis(ms: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a year")]
    if ms.is_finite() { ms.clamp(0.0, 3.2e10) as u64 } else { 0 }
}

#[cfg(test)]
mod tests;
