//! What is done to several sandboxes: asked once, begun one after another, told one by one.

use std::collections::BTreeSet;

use super::{Step, Tone};
use crate::{
    api::{ApiError, Command, ErrorCode},
    core::{RequestId, SandboxId, SandboxStatus, figures, text::sanitize_line},
    tui::app::{
        action::{Action, Context},
        model::{
            Dialog, Link,
            dialog::{Choice, Question, Then},
            jobs::{Job, Jobs, Work},
            toast::MAX_SHOWN,
        },
        names::listed,
    },
};

/// What follows from the end of one sandbox.
pub(super) const ONE: &str =
    "The sandbox and all that runs in it ends. The workspace stays on its volume; saved versions stay.";

/// What follows from the end of several.
const SEVERAL: &str = "All that runs in them ends. Workspaces stay on their volumes; saved versions stay. Saved first, \
                       each makes a version of its own, one after another; one that can't be saved goes on running.";

/// Names in the question: as many as are read before they are counted. Elided they have three rows of a dialog.
const NAMES: usize = 6;

impl Step<'_> {
    /// Asks once for all that are marked.
    pub(super) fn ask_terminate_marked(&mut self) {
        let sandboxes = self.marked_sandboxes();
        let title = match sandboxes.as_slice() {
            [] => return,
            [(_, name)] => name.clone(),
            many => format!("{} sandboxes", many.len()),
        };
        let detail = if sandboxes.len() == 1 {
            ONE.to_owned()
        } else {
            let names = listed(sandboxes.iter().map(|(_, name)| name.as_str()), NAMES, self.model.place.ascii);
            format!("{names}\n{SEVERAL}")
        };
        let sandboxes: Vec<_> = sandboxes.into_iter().map(|(id, _)| id).collect();
        let end = |save| Then::TerminateMarked { sandboxes: sandboxes.clone(), save };
        self.ask_to_end(&title, detail, end);
    }

    /// Asks before something ends. The safe answer is the first.
    pub(super) fn ask_to_end(&mut self, what: &str, detail: String, end: impl Fn(bool) -> Then) {
        self.open(Dialog::Question(Question {
            title: sanitize_line(&format!("Terminate {what}?")).as_str().to_owned(),
            detail,
            choices: vec![
                Choice { key: 'n', label: "keep running", then: Then::Nothing },
                Choice { key: 's', label: "save and terminate", then: end(true) },
                Choice { key: 'w', label: "terminate without saving", then: end(false) },
            ],
            cursor: 0,
        }));
    }

    /// Saves the workspaces of all that are marked.
    pub(super) fn save_marked(&mut self) {
        let sandboxes = self.marked_sandboxes().into_iter().map(|(id, _)| id).collect();
        self.take_on(sandboxes, Work::Save);
    }

    /// The marked sandboxes by id and name, without those that something is done to already. Says why there are none.
    fn marked_sandboxes(&mut self) -> Vec<(SandboxId, String)> {
        if self.model.link != Link::Connected {
            self.say(Tone::Warning, "There is no connection to the server yet; the marks are kept", "");
            return Vec::new();
        }
        let taken = self.model.jobs.sandboxes();
        let free = self.model.sandboxes.marked().filter(|sandbox| !taken.contains(&sandbox.sandbox_id));
        let free: Vec<_> = free.map(|sandbox| (sandbox.sandbox_id.clone(), sandbox.name.clone())).collect();
        if free.is_empty() {
            self.say(Tone::Note, "All that is marked is being saved or terminated already", "");
        }
        free
    }

    /// Does something to sandboxes, as far as they still run.
    pub(super) fn take_on(&mut self, sandboxes: Vec<SandboxId>, work: Work) {
        let wanted: BTreeSet<_> = sandboxes.into_iter().collect();
        let taken = self.model.jobs.sandboxes();
        let all = self.model.sandboxes.all().iter();
        let found = all.filter(|s| wanted.contains(&s.sandbox_id) && !taken.contains(&s.sandbox_id));
        let jobs = found.map(|s| Job { sandbox: s.sandbox_id.clone(), name: s.name.clone(), work });
        let jobs: Vec<_> = jobs.collect();
        self.model.jobs.waiting.extend(jobs);
    }

    /// Begins what may begin.
    pub(super) fn settle_jobs(&mut self) {
        while self.model.link == Link::Connected && !self.model.jobs.waiting.is_empty() {
            self.forget_ended();
            let Some(job) = self.model.jobs.begin() else { break };
            let sandbox = job.sandbox.as_str().to_owned();
            let command = match job.work {
                Work::Save => Command::VersionSave { sandbox, note: String::new() },
                Work::Terminate { save } => Command::SandboxTerminate { sandbox, save },
            };
            let request = self.submit(command, None);
            self.model.jobs.running.insert(request, job);
        }
        self.end_jobs();
    }

    /// What has ended by itself needs no end, and can't be saved. One look at the rows for all, not one for each.
    fn forget_ended(&mut self) {
        let runs = |job: &Job| {
            self.model.sandbox_by_id(&job.sandbox).is_some_and(|sandbox| sandbox.status == SandboxStatus::Running)
        };
        if self.model.jobs.waiting.front().is_some_and(runs) {
            return;
        }
        let all = self.model.sandboxes.all().iter();
        let running: BTreeSet<_> = all.filter(|s| s.status == SandboxStatus::Running).map(|s| &s.sandbox_id).collect();
        self.model.jobs.waiting.retain(|job| running.contains(&job.sandbox));
    }

    /// A command has ended. Of a job it says by name what became of its sandbox: what is done has no mark any more.
    /// Gives the error as it is to be told.
    pub(super) fn job_ended(&mut self, request: RequestId, end: &Result<(), ApiError>) -> Option<ApiError> {
        let failed = end.as_ref().is_err_and(|error| error.code != ErrorCode::Interrupted);
        let job = self.model.jobs.end(request, failed)?;
        match end {
            Ok(()) => {
                self.model.sandboxes.unmark(&job.sandbox);
                None
            }
            Err(error) => {
                let message = format!("{} was not {}: {}", job.name, job.work.done(), error.message);
                Some(ApiError { message, ..error.clone() })
            }
        }
    }

    /// After the last one: where some failed and so many ended that not every message could be read, how many.
    fn end_jobs(&mut self) {
        if !self.model.jobs.is_empty() || self.model.jobs.ended == 0 {
            return;
        }
        let Jobs { ended, failed, .. } = std::mem::take(&mut self.model.jobs);
        if failed > 0 && ended > MAX_SHOWN {
            let key = self.model.keymap.keys(Context::Sandboxes, Action::Toasts).into_iter().next();
            let hint = key.map(|key| format!("{key} in the list shows why")).unwrap_or_default();
            self.say(Tone::Error, &format!("{failed} of {ended} failed; they stay marked"), &hint);
        }
    }

    /// One of several was told to stop: so are those that have not begun.
    pub(super) fn begin_no_more_after(&mut self, request: RequestId) {
        if !self.model.jobs.running.contains_key(&request) || self.model.jobs.waiting.is_empty() {
            return;
        }
        let left = std::mem::take(&mut self.model.jobs.waiting).len();
        let count = figures::count(left as u64, "sandbox waits", "sandboxes wait");
        self.say(Tone::Note, &format!("{count} no longer; what is marked is as it was"), "");
    }

    /// Closes the screen; asks when something would never begin then.
    pub(super) fn ask_quit(&mut self) {
        let jobs = &self.model.jobs;
        if jobs.waiting.is_empty() {
            return self.quit();
        }
        let (left, all) = (jobs.waiting.len(), jobs.all());
        let detail = "They go on running as they are. What has begun goes on without the screen.";
        self.open(Dialog::Question(Question {
            title: "Quit before all is done?".to_owned(),
            detail: format!("{left} of {all} marked sandboxes wait for the others to be done. {detail}"),
            choices: vec![
                Choice { key: 's', label: "stay", then: Then::Nothing },
                Choice { key: 'q', label: "quit", then: Then::Quit },
            ],
            cursor: 0,
        }));
    }
}
