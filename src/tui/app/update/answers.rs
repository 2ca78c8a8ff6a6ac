//! Answers to orders. What answers no order of ours, or an older one, changes nothing.

use super::{
    Step, Tone,
    lists::{every, kept},
};
use crate::{
    api::{ApiError, ConversationPage},
    core::{SandboxId, SandboxInfo, SandboxStatus},
    tui::app::{EffectId, Outcome, model::Asked},
};

impl Step<'_> {
    pub(super) fn answer(&mut self, id: EffectId, outcome: Outcome) {
        let Some(asked) = self.model.asked.remove(&id) else { return };
        match (asked, outcome) {
            (Asked::Sandboxes, Outcome::Sandboxes(Ok(sandboxes))) => self.take_sandboxes(sandboxes),
            (Asked::Sandboxes, Outcome::Sandboxes(Err(error))) => self.model.sandboxes.fail(error),
            (Asked::Versions, Outcome::Versions(Ok(versions))) => self.model.versions.set(versions, every),
            (Asked::Versions, Outcome::Versions(Err(error))) => self.model.versions.fail(error),
            (Asked::Commands, Outcome::Commands(Ok(commands))) => self.take_commands(commands),
            (Asked::Spent, Outcome::Spent(Ok(spent))) => self.model.spent_today = Some(spent),
            (Asked::Items(sandbox), Outcome::Items(page)) => self.take_page(id, &sandbox, page),
            (Asked::Info(sandbox), Outcome::Items(Ok(page))) => {
                if let Some(chat) = self.model.chats.get_mut(&sandbox)
                    && chat.info.as_ref().map(|info| info.conversation)
                        == page.conversation.as_ref().map(|info| info.conversation)
                {
                    chat.info = page.conversation;
                }
            }
            (Asked::Search(sandbox), Outcome::Found(found)) => self.take_found(id, &sandbox, found),
            (Asked::Submit(request) | Asked::Result(request), Outcome::Command(answer)) => {
                self.take_command(request, answer);
            }
            (Asked::Interrupt(request), Outcome::Command(Err(error))) => self.not_stopped(request, &error),
            (Asked::Preview(sandbox, version), Outcome::Preview(changes)) => {
                self.take_preview(id, &sandbox, version, changes);
            }
            (Asked::Edit(sandbox), Outcome::Edited(Ok(text))) => self.take_edited(sandbox, &text),
            (Asked::Edit(_) | Asked::Page | Asked::Copy, Outcome::Edited(Err(text)) | Outcome::Copied(Err(text)))
            | (Asked::Page, Outcome::Paged(Err(text))) => self.say(Tone::Error, &text, ""),
            (Asked::Transcript(sandbox), Outcome::Transcript(text)) => self.take_transcript(&sandbox, text),
            (Asked::Copy, Outcome::Copied(Ok(done))) => self.say(Tone::Done, &done, ""),
            (Asked::Drafts, Outcome::Drafts(drafts)) => self.take_drafts(drafts),
            (Asked::Highlight(sandbox), Outcome::Highlighted(highlighted)) => {
                if let Some(chat) = self.model.chats.get_mut(&sandbox) {
                    chat.transcript.take_highlighted(highlighted);
                }
            }
            (Asked::History, Outcome::History(mut prompts)) => {
                // What was sent meanwhile is newer.
                let newer = std::mem::take(&mut self.model.history.prompts);
                prompts.extend(newer);
                for prompt in prompts {
                    self.model.history.add(&prompt);
                }
            }
            // Others say nothing that isn't shown elsewhere.
            _ => {}
        }
    }

    /// The first time, the newest one that runs has the cursor.
    fn take_sandboxes(&mut self, sandboxes: Vec<SandboxInfo>) {
        if self.model.sandboxes.cursor.is_none() {
            let running = sandboxes.iter().filter(|sandbox| sandbox.status == SandboxStatus::Running);
            let newest = running.max_by_key(|sandbox| sandbox.created_at);
            self.model.sandboxes.cursor = newest.map(|sandbox| sandbox.sandbox_id.clone());
        }
        self.model.sandboxes.set(sandboxes, kept(self.model.show_ended));
        self.assign();
        self.start_focus();
    }

    fn take_page(&mut self, id: EffectId, sandbox: &SandboxId, page: Result<ConversationPage, ApiError>) {
        let Some(chat) = self.model.chats.get_mut(sandbox) else { return };
        if let Ok(page) = &page
            && chat.transcript.loading == Some(id)
        {
            chat.info.clone_from(&page.conversation);
            if let Some(info) = &page.conversation {
                self.model.conversations.insert(info.conversation, sandbox.clone());
            }
        }
        let conversation = chat.info.as_ref().map(|info| info.conversation);
        chat.transcript.take(id, page);
        if let Some(conversation) = conversation {
            self.hand_over(conversation, sandbox);
        }
    }
}
