//! The screen: what `sandbank` without a subcommand opens.
//!
//! ```text
//! term ─ bytes to events ─┐                                         ┌─ runtime runs effects, results come back
//! client ─ what happens ──┼─ one queue ─ app::update(&mut Model, …) ┤
//! timers ─────────────────┘                                         └─ view::draw(&Model, &Theme) ─ one frame
//! ```
//!
//! [`app`] is pure: no IO, no clock, no task; it is the only writer of the model. [`view`] only reads it. [`text`] turns
//! untrusted text into lines that may be shown. [`runtime`] owns the loop, the tasks and the timers, [`term`] the
//! terminal. The screen holds no truth: all of it comes from the server, and closing the screen loses nothing.

pub mod app;
mod defaults;
pub mod key;
pub mod keymap;
pub mod pty;
pub mod runtime;
pub mod term;
pub mod text;
pub mod theme;
pub mod view;
