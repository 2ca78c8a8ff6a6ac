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
                if let Some(sandbox) = self.owner(conversation)
                    && let Some(chat) = self.model.chats.get_mut(&sandbox)
                {
                    chat.transcript.take_delta(OpenBlock { conversation, item, block, text }, from);
                }
            }
            Live::Keyframe { open, .. } => self.keyframe(open),
            Live::Dropped { conversation, items } => {
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
        if let Some(sandbox) = self.owner(conversation)
            && let Some(chat) = self.model.chats.get_mut(&sandbox)
        {
            chat.transcript.take_items(items);
        }
    }

    /// Blocks of conversations that aren't in it are no longer open.
    fn keyframe(&mut self, open: Vec<OpenBlock>) {
        let mut by_owner: BTreeMap<SandboxId, Vec<OpenBlock>> = BTreeMap::new();
        for block in open {
            if let Some(sandbox) = self.owner(block.conversation) {
                by_owner.entry(sandbox).or_default().push(block);
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
