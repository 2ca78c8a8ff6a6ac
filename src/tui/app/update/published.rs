//! What the server's event stream brings.

use std::collections::BTreeMap;

use super::{
    Step,
    lists::{every, kept},
};
use crate::{
    api::{EventBody, Live, OpenBlock, PlacedItem, Published},
    core::{ConversationId, SandboxId, SandboxInfo, Version},
};

/// Blocks that are kept for conversations which aren't known yet; Claude writes one at a time.
const MAX_UNOWNED: usize = 64;

impl Step<'_> {
    pub(super) fn published(&mut self, published: Published) {
        match published {
            Published::Event(event) => match event.body {
                EventBody::Sandbox { sandbox } => self.upsert(sandbox),
                EventBody::Version { version } => self.insert(version),
                EventBody::Command { request_id, command, state, sandbox } => {
                    self.command_went_on(request_id, command, state, sandbox, event.at);
                }
                // Items come beside them, folded.
                EventBody::Line { .. } => {}
            },
            Published::Live(live) => self.live(live),
        }
    }

    fn live(&mut self, live: Live) {
        match live {
            Live::Progress(progress) => self.progress(&progress),
            Live::Items { items } => self.take_items(items),
            Live::Delta { conversation, item, block, from, text } => {
                let sandbox = self.owner(conversation);
                let delta = OpenBlock { conversation, item, block, text };
                match sandbox.and_then(|sandbox| self.model.chats.get_mut(&sandbox)) {
                    Some(chat) => chat.transcript.take_delta(delta, from),
                    None => self.keep_unowned(delta, from),
                }
            }
            Live::Keyframe { open, .. } => self.keyframe(open),
            Live::Dropped { conversation, items } => {
                self.model.unowned.retain(|block| !items.contains(&block.item));
                if let Some(sandbox) = self.owner(conversation)
                    && let Some(chat) = self.model.chats.get_mut(&sandbox)
                {
                    chat.transcript.drop_open(&items);
                }
            }
            // An open block ends with its item.
            Live::Committed { .. } => {}
        }
    }

    pub(super) fn upsert(&mut self, sandbox: SandboxInfo) {
        self.model.sandboxes.put(sandbox, kept(self.model.show_ended));
    }

    pub(super) fn insert(&mut self, version: Version) {
        self.model.versions.put(version, every);
    }

    fn take_items(&mut self, items: Vec<PlacedItem>) {
        let Some(conversation) = items.first().map(|item| item.conversation) else { return };
        self.model.unowned.retain(|block| !items.iter().any(|placed| placed.item.key == block.item));
        if let Some(sandbox) = self.owner(conversation)
            && let Some(chat) = self.model.chats.get_mut(&sandbox)
        {
            chat.transcript.take_items(items);
        }
    }

    /// More of a block that nobody owns yet.
    fn keep_unowned(&mut self, delta: OpenBlock, from: u64) {
        let unowned = &mut self.model.unowned;
        let room = unowned.len() < MAX_UNOWNED;
        match unowned.iter_mut().find(|block| block.item == delta.item) {
            Some(block) if block.text.raw().len() as u64 == from => block.text.push_str(delta.text.raw()),
            Some(block) if from == 0 => *block = delta,
            None if from == 0 && room => unowned.push(delta),
            // Something was missed: the block comes whole, with its item.
            _ => {}
        }
    }

    /// Gives a conversation that has just become known what was written of it meanwhile.
    pub(super) fn hand_over(&mut self, conversation: ConversationId, sandbox: &SandboxId) {
        let (own, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.model.unowned).into_iter().partition(|block| block.conversation == conversation);
        self.model.unowned = others;
        if !own.is_empty()
            && let Some(chat) = self.model.chats.get_mut(sandbox)
        {
            chat.transcript.take_keyframe(own);
        }
    }

    /// Blocks of conversations that aren't in it are no longer open.
    fn keyframe(&mut self, open: Vec<OpenBlock>) {
        let mut by_owner: BTreeMap<SandboxId, Vec<OpenBlock>> = BTreeMap::new();
        self.model.unowned.clear();
        for block in open {
            match self.owner(block.conversation) {
                Some(sandbox) => by_owner.entry(sandbox).or_default().push(block),
                // A screen that was just opened knows nobody's conversation.
                None if self.model.unowned.len() < MAX_UNOWNED => self.model.unowned.push(block),
                None => {}
            }
        }
        for (sandbox, chat) in &mut self.model.chats {
            chat.transcript.take_keyframe(by_owner.remove(sandbox).unwrap_or_default());
        }
    }

    /// Whose conversation it is. One that isn't known yet is of the sandbox in which something is being said; it is
    /// asked for, with all that it says of itself.
    fn owner(&mut self, conversation: ConversationId) -> Option<SandboxId> {
        if let Some(sandbox) = self.model.conversations.get(&conversation) {
            return Some(sandbox.clone());
        }
        let busy: Vec<SandboxId> = self.conversing().into_iter().collect();
        for sandbox in &busy {
            if let Some(chat) = self.model.chats.get_mut(sandbox) {
                chat.transcript.refresh();
            }
        }
        // Which of two it is, only their own pages can say.
        let [sandbox] = &busy[..] else { return None };
        if !self.model.chats.contains_key(sandbox) {
            return None;
        }
        self.model.conversations.insert(conversation, sandbox.clone());
        Some(sandbox.clone())
    }
}
