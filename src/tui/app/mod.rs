//! The screen's reducer: [`update`] takes the model and an event and gives orders to the outside.
//!
//! Pure and synchronous: time comes with the event, ids from a counter in the model, so the same events always give
//! the same model. Nothing here waits, draws or asks.

pub mod action;
pub mod draft;
pub mod effect;
pub mod event;
mod fuzzy;
pub mod layout;
pub mod model;
mod names;
pub mod reader;
pub mod slash;
mod update;

pub use action::Action;
pub use effect::{Effect, EffectId, Timer};
pub use event::{Event, LinkEvent, Outcome, TermEvent};
pub use model::Model;
pub use update::update;
