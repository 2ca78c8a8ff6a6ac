//! Conversations: prompts in, turns followed to their end, transcripts.
//!
//! Before anything runs the prompt is an item, the run of the CLI an exec row with all that starts it but the keys, and
//! a long prompt the lines of an outbox. From then on any server can go on with the turn (`turn`).

mod order;
mod pages;
pub mod reader;
mod shell;
mod turn;

use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{clients::ClientEnv, errors::interrupted, inner::Inner, run::Run, sandboxes::Found, shim::Launch};
use crate::{
    agent::{Conversation, Invocation, Session},
    api::{ApiError, CommandRequest, command::Turn},
    config::ClaudeKeys,
    core::{ClaudeExecConfig, ConversationId, ExecId, Item, RequestId, Untrusted, Usage},
    inside::words::PIECE,
    store::{ConversationRow, ExecRow, ExecState, Pace, StoreError},
};

/// Size of the terminal that the CLI runs on. It folds no line and draws nothing there; tools of it may ask.
const TERMINAL: (u16, u16) = (50, 200);

/// All that starts a run of the CLI but the keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Spec {
    command: Vec<String>,
    env: std::collections::BTreeMap<String, String>,
    workdir: String,
    /// The prompt comes by standard input.
    stdin: bool,
    /// What the conversation had cost before.
    before: Usage,
}

impl Spec {
    fn launch(&self, keys: &ClaudeKeys, forget: Vec<ExecId>) -> Launch {
        let keys = keys.variables.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        Launch {
            command: self.command.clone(),
            workdir: Some(self.workdir.clone()),
            pty: Some(TERMINAL),
            stdin: if self.stdin { "pipe" } else { "pty" },
            // What we set wins: it is what the turn rests on.
            env: keys.chain(self.env.clone()).collect(),
            forget,
        }
    }
}

/// The conversation has a turn under way for as long as this lives.
struct TurnGuard(Arc<Inner>, ConversationId);

impl Drop for TurnGuard {
    fn drop(&mut self) {
        self.0.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Characters of a title: more than a line of any screen.
const MAX_TITLE: usize = 200;

/// What a conversation is about, as its prompt begins.
fn title(prompt: &str) -> Untrusted {
    let line = prompt.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Untrusted::new(line.trim().chars().take(MAX_TITLE).collect::<String>())
}

impl Inner {
    fn claim_turn(
        self: &Arc<Self>,
        conversation: ConversationId,
        request: RequestId,
        sandbox: &str,
    ) -> Result<TurnGuard, ApiError> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = turns.get(&conversation) {
            return Err(ApiError::conflict("a turn of this conversation is running").hint(format!(
                "wait for its end, or follow it with `sandbank chat {sandbox} --request-id {running}`, where ctrl-c \
                 stops it"
            )));
        }
        turns.insert(conversation, request);
        Ok(TurnGuard(self.clone(), conversation))
    }

    /// One prompt and all that follows. Done again after a crash, it goes on where the server before stopped.
    pub(super) async fn chat(
        self: &Arc<Self>,
        client: &ClientEnv,
        request: &CommandRequest,
        run: &Run,
        sandbox: &str,
        conversation: Option<ConversationId>,
        prompt: String,
    ) -> Result<Turn, ApiError> {
        // The same for all attempts: the CLI runs once.
        let id = ExecId(request.request_id.0);
        if let Some(row) = self.store.exec(id).await? {
            return self.chat_again(client, request, run, row).await;
        }
        let keys = self.keys(client).await?;
        if !keys.can_sign_in() {
            return Err(ApiError::not_configured(ClaudeKeys::missing()).hint(ClaudeKeys::remedy()));
        }
        let found = self.find_running(client, &request.account, request.profile, sandbox).await?;
        let conversation = self.conversation_row(request, &found, conversation).await?;
        let guard = self.claim_turn(conversation.conversation, request.request_id, &found.info.name)?;
        // Read again: the turn before this one may have ended, and named another session, just now.
        let conversation = match self.store.conversation(conversation.conversation).await? {
            Some(row) => ConversationRow { sandbox_id: found.info.sandbox_id.clone(), ..row },
            None => conversation,
        };
        if run.cancel.is_cancelled() {
            return Err(interrupted());
        }
        let session = conversation.session.clone().map_or(Session::New, Session::Resume);
        let invocation = Invocation::new(
            &ClaudeExecConfig::new(prompt.as_str()),
            Some(&Conversation { id: conversation.conversation, session }),
        );
        let spec = Spec {
            command: invocation.command,
            env: invocation.env,
            workdir: found.workdir(),
            stdin: invocation.stdin.is_some(),
            before: self.store.usage(conversation.conversation).await?,
        };
        let stored = serde_json::to_string(&spec).map_err(|e| ApiError::failed(e.to_string()))?;
        let sandbox_id = found.info.sandbox_id.clone();
        let row = ExecRow {
            conversation: Some(conversation.conversation),
            ..ExecRow::new(id, request.account.clone(), request.profile, sandbox_id, stored)
        };
        self.store_prompt(&conversation, &row, prompt, invocation.stdin).await?;
        let turn = turn::Turning::new(self, run, found, conversation, row, spec, Vec::new());
        turn.start(Some(&keys)).await.run(guard).await
    }

    /// A turn whose rows are there: the CLI may have been started, may even have ended.
    async fn chat_again(
        self: &Arc<Self>,
        client: &ClientEnv,
        request: &CommandRequest,
        run: &Run,
        row: ExecRow,
    ) -> Result<Turn, ApiError> {
        let Some(conversation) = row.conversation else {
            return Err(ApiError::conflict(format!("{} is the id of a command, not of a turn", row.exec_id)));
        };
        let guard = self.claim_turn(conversation, request.request_id, row.sandbox_id.as_str())?;
        let gone = || ApiError::failed("the conversation's row is gone");
        let conversation = self.store.conversation(conversation).await?.ok_or_else(gone)?;
        let spec: Spec =
            serde_json::from_str(&row.spec).map_err(|e| ApiError::failed(format!("the turn's row: {e}")))?;
        let found = self.found_again(client, &row).await?;
        let lines = self.stored_lines(request).await?;
        let accepted = row.state == ExecState::Accepted;
        let turn = turn::Turning::new(self, run, found, conversation, row, spec, lines);
        // One that was perhaps not started needs the keys, and the client that had them is gone. Without them it can
        // only be looked for.
        let keys = match accepted {
            true => Some(self.keys(client).await?).filter(ClaudeKeys::can_sign_in),
            false => None,
        };
        let turn = turn.start(keys.as_ref()).await;
        let turn =
            if accepted && keys.is_none() { turn.or_else_missing(ClaudeKeys::missing().to_owned()) } else { turn };
        turn.run(guard).await
    }

    /// The sandbox that an earlier attempt found, which may have ended since.
    async fn found_again(&self, client: &ClientEnv, row: &ExecRow) -> Result<Found, ApiError> {
        let modal = self.places.modal(row.profile, &client.env).await?;
        let rows = self.store.sandboxes(&row.account, row.profile).await?;
        let sandbox = rows.into_iter().find(|r| r.sandbox_id.as_ref() == Some(&row.sandbox_id));
        Ok(Found {
            info: sandbox
                .as_ref()
                .and_then(|r| r.info())
                .ok_or_else(|| ApiError::failed("the sandbox's row is gone"))?,
            row: sandbox,
            sandbox: self.sandbox_client(&modal, &row.sandbox_id),
        })
    }

    /// The CLI's lines of a turn that are stored, in order.
    async fn stored_lines(&self, request: &CommandRequest) -> Result<Vec<String>, ApiError> {
        let Some(row) = self.store.exec(ExecId(request.request_id.0)).await? else { return Ok(Vec::new()) };
        let Some(conversation) = row.conversation else { return Ok(Vec::new()) };
        let events = self.store.events_about(&request.account, &conversation.to_string()).await?;
        Ok(events
            .into_iter()
            .filter_map(|event| match event.body {
                crate::api::EventBody::Line { request_id, raw, .. } if request_id == Some(request.request_id) => {
                    Some(raw.raw().to_owned())
                }
                _ => None,
            })
            .collect())
    }

    /// Keys for the CLI: a client's own, then the configuration's.
    pub(super) async fn keys(&self, client: &ClientEnv) -> Result<ClaudeKeys, ApiError> {
        let (claude, env) = (self.config.claude.clone(), client.env.clone());
        // A key may come from a command that asks a password manager.
        tokio::task::spawn_blocking(move || claude.keys(&env))
            .await
            .map_err(|e| ApiError::failed(e.to_string()))?
            .map_err(|e| ApiError::not_configured(e.to_string()))
    }

    /// The named conversation, the sandbox's latest, or a new one.
    async fn conversation_row(
        &self,
        request: &CommandRequest,
        found: &Found,
        named: Option<ConversationId>,
    ) -> Result<ConversationRow, ApiError> {
        let sandbox_id = found.info.sandbox_id.clone();
        let known = match named {
            Some(id) => {
                let row = self.store.conversation(id).await?;
                let ours = row.filter(|r| r.account == request.account && r.profile == request.profile);
                Some(ours.ok_or_else(|| ApiError::not_found(format!("there is no conversation {id}")))?)
            }
            None => self.store.latest_conversation(&sandbox_id).await?,
        };
        Ok(known.unwrap_or_else(|| ConversationRow {
            // Of the command's id, so that an attempt after a crash finds its own.
            conversation: ConversationId(uuid::Uuid::new_v5(&request.request_id.0, b"conversation")),
            account: request.account.clone(),
            profile: request.profile,
            sandbox_id,
            session: None,
            title: None,
            model: None,
            context_tokens: None,
            created_at: Timestamp::now(),
        }))
    }

    async fn store_prompt(
        &self,
        conversation: &ConversationRow,
        row: &ExecRow,
        prompt: String,
        stdin: Option<String>,
    ) -> Result<(), ApiError> {
        let (mut conversation, row) = (conversation.clone(), row.clone());
        conversation.title = Some(title(&prompt));
        self.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| {
                Box::pin(async move {
                    tx.put_conversation(&conversation).await?;
                    let item = Item::prompt(format!("{}/prompt", row.exec_id), prompt);
                    tx.put_item(&row.account, conversation.conversation, item).await?;
                    tx.add_exec(&row).await?;
                    let Some(stdin) = stdin else { return Ok(()) };
                    let mut number = 0;
                    for piece in stdin.as_bytes().chunks(PIECE) {
                        number += 1;
                        tx.add_outbox(row.exec_id, number, piece).await?;
                    }
                    // An empty line is the end of the input.
                    tx.add_outbox(row.exec_id, number + 1, &[]).await
                })
            })
            .await?;
        Ok(())
    }
}
