//! Commands: a row first, then the work in a task of its own, then the row's end. What a server that died left
//! unfinished the next one takes up here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{ClientEnv, Inner, Run, names, versions};
use crate::{
    agent::command::MAX_ARGUMENT,
    api::{
        ApiError, Command, CommandAnswer, CommandRequest, CommandState, EventBody, Live, command::Changes,
        event::Progress,
    },
    core::{ClaudeExecConfig, RequestId, Untrusted},
    store::{CommandRow, Pace, SandboxRow, StoreError},
};

/// What a command gave: its document, and what else happened by it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    result: Value,
    events: Vec<EventBody>,
    /// A row that changes with the command's end: both or none are stored, by one flush of the disk.
    sandbox: Option<SandboxRow>,
}

impl Outcome {
    pub(super) fn of<T: serde::Serialize>(document: &T) -> Result<Self, ApiError> {
        let result = serde_json::to_value(document).map_err(|e| ApiError::failed(format!("its result: {e}")))?;
        Ok(Self { result, events: Vec::new(), sandbox: None })
    }

    pub(super) fn with_row(mut self, row: SandboxRow) -> Self {
        self.sandbox = Some(row);
        self
    }

    pub(super) fn with(mut self, events: Vec<EventBody>) -> Self {
        self.events.extend(events);
        self
    }
}

/// The commands that are being done, and how to stop each.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<RequestId, CancellationToken>>);

impl Running {
    /// Notes one; absent when it is being done already.
    fn begin(&self, id: RequestId) -> Option<CancellationToken> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&id) {
            return None;
        }
        let token = CancellationToken::new();
        running.insert(id, token.clone());
        Some(token)
    }

    fn end(&self, id: RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn cancel(&self, id: RequestId) {
        if let Some(token) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            token.cancel();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// What can be refused without looking anywhere: nothing of it is stored.
fn check(command: &Command) -> Result<(), ApiError> {
    match command {
        Command::SandboxCreate { name, config, .. } => {
            name.as_deref().map_or(Ok(()), names::check)?;
            let mut config = config.clone();
            if config.image.base_image.is_empty() {
                config.image = crate::core::ImageConfig {
                    dockerfile_commands: config.image.dockerfile_commands,
                    ..Default::default()
                };
            }
            Ok(config.validate()?)
        }
        Command::Chat { prompt, .. } => Ok(ClaudeExecConfig::new(prompt.as_str()).validate()?),
        Command::VersionSave { note, .. } if note.len() > MAX_NOTE => {
            Err(ApiError::usage(format!("the note has {} bytes; at most {MAX_NOTE} are allowed", note.len())))
        }
        Command::Shell { command, .. } if command.trim().is_empty() => Err(ApiError::usage("there is no command")),
        Command::Shell { command, .. } if command.contains('\0') => Err(ApiError::usage("a command can't contain NUL")),
        Command::Shell { command, .. } if command.len() > MAX_ARGUMENT => {
            Err(ApiError::usage(format!("the command has {} bytes; at most {MAX_ARGUMENT} are allowed", command.len()))
                .hint("put it into a script in the sandbox, and run that"))
        }
        _ => Ok(()),
    }
}

/// A version's header, which has the note, is read in one piece of 2 KiB.
const MAX_NOTE: usize = 1000;

impl Inner {
    pub(super) async fn submit(
        self: &Arc<Self>,
        client: Arc<ClientEnv>,
        request: CommandRequest,
    ) -> Result<CommandAnswer, ApiError> {
        check(&request.command)?;
        // In a task of its own: a client that is killed between the row and its beginning, which drops this future,
        // would leave a row that nobody begins before the next server.
        let inner = self.clone();
        let accepted = tokio::spawn(async move { inner.accept(client, request).await }).await;
        accepted.map_err(|e| ApiError::failed(format!("the command could not be accepted: {e}")))?
    }

    async fn accept(
        self: &Arc<Self>,
        client: Arc<ClientEnv>,
        request: CommandRequest,
    ) -> Result<CommandAnswer, ApiError> {
        let accepted = request.clone();
        let known: Result<Option<CommandRow>, StoreError> = self
            .store
            .write(Pace::Now, move |tx| {
                Box::pin(async move {
                    let known = tx.accept_command(&accepted).await?;
                    if known.is_none() {
                        // It is, as soon as this is stored: one flush for both.
                        tx.begin_command(&accepted).await?;
                    }
                    Ok(known)
                })
            })
            .await;
        if let Some(row) = known? {
            if row.request != request {
                return Err(ApiError::conflict(format!(
                    "the request id {} was used for another command ({})",
                    request.request_id, row.answer.kind
                ))
                .hint("each command needs an id of its own"));
            }
            return Ok(row.answer);
        }
        let answer = CommandAnswer {
            request_id: request.request_id,
            kind: request.command.kind().to_owned(),
            state: CommandState::Accepted,
            result: Value::Null,
            error: None,
        };
        self.begin(client, request, 1);
        Ok(answer)
    }

    pub(super) async fn answer(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        let row = self.store.command(id).await?;
        row.map(|row| row.answer).ok_or_else(|| ApiError::not_found(format!("there is no command {id}")))
    }

    pub(super) async fn interrupt(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        let answer = self.answer(id).await?;
        self.running.cancel(id);
        Ok(answer)
    }

    /// Begins what a server before this one left unfinished. Those clients are gone, and their keys with them: the
    /// configuration's must do.
    pub(super) async fn take_up(self: &Arc<Self>) -> Result<(), ApiError> {
        for id in self.store.unfinished_commands().await? {
            if let Some(row) = self.store.command(id).await? {
                tracing::info!(request = %id, kind = row.answer.kind, "taking up");
                let begun = row.request.clone();
                self.store
                    .write::<_, StoreError, _>(Pace::Now, move |tx| {
                        Box::pin(async move { tx.begin_command(&begun).await })
                    })
                    .await?;
                self.begin(Arc::default(), row.request, row.attempts + 1);
            }
        }
        Ok(())
    }

    /// Does a command, whose row says so, in a task of its own.
    fn begin(self: &Arc<Self>, client: Arc<ClientEnv>, request: CommandRequest, attempts: u64) {
        let id = request.request_id;
        let Some(cancel) = self.running.begin(id) else { return };
        let (bus, account) = (self.bus.clone(), request.account.clone());
        let progress = move |step: &str, done: Option<u64>, total: Option<u64>| {
            let progress = Progress { request_id: id, step: Untrusted::new(step), done, total };
            bus.live(&account, Live::Progress(progress));
        };
        let run = Run { request_id: id, attempts, cancel, progress: Arc::new(progress) };
        let inner = self.clone();
        self.spawn(async move {
            if let Err(error) = inner.run_to_end(&client, &request, &run).await {
                tracing::error!(request = %id, %error, "the end of a command could not be stored");
            }
            inner.running.end(id);
        });
    }

    async fn run_to_end(
        self: &Arc<Self>,
        client: &ClientEnv,
        request: &CommandRequest,
        run: &Run,
    ) -> Result<(), StoreError> {
        let outcome = self.perform(client, request, run).await;
        if let Err(error) = &outcome {
            tracing::info!(request = %run.request_id, kind = request.command.kind(), %error, "a command failed");
        }
        let request = request.clone();
        self.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| {
                Box::pin(async move {
                    let outcome = match outcome {
                        Ok(outcome) => {
                            if let Some(row) = &outcome.sandbox {
                                tx.change_sandbox(row).await?;
                            }
                            for event in outcome.events {
                                tx.append_event(&request.account, request.profile, event).await?;
                            }
                            Ok(outcome.result)
                        }
                        Err(error) => Err(error),
                    };
                    tx.end_command(&request, &outcome).await
                })
            })
            .await
    }

    async fn perform(
        self: &Arc<Self>,
        client: &ClientEnv,
        request: &CommandRequest,
        run: &Run,
    ) -> Result<Outcome, ApiError> {
        match request.command.clone() {
            Command::SandboxCreate { name, config, timeout_secs } => {
                if config.account_id != request.account {
                    return Err(ApiError::usage("the configuration names another account than the request"));
                }
                self.create(request, client, run, name, config, timeout_secs).await
            }
            Command::SandboxTerminate { sandbox, save } => self.terminate(request, client, run, &sandbox, save).await,
            Command::VersionSave { sandbox, note } => {
                let found = self.find(client, &request.account, request.profile, &sandbox).await?;
                found.must_run()?;
                let place = self.places.place(request.profile, &client.env).await?;
                let saved = versions::save(&place, &found.workspace(), &request.account, &note, run).await?;
                let event = EventBody::Version { version: saved.version.clone() };
                Ok(Outcome::of(&saved)?.with(vec![event]))
            }
            Command::VersionRestore { sandbox, version, dry_run } => {
                let changes = self.restore(client, request, run, &sandbox, &version, dry_run).await?;
                Outcome::of(&changes)
            }
            Command::Chat { sandbox, conversation, prompt } => {
                let turn = self.chat(client, request, run, &sandbox, conversation, prompt).await?;
                Outcome::of(&turn)
            }
            Command::Shell { sandbox, command } => {
                Outcome::of(&self.shell(client, request, run, &sandbox, command).await?)
            }
        }
    }

    async fn restore(
        &self,
        client: &ClientEnv,
        request: &CommandRequest,
        run: &Run,
        sandbox: &str,
        version: &str,
        dry_run: bool,
    ) -> Result<Changes, ApiError> {
        let found = self.find(client, &request.account, request.profile, sandbox).await?;
        found.must_run()?;
        let place = self.places.place(request.profile, &client.env).await?;
        if let Some(row) = found.row.as_ref().filter(|_| !dry_run) {
            for other in self.sharing(row).await? {
                run.step(&format!("{other} has the same workspace: it changes there too"));
            }
        }
        versions::restore(&place, &found.workspace(), &request.account, version, dry_run, run).await
    }
}
