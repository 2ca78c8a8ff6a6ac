//! Short messages.

use super::{Step, Tone};
use crate::{
    api::ApiError,
    core::text::{sanitize, sanitize_line},
    tui::app::model::{
        Toast,
        toast::{MAX_HISTORY, MAX_SHOWN, SHOWN},
    },
};

impl Step<'_> {
    /// Says something; text and hint may come from outside.
    pub(super) fn say(&mut self, tone: Tone, text: &str, hint: &str) {
        let toast = self.remember(tone, text, hint);
        let toasts = &mut self.model.toasts;
        // Said again at once, it only stands longer.
        toasts.shown.retain(|shown| (shown.tone, &shown.text) != (tone, &toast.text));
        toasts.shown.push(toast);
        let over = toasts.shown.len().saturating_sub(MAX_SHOWN);
        toasts.shown.drain(..over);
    }

    /// Puts among the messages what is seen elsewhere now.
    pub(super) fn remember(&mut self, tone: Tone, text: &str, hint: &str) -> Toast {
        let toast = Toast { tone, text: sanitize(text), hint: sanitize_line(hint), at: self.model.now };
        let history = &mut self.model.toasts.history;
        history.push_back(toast.clone());
        let over = history.len().saturating_sub(MAX_HISTORY);
        history.drain(..over);
        toast
    }

    pub(super) fn say_error(&mut self, error: &ApiError) {
        self.say(Tone::Error, &error.message, &error.hint);
    }

    /// Takes away what has stood long enough; errors stand until a key.
    pub(super) fn expire_toasts(&mut self) {
        let now = self.model.now;
        self.model.toasts.shown.retain(|toast| toast.tone == Tone::Error || now < ends(toast));
    }

    /// Takes errors away. Whether there were any.
    pub(super) fn dismiss_errors(&mut self) -> bool {
        let before = self.model.toasts.shown.len();
        self.model.toasts.shown.retain(|toast| toast.tone != Tone::Error);
        self.model.toasts.shown.len() < before
    }

    /// Errors that could be read are gone at the next key; one that came while somebody typed is not.
    pub(super) fn forget_old_errors(&mut self) {
        let now = self.model.now;
        self.model.toasts.shown.retain(|toast| toast.tone != Tone::Error || now < ends(toast));
    }
}

/// When a message has stood long enough.
pub(super) fn ends(toast: &Toast) -> jiff::Timestamp {
    toast.at.saturating_add(SHOWN).unwrap_or(toast.at)
}
