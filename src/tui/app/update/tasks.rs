//! Commands, from being asked for to their end.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;

use super::{Step, Tone};
use crate::{
    api::{
        ApiError, Command, CommandAnswer, CommandRequest, CommandState, CommandSummary, ErrorCode, Window,
        command::{Changes, Created, Saved, Terminated},
        event::Progress,
    },
    core::{Clean, RequestId, SandboxId, SandboxInfo, SandboxStatus, figures},
    tui::app::{
        Effect,
        model::{Asked, Dialog, Focus, Link, Task},
    },
};

impl Step<'_> {
    /// Has a command done. What was typed for it comes back when it fails.
    pub(super) fn submit(&mut self, command: Command, typed: Option<String>) -> RequestId {
        let request = self.model.request_id();
        let id = self.model.ask(Asked::Submit(request));
        let mut task = new_task(command.kind(), command.sandbox().map(str::to_owned), self.model.now);
        (task.ours, task.asked, task.typed) = (true, Some(id), typed);
        self.begin_task(request, task);
        let (account, profile) = (self.model.place.account.clone(), self.model.place.profile);
        let request_id = request;
        self.order(Effect::Submit { id, request: Box::new(CommandRequest { request_id, account, profile, command }) });
        request
    }

    fn begin_task(&mut self, request: RequestId, task: Task) {
        let tasks = &mut self.model.tasks;
        tasks.heard_of += 1;
        tasks.all.insert(request, Task { number: tasks.heard_of, ..task });
        self.assign();
    }

    /// Turns and shell commands under way are of the chats of the sandboxes that they name, as soon as those are known.
    pub(super) fn assign(&mut self) {
        let tasks = self.model.tasks.all.iter().filter(|(_, task)| task.end.is_none() && task.converses());
        let of = tasks.filter_map(|(request, task)| {
            Some((task.number, self.resolve(task.sandbox.as_deref()?)?, *request, task.kind == "shell"))
        });
        let mut of: Vec<_> = of.collect();
        of.sort_unstable_by_key(|(number, ..)| *number);
        for (_, sandbox, request, shell) in of {
            let chat = self.model.chats.entry(sandbox).or_default();
            if !shell {
                chat.turn = Some(request);
            } else if !chat.shells.contains(&request) {
                chat.shells.push(request);
            }
        }
    }

    /// Sandboxes without a known conversation in which a command under way says something.
    pub(super) fn conversing(&self) -> BTreeSet<SandboxId> {
        let tasks = self.model.tasks.all.values();
        tasks
            .filter(|task| task.end.is_none() && task.converses())
            .filter_map(|task| self.resolve(task.sandbox.as_deref()?))
            .filter(|sandbox| self.model.chats.get(sandbox).is_none_or(|chat| chat.info.is_none()))
            .collect()
    }

    /// The sandbox that somebody named: by its id, its name (of the newest that has it), or a prefix that fits one.
    pub(super) fn resolve(&self, named: &str) -> Option<SandboxId> {
        let all = self.model.sandboxes.all();
        let by = |fits: &dyn Fn(&SandboxInfo) -> bool| all.iter().find(|s| fits(s)).map(|s| s.sandbox_id.clone());
        by(&|s| s.sandbox_id.as_str() == named)
            .or_else(|| by(&|s| s.name == named && s.status == SandboxStatus::Running))
            .or_else(|| by(&|s| s.name == named))
            .or_else(|| by(&|s| s.name.starts_with(named) || s.sandbox_id.as_str().starts_with(named)))
    }

    /// All commands under way. Ours that aren't among them have ended; others' are of no interest any more.
    pub(super) fn take_commands(&mut self, mut commands: Vec<CommandSummary>) {
        commands.sort_by_key(|command| command.created_at);
        let told = std::mem::take(&mut self.model.told);
        let running: BTreeSet<_> = commands.iter().map(|command| command.request_id).chain(told.clone()).collect();
        for command in commands {
            if !told.contains(&command.request_id) && !self.model.tasks.all.contains_key(&command.request_id) {
                let task = new_task(&command.kind, command.sandbox, command.created_at);
                self.begin_task(command.request_id, task);
            }
        }
        let gone = self
            .model
            .tasks
            .all
            .iter()
            .filter(|(request, task)| !running.contains(request) && task.end.is_none() && task.asked.is_none());
        let gone: Vec<_> = gone.map(|(request, _)| *request).collect();
        for request in gone {
            self.ended(request);
        }
        for request in running {
            self.stop_again(request);
        }
    }

    pub(super) fn command_went_on(
        &mut self,
        request: RequestId,
        kind: String,
        state: CommandState,
        sandbox: Option<String>,
        at: Timestamp,
    ) {
        let known = self.model.tasks.all.contains_key(&request);
        if self.model.asked.values().any(|asked| *asked == Asked::Commands) {
            self.model.told.insert(request);
        }
        if state.is_final() {
            if known {
                self.ended(request);
            }
        } else if !known {
            self.begin_task(request, new_task(&kind, sandbox, at));
        }
    }

    /// A command isn't under way any more: what came of ours is asked for.
    fn ended(&mut self, request: RequestId) {
        let Some(task) = self.model.tasks.all.get(&request) else { return };
        if task.end.is_some() {
            return;
        }
        if !task.ours {
            return self.finish(request, Ok(()));
        }
        self.forget(&Asked::Result(request));
        let id = self.model.ask(Asked::Result(request));
        if let Some(task) = self.model.tasks.all.get_mut(&request) {
            task.asked = Some(id);
        }
        self.order(Effect::AskCommand { id, request });
    }

    pub(super) fn take_command(&mut self, request: RequestId, answer: Result<CommandAnswer, ApiError>) {
        if let Some(task) = self.model.tasks.all.get_mut(&request) {
            task.asked = None;
        }
        match answer {
            Ok(answer) if answer.state == CommandState::Done => {
                let job = self.model.jobs.running.get(&request).map(|job| job.name.clone());
                self.finish(request, Ok(()));
                self.done(request, &answer, job.as_deref());
            }
            Ok(answer) if answer.state == CommandState::Failed => {
                let error = answer.error.unwrap_or_else(|| ApiError::failed(format!("{} failed", answer.kind)));
                self.finish(request, Err(error));
            }
            Ok(_) => self.stop_again(request),
            // Whether the server has it is known when it can be asked again.
            Err(error) if error.code == ErrorCode::Unavailable && self.model.link != Link::Connected => {}
            // It was asked for in the middle of a break, and is not asked for again by itself: what it was is given back.
            Err(error) if error.code == ErrorCode::NotFound => {
                let lost = ApiError::not_found("what was asked for did not reach the server; nothing was done");
                self.finish(request, Err(lost.hint("ask for it again")));
            }
            Err(error) => self.finish(request, Err(error)),
        }
    }

    fn finish(&mut self, request: RequestId, end: Result<(), ApiError>) {
        for chat in self.model.chats.values_mut() {
            chat.turn.take_if(|turn| *turn == request);
            chat.shells.retain(|shell| *shell != request);
        }
        self.model.interrupted.remove(&request);
        let Some(task) = self.model.tasks.all.get_mut(&request) else { return };
        if task.end.is_some() {
            return;
        }
        let (kind, typed, ours) = (task.kind.clone(), task.typed.take(), task.ours);
        let sandbox = task.sandbox.clone();
        task.end = Some(end.clone());
        let end = self.job_ended(request, &end).map_or(end, Err);
        if let Err(error) = end
            && ours
            && error.code != ErrorCode::Interrupted
        {
            let waited = self.model.dialogs.last().and_then(progress_of) == Some(request);
            if waited && self.show_again(request, &error) {
                self.remember(Tone::Warning, &error.message, "What would change now is shown anew");
            } else if waited || self.told_in_chat(&kind, sandbox.as_deref(), &error) {
                // Its dialog says it, or the chat.
                self.remember(Tone::Error, &error.message, &error.hint);
            } else {
                self.say_error(&error);
            }
            if let Some(typed) = typed {
                self.give_back(sandbox.as_deref(), &typed);
            }
        }
        if kind == "chat" {
            self.ask_spent();
            if let Some(sandbox) = sandbox.as_deref().and_then(|named| self.resolve(named)) {
                self.ask_info(sandbox);
            }
        }
        self.forget_tasks();
        // A turn of another client may be under way there.
        self.assign();
    }

    /// Whether the chat that is open tells by itself why nothing came of what was said there.
    fn told_in_chat(&mut self, kind: &str, sandbox: Option<&str>, error: &ApiError) -> bool {
        let named = sandbox.filter(|_| matches!(kind, "chat" | "shell")).and_then(|named| self.resolve(named));
        let open = named.filter(|id| self.model.sandbox().is_some_and(|shown| shown.sandbox_id == *id));
        open.and_then(|id| self.model.chats.get_mut(&id)).is_some_and(|chat| chat.tell(error))
    }

    /// A turn has ended: what the title says of the conversation is told anew. Its items came by themselves, so that
    /// nothing lies behind the last of them.
    fn ask_info(&mut self, sandbox: SandboxId) {
        if self.model.chats.get(&sandbox).is_some_and(|chat| chat.info.is_some()) {
            self.forget(&Asked::Info(sandbox.clone()));
            let id = self.model.ask(Asked::Info(sandbox.clone()));
            self.order(Effect::LoadItems { id, sandbox, window: Window::After(u64::MAX) });
        }
    }

    /// Puts what was typed into the prompt again, unless something else stands there.
    fn give_back(&mut self, sandbox: Option<&str>, typed: &str) {
        self.model.touched = true;
        let id = sandbox.and_then(|named| self.resolve(named));
        let prompt = match id.and_then(|id| self.model.chats.get_mut(&id)) {
            Some(chat) => &mut chat.prompt,
            None => &mut self.model.draft,
        };
        if prompt.is_empty() {
            prompt.show(typed);
        }
    }

    /// What a result says beside the events that came with it; `of` is the sandbox when it is one of several.
    fn done(&mut self, request: RequestId, answer: &CommandAnswer, of: Option<&str>) {
        let result = answer.result.clone();
        match answer.kind.as_str() {
            "sandbox_create" => {
                let Ok(created) = serde_json::from_value::<Created>(result) else { return };
                let sandbox = created.sandbox;
                let (id, name) = (sandbox.sandbox_id.clone(), sandbox.name.clone());
                self.upsert(sandbox);
                self.model.kept_form = None;
                let waited = self.model.dialogs.last().and_then(progress_of) == Some(request);
                self.close_progress(request);
                // Who has waited for it wants to talk to it. Who has gone on isn't taken away from what is read or
                // written, unless there is nothing else.
                if (waited && self.model.dialogs.is_empty()) || self.model.sandbox().is_none() {
                    self.select(&id);
                    self.focus(Focus::Prompt);
                }
                self.say(Tone::Done, &format!("{name} runs"), "");
                for notice in created.notices {
                    self.say(Tone::Warning, &notice, "");
                }
            }
            "version_save" => {
                let Ok(saved) = serde_json::from_value::<Saved>(result) else { return };
                let files = saved.version.files;
                self.insert(saved.version);
                self.close_progress(request);
                let files = figures::count(files, "file", "files");
                let said = of.map_or_else(|| format!("Saved {files}"), |name| format!("{name}: saved {files}"));
                self.say(Tone::Done, &said, "");
            }
            "version_restore" => {
                let Ok(changes) = serde_json::from_value::<Changes>(result) else { return };
                let counts = [
                    (changes.added.len(), "added"),
                    (changes.changed.len(), "changed"),
                    (changes.deleted.len(), "deleted"),
                ];
                let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
                self.close_progress(request);
                let shared = match changes.shared_with.as_slice() {
                    [] => String::new(),
                    names => format!("Also in {}: the workspace is the same", names.join(", ")),
                };
                self.say(Tone::Done, &format!("Restored: {}", counts.collect::<Vec<_>>().join(", ")), &shared);
                if let Some(first) = changes.errors.first() {
                    let n = changes.errors.len() as u64;
                    let what = figures::count(n, "thing", "things");
                    self.say(Tone::Warning, &format!("{what} could not be restored as it was"), first);
                }
            }
            "sandbox_terminate" => {
                let Ok(ended) = serde_json::from_value::<Terminated>(result) else { return };
                let said = match &ended.saved {
                    Some(_) => format!("{} saved and terminated", ended.sandbox.name),
                    None => format!("{} terminated", ended.sandbox.name),
                };
                if let Some(saved) = ended.saved {
                    self.insert(saved.version);
                }
                self.upsert(ended.sandbox);
                self.close_progress(request);
                self.say(Tone::Done, &said, "");
            }
            _ => {}
        }
    }

    pub(super) fn progress(&mut self, progress: &Progress) {
        let Some(task) = self.model.tasks.all.get_mut(&progress.request_id) else { return };
        task.progress = progress.done.map(|done| (done, progress.total));
        task.say(progress.step.clean_line());
    }

    /// Ended commands go, but for those that a dialog shows and the last of ours with a log: it may say why.
    pub(super) fn forget_tasks(&mut self) {
        let shown: BTreeSet<_> = self.model.dialogs.iter().filter_map(progress_of).collect();
        let ended = self.model.tasks.all.iter().filter(|(_, task)| task.ours && task.end.is_some());
        let last = ended.filter(|(_, task)| !task.log.is_empty()).max_by_key(|(_, task)| task.number);
        let last = last.map(|(request, _)| *request);
        self.model.tasks.all.retain(|request, task| {
            task.end.is_none() || task.asked.is_some() || shown.contains(request) || last == Some(*request)
        });
    }
}

pub(super) fn progress_of(dialog: &Dialog) -> Option<RequestId> {
    match dialog {
        Dialog::Progress { request, .. } => Some(*request),
        _ => None,
    }
}

fn new_task(kind: &str, sandbox: Option<String>, since: Timestamp) -> Task {
    Task {
        kind: kind.to_owned(),
        sandbox,
        ours: false,
        since,
        number: 0,
        step: Clean::default(),
        progress: None,
        log: VecDeque::new(),
        bytes: 0,
        asked: None,
        end: None,
        typed: None,
        restores: None,
    }
}
