//! Which commands are being done.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::core::RequestId;

/// How long a stop waits for its command. Both were sent at most a person's patience apart; a server that was held up
/// takes both as soon as it goes on.
const EARLY: Duration = Duration::from_secs(60);

/// Stops that wait for their commands: more than all screens of one person send in that time.
const MAX_EARLY: usize = 256;

/// The commands that are being done, and how to stop each.
///
/// A command and the stop of it come over two connections, and the stop may be taken first. It is remembered here, and
/// not only by who sent it: told again after the command was accepted, it would come when the turn has begun and costs
/// something, and an end without a save can't be stopped any more.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    running: HashMap<RequestId, CancellationToken>,
    /// Stopped before they came, the oldest first.
    early: VecDeque<(RequestId, Instant)>,
}

impl Running {
    /// Notes one; absent when it is being done already. One that was told to stop before it came is stopped.
    pub fn begin(&self, id: RequestId) -> Option<CancellationToken> {
        let mut state = self.state();
        if state.running.contains_key(&id) {
            return None;
        }
        let token = CancellationToken::new();
        if let Some(at) = state.early.iter().position(|(early, _)| *early == id)
            && let Some((_, told)) = state.early.remove(at)
            && told.elapsed() < EARLY
        {
            token.cancel();
        }
        state.running.insert(id, token.clone());
        Some(token)
    }

    /// It has ended.
    pub fn end(&self, id: RequestId) {
        self.state().running.remove(&id);
    }

    /// Asks one to stop; one that isn't there yet, as soon as it comes.
    pub fn cancel(&self, id: RequestId) {
        let mut state = self.state();
        if let Some(token) = state.running.get(&id) {
            return token.cancel();
        }
        state.early.retain(|(early, told)| *early != id && told.elapsed() < EARLY);
        if state.early.len() >= MAX_EARLY {
            state.early.pop_front();
        }
        state.early.push_back((id, Instant::now()));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.state().running.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_that_comes_first_stops_its_command_and_no_other() {
        let running = Running::default();
        let (early, other) = (RequestId::new(), RequestId::new());
        running.cancel(early);
        running.cancel(early);
        assert!(!running.begin(other).unwrap().is_cancelled());
        assert!(running.begin(early).unwrap().is_cancelled());
        running.end(early);
        assert!(!running.begin(early).unwrap().is_cancelled(), "it was told once");
    }

    #[test]
    fn stops_of_commands_that_never_come_are_forgotten_the_oldest_first() {
        let running = Running::default();
        let ids: Vec<_> = (0..=MAX_EARLY).map(|_| RequestId::new()).collect();
        ids.iter().for_each(|id| running.cancel(*id));
        assert_eq!(running.state().early.len(), MAX_EARLY);
        let stopped = |id: &RequestId| running.begin(*id).unwrap().is_cancelled();
        assert_eq!(ids.iter().position(stopped), Some(1));
    }
}
