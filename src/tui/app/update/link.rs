//! The connection: what is asked when it stands, and what is kept when it breaks.

use super::Step;
use crate::tui::app::{
    Effect, LinkEvent,
    model::{Asked, Link},
};

impl Step<'_> {
    pub(super) fn link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected => {
                self.model.link = Link::Connected;
                self.refresh();
            }
            LinkEvent::Lost { error } => {
                let since = match self.model.link {
                    Link::Lost { since, .. } => since,
                    _ => self.model.now,
                };
                self.model.link = Link::Lost { error, since };
            }
        }
    }

    /// Asks for everything; selections stay on their ids.
    pub(super) fn refresh(&mut self) {
        if self.model.link != Link::Connected {
            return;
        }
        for what in [Asked::Sandboxes, Asked::Versions, Asked::Commands] {
            self.forget(&what);
        }
        let id = self.model.ask(Asked::Sandboxes);
        self.model.sandboxes.asking(id);
        self.order(Effect::ListSandboxes { id });
        let id = self.model.ask(Asked::Versions);
        self.model.versions.asking(id);
        self.order(Effect::ListVersions { id });
        self.model.told.clear();
        let id = self.model.ask(Asked::Commands);
        self.order(Effect::ListCommands { id });
        self.ask_spent();
        for chat in self.model.chats.values_mut() {
            chat.transcript.refresh();
        }
    }
}
