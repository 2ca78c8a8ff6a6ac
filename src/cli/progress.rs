//! What a command is doing, on stderr while it does it: a line that moves on a terminal, lines elsewhere.

use std::{
    cell::{Cell, RefCell},
    io::IsTerminal,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::out;
use crate::api::event::Progress as Step;

/// Where nothing can be overwritten, a command that is done by then says nothing: its result is enough.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Says what goes on.
pub(super) struct Progress {
    bar: ProgressBar,
    lines: Option<Lines>,
}

/// Steps as lines of their own, each once.
struct Lines {
    latest: RefCell<String>,
    speaks: Cell<bool>,
}

impl Progress {
    /// Shows `what` until something more is known.
    pub fn new(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            let lines = Lines { latest: RefCell::new(what.to_owned()), speaks: Cell::new(false) };
            return Self { bar: ProgressBar::hidden(), lines: Some(lines) };
        }
        let bar = ProgressBar::new_spinner();
        style(&bar, "{spinner} {elapsed:>3} {wide_msg}");
        bar.set_message(what.to_owned());
        // Ten frames a second look alive and cost nothing.
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, lines: None }
    }

    /// Shows a step.
    pub fn step(&self, step: &Step) {
        let text = step.step.clean_line().as_str().to_owned();
        if let Some(lines) = &self.lines {
            return lines.step(text);
        }
        // Before the counter comes or goes: the line is drawn meanwhile, and shows none beside another step.
        self.bar.set_message(text);
        match (step.done, step.total) {
            (Some(done), Some(total)) if total > 0 => {
                self.bar.set_length(total);
                self.bar.set_position(done);
                style(&self.bar, "{spinner} {elapsed:>3} {pos}/{len} {wide_msg}");
            }
            _ => style(&self.bar, "{spinner} {elapsed:>3} {wide_msg}"),
        }
    }

    /// Patience is over: without a terminal steps are told from now on, the latest first.
    pub fn speak(&self) {
        if let Some(lines) = &self.lines {
            lines.speaks.set(true);
            out::note(lines.latest.borrow());
        }
    }
}

impl Lines {
    fn step(&self, text: String) {
        if *self.latest.borrow() == text {
            return;
        }
        if self.speaks.get() {
            out::note(&text);
        }
        self.latest.replace(text);
    }
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
