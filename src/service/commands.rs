//! Commands: a row first, then the work in a task of its own, then the row's end. What a server that died left
//! unfinished the next one takes up here.

use std::sync::Arc;

use serde_json::Value;

use super::{clients::ClientEnv, errors::interrupted, inner::Inner, names, outcome::Outcome, run::Run, versions};
use crate::{
    agent::command::MAX_ARGUMENT,
    api::{
        ApiError, Command, CommandAnswer, CommandRequest, CommandState, ErrorCode, EventBody, Live, command::Changes,
        event::Progress,
    },
    core::{ClaudeExecConfig, RequestId, Untrusted},
    store::{CommandRow, Pace, StoreError},
};

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
        row.map(|row| row.answer).ok_or_else(|| {
            ApiError::not_found(format!("the server has no command with the id {id}"))
                .hint("it never came, or the id is another one: nothing was done under it")
        })
    }

    /// One that has not come yet is stopped when it comes, although nothing is known of it now.
    pub(super) async fn interrupt(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        let answer = self.answer(id).await;
        let over = match &answer {
            Ok(answer) => answer.state.is_final(),
            Err(error) => error.code != ErrorCode::NotFound,
        };
        if !over {
            self.running.cancel(id);
        }
        answer
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
        // One that was begun before may have done something: it stops in its own way.
        if run.attempts == 1 && run.cancel.is_cancelled() {
            return Err(interrupted());
        }
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
            Command::VersionRestore { sandbox, version, dry_run, expected } => {
                let wish = versions::Wish { version: &version, dry_run, expected: expected.as_deref() };
                let changes = self.restore(client, request, run, &sandbox, wish).await?;
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
        wish: versions::Wish<'_>,
    ) -> Result<Changes, ApiError> {
        let found = self.find(client, &request.account, request.profile, sandbox).await?;
        found.must_run()?;
        let place = self.places.place(request.profile, &client.env).await?;
        let shared_with = match &found.row {
            Some(row) => self.sharing(row).await?,
            None => Vec::new(),
        };
        let changes = versions::restore(&place, &found.workspace(), &request.account, wish, run).await?;
        Ok(Changes { shared_with, ..changes })
    }
}
