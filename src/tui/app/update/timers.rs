//! What wakes the model: only what is waited for, so that an idle screen sleeps.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};

use super::{Step, Tone, drafts, toasts::ends};
use crate::tui::app::{
    Effect, Timer, layout,
    model::{Asked, Dialog, Focus},
};

/// How long a beginning of a sequence stands before what could follow is shown: who knows the keys never sees it.
const CHORD: Duration = Duration::from_millis(600);

impl Step<'_> {
    pub(super) fn elapsed(&mut self, timer: Timer) {
        if !self.model.timers.remove(&timer) {
            return;
        }
        match timer {
            Timer::Toast => self.expire_toasts(),
            Timer::Armed => {
                let now = self.model.now;
                self.model.armed.take_if(|armed| armed.until <= now);
            }
            Timer::Chord => self.model.chord_waited = !self.model.chord.is_empty(),
            Timer::Draft => self.keep_drafts(false),
            // What a day costs begins anew at midnight.
            Timer::Minute if self.new_day() => self.ask_spent(),
            Timer::Minute | Timer::Second => {}
        }
    }

    /// Sets what is waited for and stops what isn't.
    pub(super) fn settle_timers(&mut self) {
        let now = self.model.now;
        let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
        let armed = self.model.armed.as_ref().map(|armed| until(armed.until));
        let chord = (!self.model.chord.is_empty() && !self.model.chord_waited).then_some(CHORD);
        let passing = self.model.toasts.shown.iter().filter(|toast| toast.tone != Tone::Error);
        let toast = passing.map(|toast| until(ends(toast))).min();
        let minute = (self.model.attended && self.shows_ages()).then(|| until(next_minute(now)));
        let second = self.counts_seconds().then_some(Duration::from_secs(1));
        let wanted = [
            (Timer::Armed, armed),
            (Timer::Chord, chord),
            (Timer::Toast, toast),
            (Timer::Draft, self.model.touched.then_some(drafts::PAUSE)),
            (Timer::Minute, minute),
            (Timer::Second, second),
        ];
        // One that is set is left alone: when it comes too early, since what it waits for was put off, it is set anew.
        for (timer, after) in wanted {
            match after {
                Some(after) if self.model.timers.insert(timer) => self.order(Effect::SetTimer { timer, after }),
                None if self.model.timers.remove(&timer) => self.order(Effect::StopTimer { timer }),
                _ => {}
            }
        }
    }

    /// Something on the screen says how old it is.
    fn shows_ages(&self) -> bool {
        !self.model.sandboxes.shown.is_empty() || !self.model.versions.shown.is_empty()
    }

    /// Something runs whose seconds are shown.
    fn counts_seconds(&self) -> bool {
        let model = &self.model;
        if model.place.still || !model.attended {
            return false;
        }
        let chat = matches!(model.focus, Focus::Transcript | Focus::Prompt) || model.size.columns >= layout::WIDE;
        let turn =
            chat && model.chat().is_some_and(|chat| chat.under_way().next().is_some() || chat.transcript.counts());
        turn || model.dialogs.iter().any(|dialog| match dialog {
            Dialog::Progress { request, .. } => model.tasks.all.get(request).is_some_and(|task| task.end.is_none()),
            _ => false,
        })
    }

    /// Midnight was passed since the last look.
    fn new_day(&self) -> bool {
        self.model.spent_since.is_some_and(|since| since != midnight(self.model.now, &self.model.place.zone))
    }

    pub(super) fn ask_spent(&mut self) {
        let since = midnight(self.model.now, &self.model.place.zone);
        self.model.spent_since = Some(since);
        self.forget(&Asked::Spent);
        let id = self.model.ask(Asked::Spent);
        self.order(Effect::SumUsage { id, since });
    }

    /// What an earlier order answers is too old from here on.
    pub(super) fn forget(&mut self, what: &Asked) {
        self.model.asked.retain(|_, asked| asked != what);
    }
}

fn next_minute(now: Timestamp) -> Timestamp {
    let into = now.as_second().rem_euclid(60);
    now.saturating_add((60 - into).seconds()).unwrap_or(now)
}

fn midnight(now: Timestamp, zone: &jiff::tz::TimeZone) -> Timestamp {
    let day = now.to_zoned_datetime(zone.clone()).start_of_day();
    day.map_or(now, |day| day.timestamp())
}
