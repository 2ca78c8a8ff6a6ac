//! From an event to the next model and the orders that follow.

use jiff::Timestamp;

use super::{Action, Effect, Event, Model};

/// Takes an event, which was taken from the queue at `now`.
pub fn update(model: &mut Model, now: Timestamp, _event: Event) -> Vec<Effect> {
    model.now = now;
    Vec::new()
}

/// What makes sense here and now, the most useful first.
pub(super) fn useful(_model: &Model) -> Vec<Action> {
    Vec::new()
}
