//! Tables of what events do, and what holds whatever happens.

mod always;
mod away;
mod drafts;
mod lists;
mod marks;
mod mouse;
mod prompt;
mod stops;
mod turns;
mod work;

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use uuid::Uuid;

use crate::{
    api::{ApiError, CommandAnswer, CommandState, Event as Stored, EventBody, Live, Published},
    core::{AccountId, Backend, Profile, RequestId, SandboxId, SandboxInfo, SandboxStatus, Version, VersionId},
    tui::{
        app::{
            Effect, EffectId, Event, LinkEvent, Model, Outcome, TermEvent, Timer,
            model::{Place, Size},
            update,
        },
        key::Key,
        keymap::Keymap,
    },
};

pub(super) const NOW: i64 = 1_764_208_000;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn sandbox(n: i64, status: SandboxStatus) -> SandboxInfo {
    SandboxInfo {
        sandbox_id: SandboxId::new(format!("sb-{n}")).unwrap(),
        name: format!("heron-{n}"),
        account_id: AccountId::new("default").unwrap(),
        status,
        image: "host".into(),
        backend: Backend::Local,
        created_at: at(NOW - 100 * n),
        ended_at: None,
        reason: None,
    }
}

pub(super) fn version(n: u64) -> Version {
    Version {
        version: VersionId(1_764_000_000 + n),
        account_id: AccountId::new("default").unwrap(),
        created_at: at(NOW),
        files: n,
        bytes: n,
        note: format!("note {n}"),
        complete: true,
        left_out: 0,
        legacy: false,
    }
}

/// A screen, and what it ordered last.
pub(super) struct Screen {
    pub(super) model: Model,
    pub(super) second: i64,
}

impl Screen {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        let place = Place {
            account: AccountId::new("default").unwrap(),
            profile: Profile::Local,
            zone: TimeZone::UTC,
            seed: Uuid::from_u128(7),
            ascii: false,
            still: false,
        };
        let size = Size { columns: 120, rows: 40 };
        let model = Model::new(place, Arc::new(Keymap::load(None).unwrap()), size, at(NOW));
        Self { model, second: NOW }
    }

    /// Connected, with these sandboxes and three versions.
    pub(super) fn with(sandboxes: Vec<SandboxInfo>) -> Self {
        let mut screen = Self::new();
        let effects = screen.connect();
        screen.answer_lists(&effects, sandboxes);
        screen
    }

    pub(super) fn running() -> Self {
        Self::with(vec![sandbox(1, SandboxStatus::Running), sandbox(2, SandboxStatus::Running)])
    }

    pub(super) fn connect(&mut self) -> Vec<Effect> {
        self.take(Event::Link(LinkEvent::Connected))
    }

    pub(super) fn answer_lists(&mut self, effects: &[Effect], sandboxes: Vec<SandboxInfo>) {
        for effect in effects {
            match effect {
                Effect::ListSandboxes { id } => drop(self.done(*id, Outcome::Sandboxes(Ok(sandboxes.clone())))),
                Effect::ListVersions { id } => {
                    drop(self.done(*id, Outcome::Versions(Ok((1..4).map(version).collect()))));
                }
                Effect::ListCommands { id } => drop(self.done(*id, Outcome::Commands(Ok(Vec::new())))),
                _ => {}
            }
        }
    }

    pub(super) fn take(&mut self, event: Event) -> Vec<Effect> {
        update(&mut self.model, at(self.second), event)
    }

    pub(super) fn done(&mut self, id: EffectId, outcome: Outcome) -> Vec<Effect> {
        self.take(Event::Done { id, outcome: Box::new(outcome) })
    }

    /// Presses keys as keymaps write them; what they ordered beside timers.
    pub(super) fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys.split(' ') {
            let key: Key = key.parse().unwrap();
            effects.extend(self.take(Event::Term(TermEvent::Pressed { key })));
        }
        orders(effects)
    }

    pub(super) fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.take(Event::Term(TermEvent::Pressed { key: Key::plain(crate::tui::key::Code::Char(c)) }));
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.take(Event::Term(TermEvent::Pasted { text: text.to_owned() }));
    }

    pub(super) fn elapse(&mut self, timer: Timer) -> Vec<Effect> {
        self.take(Event::Elapsed { timer })
    }

    pub(super) fn stored(&mut self, body: EventBody) -> Vec<Effect> {
        let stored = Stored {
            seq: 1,
            account: AccountId::new("default").unwrap(),
            profile: Profile::Local,
            at: at(self.second),
            body,
        };
        self.take(Event::Published(Box::new(Published::Event(Box::new(stored)))))
    }

    pub(super) fn live(&mut self, live: Live) -> Vec<Effect> {
        self.take(Event::Published(Box::new(Published::Live(live))))
    }

    /// The server has a command now.
    pub(super) fn accept(&mut self, effects: &[Effect]) -> RequestId {
        let (id, request) = submitted(effects).expect("a command was asked for");
        self.done(id, Outcome::Command(Ok(answer(request, CommandState::Accepted, serde_json::Value::Null, None))));
        request
    }

    /// A command ends: the stream says so, and the screen asks how.
    pub(super) fn finish(
        &mut self,
        request: RequestId,
        result: serde_json::Value,
        error: Option<ApiError>,
    ) -> Vec<Effect> {
        let kind = self.model.tasks.all[&request].kind.clone();
        let state = if error.is_some() { CommandState::Failed } else { CommandState::Done };
        let effects =
            self.stored(EventBody::Command { request_id: request, command: kind.clone(), state, sandbox: None });
        let asked = effects.iter().find_map(|effect| match effect {
            Effect::AskCommand { id, request: of } if *of == request => Some(*id),
            _ => None,
        });
        let mut answer = answer(request, state, result, error);
        answer.kind = kind;
        self.done(asked.expect("its end is asked for"), Outcome::Command(Ok(answer)))
    }

    pub(super) fn said(&self) -> Vec<&str> {
        self.model.toasts.shown.iter().map(|toast| toast.text.as_str()).collect()
    }
}

pub(super) fn answer(
    request_id: RequestId,
    state: CommandState,
    result: serde_json::Value,
    error: Option<ApiError>,
) -> CommandAnswer {
    CommandAnswer { request_id, kind: "chat".into(), state, result, error }
}

pub(super) fn submitted(effects: &[Effect]) -> Option<(EffectId, RequestId)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Submit { id, request } => Some((*id, request.request_id)),
        _ => None,
    })
}

/// Without timers and the history's file.
pub(super) fn orders(mut effects: Vec<Effect>) -> Vec<Effect> {
    effects.retain(|effect| {
        !matches!(
            effect,
            Effect::SetTimer { .. }
                | Effect::StopTimer { .. }
                | Effect::KeepPrompt { .. }
                | Effect::LoadHistory { .. }
                | Effect::KeepDraft { .. }
                | Effect::LoadDrafts { .. }
        )
    });
    effects
}
