//! Drafts outlive the screen: they are kept a moment after they change and at its end, and come back when it opens
//! again.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use super::Step;
use crate::{
    core::SandboxId,
    tui::app::{
        Effect,
        model::{History, Kept, Prompt},
    },
};

/// How much of a draft a kill without warning may cost: a word or two. Less would write for each letter.
pub(super) const PAUSE: Duration = Duration::from_millis(300);

impl Step<'_> {
    /// Drafts of earlier screens go into prompts that are still empty. Beside what was typed meanwhile they are in the
    /// history: nothing is thrown away.
    pub(super) fn take_drafts(&mut self, drafts: Vec<(Option<SandboxId>, String)>) {
        for (sandbox, text) in drafts {
            self.model.kept.insert(sandbox.clone(), Kept { hash: hash(&text), ours: false });
            let prompt = match sandbox {
                Some(id) => &mut self.model.chats.entry(id).or_default().prompt,
                None => &mut self.model.draft,
            };
            if prompt.is_empty() {
                prompt.show(&text);
            } else {
                self.keep_prompt(&text);
            }
        }
    }

    /// Keeps what changed since it was last kept; at the end all that was written here, since another screen may have
    /// sent or cleared its own draft for the same sandbox.
    pub(super) fn keep_drafts(&mut self, at_the_end: bool) {
        self.model.touched = false;
        let history = &self.model.history;
        let chats = self.model.chats.iter().map(|(id, chat)| (Some(id.clone()), chat.prompt.unsent(history)));
        let all: Vec<_> = [(None, self.model.draft.unsent(history))].into_iter().chain(chats).collect();
        for (sandbox, text) in all {
            let (kept, now) = (self.model.kept.get(&sandbox).copied(), (!text.is_empty()).then(|| hash(&text)));
            let ours = kept.is_some_and(|kept| kept.ours);
            if kept.map(|kept| kept.hash) == now && !(at_the_end && ours) {
                continue;
            }
            match now {
                Some(hash) => drop(self.model.kept.insert(sandbox.clone(), Kept { hash, ours: true })),
                None => drop(self.model.kept.remove(&sandbox)),
            }
            self.order(Effect::KeepDraft { sandbox, text });
        }
    }
}

impl Prompt {
    /// What would be missed: the draft, also while older prompts are looked at.
    fn unsent(&self, history: &History) -> String {
        let text = self.expanded();
        match self.recalled.and_then(|place| history.prompts.get(place)) {
            Some(older) if *older == text => self.own.clone().unwrap_or_default(),
            _ if text.trim().is_empty() => String::new(),
            _ => text,
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
