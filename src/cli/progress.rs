//! What a command is doing, on stderr while it does it. Only a terminal shows it.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::api::event::Progress as Step;

/// A line that says what goes on.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Shows `what` until something more is known; nothing when stderr is no terminal or `quiet`.
    pub fn new(what: &str, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        bar.set_message(what.to_owned());
        // Ten frames a second look alive and cost nothing.
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Shows a step.
    pub fn step(&self, step: &Step) {
        if let (Some(done), Some(total)) = (step.done, step.total)
            && let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos}/{len}")
        {
            self.0.set_style(style);
            self.0.set_length(total);
            self.0.set_position(done);
        }
        self.0.set_message(step.step.clean_line().as_str().to_owned());
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
