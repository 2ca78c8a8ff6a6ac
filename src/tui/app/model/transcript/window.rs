//! What comes from the server: parts of the conversation, items as they are made, text as it is written.

use std::collections::BTreeMap;

use super::{Entry, Live, MAX_BYTES, MAX_ITEMS, NEAR, Opening, Place, Transcript};
use crate::{
    api::{ApiError, ConversationPage, OUTPUT, OpenBlock, PlacedItem, Window},
    core::{ItemBody, item::ToolState},
    tui::{app::effect::EffectId, text::Growing},
};

impl Transcript {
    /// Everything may have changed unseen: after a lost connection, or when the person asks for it.
    pub fn refresh(&mut self) {
        self.stale = true;
        self.error = None;
    }

    /// A part is being asked for by this order.
    pub fn asking(&mut self, id: EffectId, window: Window) {
        self.loading = Some(id);
        self.asked = Some(window);
        self.fresh.clear();
    }

    /// A part came, or can't be had; what answers another order is too old and changes nothing.
    pub fn take(&mut self, id: EffectId, page: Result<ConversationPage, ApiError>) {
        if self.loading != Some(id) {
            return;
        }
        self.loading = None;
        let Some(window) = self.asked.take() else { return };
        match page {
            Ok(page) => {
                self.error = None;
                self.keeping_top(|transcript| transcript.take_page(window, page));
                self.arrive();
                let fresh = std::mem::take(&mut self.fresh);
                self.place_items(fresh, false);
                self.evict();
            }
            Err(error) => {
                self.error = Some(error);
                self.jump = None;
            }
        }
    }

    /// Items that a commit made or changed.
    pub fn take_items(&mut self, items: Vec<PlacedItem>) {
        if self.loading.is_some() {
            self.fresh.extend(items.iter().cloned());
            // The oldest of them the part that comes has for certain.
            self.fresh.drain(..self.fresh.len().saturating_sub(MAX_ITEMS));
        }
        if self.loaded {
            self.place_items(items, true);
            self.evict();
        }
    }

    /// More of a block that is being written.
    pub fn take_delta(&mut self, mut block: OpenBlock, from: u64) {
        let text = std::mem::take(&mut block.text);
        if self.grow_entry(&block, text.raw(), from) {
            return;
        }
        let place = self.open.iter().position(|open| open.block.item == block.item);
        match place {
            Some(place) => {
                let open = &mut self.open[place];
                let has = open.growing.len() as u64;
                if has == from {
                    open.growing.push(text.raw());
                } else if from > has {
                    // Something was missed: half a sentence says less than the whole one soon.
                    self.keeping_top(|transcript| drop(transcript.open.remove(place)));
                }
            }
            None if from == 0 => self.begin(block, text.raw()),
            None => {}
        }
    }

    /// All blocks that are being written, as they are.
    pub fn take_keyframe(&mut self, open: Vec<OpenBlock>) {
        self.keeping_top(|transcript| {
            transcript.open.clear();
            for mut block in open {
                let text = std::mem::take(&mut block.text);
                if !transcript.grow_entry(&block, text.raw(), 0) {
                    transcript.begin(block, text.raw());
                }
            }
        });
    }

    /// Blocks that end and never become items.
    pub fn drop_open(&mut self, keys: &[String]) {
        self.keeping_top(|transcript| transcript.open.retain(|open| !keys.contains(&open.block.item)));
    }

    fn begin(&mut self, block: OpenBlock, text: &str) {
        let mut growing = Growing::new(&block.block);
        growing.push(text);
        self.open.push(Opening { block, growing });
    }

    /// Of a block whose item is there, only output is more than the item has. Whether it is there.
    fn grow_entry(&mut self, block: &OpenBlock, text: &str, from: u64) -> bool {
        let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.item.item.key == block.item) else {
            return false;
        };
        if block.block == OUTPUT {
            let before = entry.bytes;
            entry.grow(text, from);
            self.bytes = self.bytes.saturating_sub(before) + entry.bytes;
        }
        true
    }

    /// Open blocks whose items have come: what they have and the items don't goes into those.
    fn close_open(&mut self) {
        for opening in std::mem::take(&mut self.open) {
            if !self.grow_entry(&opening.block, opening.growing.text(), 0) {
                self.open.push(opening);
            }
        }
    }

    fn take_page(&mut self, window: Window, page: ConversationPage) {
        match window {
            Window::Last | Window::Around(_) => {
                let mut old: BTreeMap<u64, Entry> =
                    self.entries.drain(..).map(|entry| (entry.item.position, entry)).collect();
                self.entries = page.items.into_iter().map(|item| renewed(old.remove(&item.position), item)).collect();
                (self.more_before, self.more_after) = (page.more_before, page.more_after);
                (self.loaded, self.stale) = (true, false);
            }
            Window::Before(_) => {
                let first = self.entries.front().map_or(u64::MAX, |entry| entry.item.position);
                let new = page.items.into_iter().filter(|item| item.position < first).rev();
                new.for_each(|item| self.entries.push_front(renewed(None, item)));
                self.more_before = page.more_before;
            }
            Window::After(_) => {
                let last = self.entries.back().map(|entry| entry.item.position);
                let new = page.items.into_iter().filter(|item| Some(item.position) > last);
                self.entries.extend(new.map(|item| renewed(None, item)));
                self.more_after = page.more_after;
            }
        }
        self.entries.make_contiguous().sort_by_key(|entry| entry.item.position);
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
        self.close_open();
    }

    fn place_items(&mut self, items: impl IntoIterator<Item = PlacedItem>, count: bool) {
        self.keeping_top(|transcript| {
            for item in items {
                transcript.place_item(item, count);
            }
        });
    }

    fn place_item(&mut self, item: PlacedItem, count: bool) {
        let position = item.position;
        let key = item.item.key.clone();
        self.put(item, position, count);
        self.close_open();
        // One that lies outside the window is no open block either.
        self.open.retain(|open| open.block.item != key);
    }

    fn put(&mut self, item: PlacedItem, position: u64, count: bool) {
        let place = self.entries.partition_point(|entry| entry.item.position < position);
        if self.entries.get(place).is_some_and(|entry| entry.item.position == position) {
            let old = self.entries.remove(place);
            let before = old.as_ref().map_or(0, |old| old.bytes);
            let new = renewed(old, item);
            self.bytes = self.bytes.saturating_sub(before) + new.bytes;
            self.entries.insert(place, new);
            return;
        }
        let (before, after) = (place == 0, place == self.entries.len());
        if count && after && !self.follow {
            self.unseen += 1;
        }
        // What lies beyond the window comes with its part.
        if (before && self.more_before) || (after && self.more_after) {
            return;
        }
        let entry = Entry::new(item);
        self.bytes += entry.bytes;
        self.entries.insert(place, entry);
    }

    /// Takes items from the end that is farther from the viewport until the window is within its limits; what is near
    /// the viewport stays, however big.
    fn evict(&mut self) {
        self.keeping_top(|transcript| {
            let mut top = transcript.top.entry;
            while transcript.entries.len() > MAX_ITEMS || transcript.bytes > MAX_BYTES {
                let before = top.saturating_sub(NEAR);
                let after = transcript.entries.len().saturating_sub(top + usize::from(transcript.pane.rows) + NEAR);
                let gone = if before == 0 && after == 0 {
                    break;
                } else if before >= after {
                    top -= 1;
                    transcript.more_before = true;
                    transcript.entries.pop_front()
                } else {
                    transcript.more_after = true;
                    transcript.follow = false;
                    transcript.entries.pop_back()
                };
                transcript.bytes = transcript.bytes.saturating_sub(gone.map_or(0, |entry| entry.bytes));
            }
        });
    }

    /// Goes to what was asked for by its position.
    fn arrive(&mut self) {
        if let Some(position) = self.jump.take() {
            self.show_position(position);
            // It came with all that is around the position; what isn't there now never will be.
            self.jump = None;
        }
    }

    /// Changes the window; the top stays on its item.
    fn keeping_top(&mut self, change: impl FnOnce(&mut Self)) {
        let key = self.key(self.top.entry).map(str::to_owned);
        change(self);
        let last = self.len().saturating_sub(1);
        let same = |place: &usize| key.is_some() && self.key(*place) == key.as_deref();
        let near = self.top.entry.min(last);
        self.top = if same(&near) {
            Place { entry: near, row: self.top.row }
        } else if let Some(entry) = (0..self.len()).find(same) {
            Place { entry, row: self.top.row }
        } else {
            Place { entry: near, row: 0 }
        };
    }
}

/// An entry as the server has it now; what was done to it by hand stays.
fn renewed(old: Option<Entry>, item: PlacedItem) -> Entry {
    match old {
        Some(old) if old.item == item => old,
        Some(old) => {
            let mut new = Entry { unfolded: old.unfolded, ..Entry::new(item) };
            // What is stored is what was: behind it stands what came since.
            if let Some((stored, live)) = old.output()
                && new.output().is_some_and(|(now, _)| now == stored)
            {
                new.grow(live, 0);
            }
            new
        }
        None => Entry::new(item),
    }
}

impl Entry {
    /// Not laid out yet.
    pub fn new(item: PlacedItem) -> Self {
        let bytes = weight(&item.item.body);
        Self { item, unfolded: None, laid: None, bytes, live: None }
    }

    /// More output of a command that runs. `from` is where it begins in what isn't stored; from 0 on that begins again.
    /// What doesn't follow on what is there was missed in part: the next beginning has it.
    fn grow(&mut self, text: &str, from: u64) {
        let ItemBody::Tool(tool) = &mut self.item.item.body else { return };
        if tool.state != ToolState::Running {
            return;
        }
        let live = self.live.get_or_insert(Live { stored: tool.output.raw().len(), len: 0 });
        if from == 0 && live.len > 0 {
            tool.output = tool.output.raw()[..live.stored].into();
            live.len = 0;
        }
        if from == live.len as u64 {
            tool.output.push_str(text);
            live.len += text.len();
            self.laid = None;
            self.bytes = weight(&self.item.item.body);
        }
    }

    /// Of a command that runs the output that is stored, and what has come since.
    fn output(&self) -> Option<(&str, &str)> {
        let ItemBody::Tool(tool) = &self.item.item.body else { return None };
        let output = tool.output.raw();
        let stored = self.live.map_or(output.len(), |live| live.stored);
        (tool.state == ToolState::Running).then(|| output.split_at(stored))
    }
}

/// About what an item's texts take.
fn weight(body: &ItemBody) -> usize {
    match body {
        ItemBody::Prompt { text }
        | ItemBody::Text { text, .. }
        | ItemBody::Thinking { text, .. }
        | ItemBody::Notice { text, .. } => text.raw().len(),
        ItemBody::Tool(tool) => {
            let diff: usize = tool.diff.iter().map(|line| line.text.raw().len()).sum();
            let input: usize = tool
                .input
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
                .sum();
            tool.output.raw().len() + input + diff
        }
        ItemBody::Result { .. } => 0,
    }
}
