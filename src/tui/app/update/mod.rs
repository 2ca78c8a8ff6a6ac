//! From an event to the next model and the orders that follow.

mod actions;
mod answers;
mod commands;
mod create;
mod dialogs;
mod drafts;
mod finder;
mod focus;
mod jobs;
mod keys;
mod link;
mod lists;
mod marks;
mod mouse;
mod prompt;
mod published;
mod restore;
mod tasks;
#[cfg(test)]
mod tests;
mod timers;
mod toasts;
mod transcript;
mod typing;

use jiff::Timestamp;

use super::{
    Effect, Event, Model, TermEvent,
    model::{Asked, toast::Tone},
};

/// Takes an event, which was taken from the queue at `now`.
pub fn update(model: &mut Model, now: Timestamp, event: Event) -> Vec<Effect> {
    if model.ended {
        return Vec::new();
    }
    model.now = now;
    let mut step = Step { model, effects: Vec::new() };
    step.begin();
    step.take(event);
    step.settle();
    step.effects
}

/// One event being taken: the model, and the orders so far.
struct Step<'a> {
    model: &'a mut Model,
    effects: Vec<Effect>,
}

impl Step<'_> {
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.model.started, true) {
            let id = self.model.ask(Asked::History);
            self.order(Effect::LoadHistory { id });
            let id = self.model.ask(Asked::Drafts);
            self.order(Effect::LoadDrafts { id });
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Term(event) => self.terminal(event),
            Event::Link(event) => self.link(event),
            Event::Published(published) => self.published(*published),
            Event::Done { id, outcome } => self.answer(id, *outcome),
            Event::Elapsed { timer } => self.elapsed(timer),
        }
    }

    fn terminal(&mut self, event: TermEvent) {
        match event {
            TermEvent::Pressed { key } => {
                self.model.touched = true;
                self.pressed(key);
            }
            TermEvent::Pasted { text } => {
                self.model.touched = true;
                self.pasted(&text);
            }
            TermEvent::Mouse { what, column, row } => self.mouse(what, column, row),
            TermEvent::Resized { columns, rows } => self.model.size = super::model::Size { columns, rows },
            TermEvent::Focused { gained } => self.model.attended = gained,
            TermEvent::Background { background } => self.model.background = Some(background),
            TermEvent::Ended => self.quit(),
        }
    }

    /// What follows from the state alone, whatever the event was.
    fn settle(&mut self) {
        if self.model.ended {
            return;
        }
        self.settle_jobs();
        if let Some(id) = self.model.sandbox().map(|sandbox| sandbox.sandbox_id.clone()) {
            let chat = self.model.chats.entry(id).or_default();
            // What was typed while there was no sandbox is for the first one; beside a draft of that one's own it is in
            // the history, and doesn't come up when that one goes.
            if !self.model.draft.is_empty() {
                let mut draft = std::mem::take(&mut self.model.draft);
                self.model.touched = true;
                if chat.prompt.is_empty() {
                    chat.prompt = draft;
                } else {
                    self.keep_prompt(&draft.take());
                }
            }
        }
        // What is sent comes back in no case.
        if self.effects.iter().any(|effect| matches!(effect, Effect::Submit { .. })) {
            self.keep_drafts(false);
        }
        self.settle_lists();
        self.settle_transcript();
        self.settle_timers();
    }

    fn order(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn quit(&mut self) {
        self.model.ended = true;
        self.keep_drafts(true);
        self.order(Effect::Quit);
    }
}
