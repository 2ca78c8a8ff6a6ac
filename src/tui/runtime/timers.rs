//! What may wake the model: one deadline for each timer, and no tick.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::tui::app::Timer;

/// All timers that are set.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Instant>);

impl Timers {
    /// Sets a timer, in place of the same one before.
    pub fn set(&mut self, timer: Timer, after: Duration) {
        self.0.insert(timer, Instant::now() + after);
    }

    /// No wake-up after all.
    pub fn stop(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    /// The next one that runs out. A wait that is given up loses nothing.
    pub async fn next(&mut self) -> Timer {
        let Some((timer, at)) = self.0.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at)) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(at.into()).await;
        self.0.remove(&timer);
        timer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_set_again_replaces_the_one_before() {
        let mut timers = Timers::default();
        timers.set(Timer::Toast, Duration::from_millis(20));
        timers.set(Timer::Armed, Duration::from_millis(10));
        timers.set(Timer::Armed, Duration::from_millis(30));
        timers.set(Timer::Minute, Duration::from_millis(5));
        timers.stop(Timer::Minute);
        assert_eq!(timers.next().await, Timer::Toast);
        assert_eq!(timers.next().await, Timer::Armed);
        assert!(futures::FutureExt::now_or_never(timers.next()).is_none());
    }
}
