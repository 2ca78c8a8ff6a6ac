//! Which pane has the keys, and what a second press does.

use super::Step;
use crate::{
    api::{ApiError, ErrorCode},
    core::{RequestId, SandboxStatus},
    tui::app::{
        Effect,
        model::{ARMED, Armed, ArmedFor, Asked, Focus, Link},
    },
};

/// In the order of Tab.
const PANES: [Focus; 4] = [Focus::Sandboxes, Focus::Versions, Focus::Transcript, Focus::Prompt];

impl Step<'_> {
    pub(super) fn focus(&mut self, focus: Focus) {
        self.model.focus = focus;
    }

    pub(super) fn next_pane(&mut self, forward: bool) {
        let at = PANES.iter().position(|pane| *pane == self.model.focus).unwrap_or(0);
        let next = (at + if forward { 1 } else { PANES.len() - 1 }) % PANES.len();
        if let Some(pane) = PANES.get(next) {
            self.focus(*pane);
        }
    }

    /// The first list is there: who comes back to a running sandbox wants to talk to it.
    pub(super) fn start_focus(&mut self) {
        if !std::mem::replace(&mut self.model.settled, true) && self.runs() {
            self.focus(Focus::Prompt);
        }
    }

    /// The selected sandbox runs.
    pub(super) fn runs(&self) -> bool {
        self.model.sandbox().is_some_and(|sandbox| sandbox.status == SandboxStatus::Running)
    }

    pub(super) fn arm(&mut self, what: ArmedFor) {
        let until = self.model.now.saturating_add(ARMED).unwrap_or(self.model.now);
        self.model.armed = Some(Armed { what, until });
    }

    /// Tells a command to stop, at once: the server keeps in mind what is to stop before it comes.
    pub(super) fn stop(&mut self, request: RequestId) {
        self.begin_no_more_after(request);
        self.model.interrupted.insert(request);
        self.order_stop(request);
    }

    /// The server has a command. One that is to stop is told so again: whether it heard that before, or the server
    /// before it did, isn't known.
    pub(super) fn stop_again(&mut self, request: RequestId) {
        if self.model.interrupted.contains(&request) {
            self.forget(&Asked::Interrupt(request));
            self.order_stop(request);
        }
    }

    fn order_stop(&mut self, request: RequestId) {
        let id = self.model.ask(Asked::Interrupt(request));
        self.order(Effect::Interrupt { id, request });
    }

    /// A command could not be told to stop.
    pub(super) fn not_stopped(&mut self, request: RequestId, error: &ApiError) {
        let task = self.model.tasks.all.get(&request).filter(|task| task.end.is_none());
        let broken = error.code == ErrorCode::Unavailable && self.model.link != Link::Connected;
        // Before the server says that it has the command, or the list does after a break, nothing can be said of it.
        // Then it is told again.
        if task.is_some_and(|task| broken || self.model.unanswered(task).is_some()) {
            return;
        }
        self.model.interrupted.remove(&request);
        if task.is_some() {
            self.say_error(error);
        }
    }
}
