//! A shell command of the user's own: it grows on the screen as it goes and becomes an item of the conversation.
//!
//! Its row and its item are there before it runs, and its spool keeps what it says until its end is stored, so any server
//! can go on with it. Nothing of Claude runs, and no key is needed; a turn may go on beside it.

mod output;

use std::{future::pending, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use self::output::{Output, TAIL};
use crate::{
    api::{ApiError, CommandRequest, OUTPUT, command::ShellEnded},
    core::{
        ConversationId, ExecId, Item, ItemBody,
        item::{Tool, ToolState},
    },
    inside::words::Frame,
    service::{
        clients::ClientEnv,
        errors::interrupted,
        exec::Spec,
        inner::Inner,
        run::Run,
        sandboxes::Found,
        shim::{Followed, Launch, PATIENT, Way, Word},
        stop::Stop,
    },
    store::{ExecRow, ExecState, Pace, StoreError},
};

/// Pauses between two pieces that followers are shown: nobody reads faster, and a flood stays a trickle.
const SHOW: Duration = Duration::from_millis(50);

/// Output that a sandbox keeps for a server that comes after this one. The shim stops the command at 1 GiB.
const KEPT: u64 = 64 << 20;

/// A command that is followed.
struct Shell {
    inner: Arc<Inner>,
    run: Run,
    found: Found,
    row: ExecRow,
    conversation: ConversationId,
    command: String,
    followed: Followed,
    output: Output,
    committed: u64,
    /// When followers are shown what came.
    show: Option<Instant>,
    stop: Stop,
}

impl Inner {
    /// One shell command in a sandbox, to its end. Done again after a crash, it goes on where the server before stopped.
    pub(in crate::service) async fn shell(
        self: &Arc<Self>,
        client: &ClientEnv,
        request: &CommandRequest,
        run: &Run,
        sandbox: &str,
        command: String,
    ) -> Result<ShellEnded, ApiError> {
        // The same for all attempts: the command runs once.
        let id = ExecId(request.request_id.0);
        let (row, found) = match self.store.exec(id).await? {
            Some(row) => {
                let found = self.found_again(client, &row).await?;
                (row, found)
            }
            None => {
                let found = self.find_running(client, &request.account, request.profile, sandbox).await?;
                if run.cancel.is_cancelled() {
                    return Err(interrupted());
                }
                (self.new_shell(request, &found, &command).await?, found)
            }
        };
        let Some(conversation) = row.conversation else {
            return Err(ApiError::conflict(format!("{id} is the id of a command of another kind"))
                .hint("each command needs an id of its own"));
        };
        let way = match row.state {
            ExecState::Accepted => {
                let spec: Spec = serde_json::from_str(&row.spec).map_err(|e| ApiError::failed(e.to_string()))?;
                let forget = self.spools.old(&self.store, &row.sandbox_id).await;
                // It is asked nothing: who types goes into the sandbox's own terminal.
                Way::Start(Box::new(Launch { stdin: "null", ..spec.launch(forget) }))
            }
            _ => Way::Attach,
        };
        let output = match row.committed {
            0 => Output::default(),
            committed => {
                let head = self.store.item(conversation, &request.request_id.to_string()).await?;
                let head = head.and_then(|item| match item.item.body {
                    ItemBody::Tool(tool) => Some(tool.output),
                    _ => None,
                });
                Output::resumed(head.unwrap_or_default().raw(), committed)
            }
        };
        let shell = Shell {
            inner: self.clone(),
            run: run.clone(),
            followed: Followed::new(found.sandbox.clone(), id, way, row.committed, PATIENT),
            found,
            committed: row.committed,
            row,
            conversation,
            command,
            output,
            show: None,
            stop: Stop::default(),
        };
        shell.follow().await
    }

    /// Stores a command that is about to be started, with its item.
    async fn new_shell(&self, request: &CommandRequest, found: &Found, command: &str) -> Result<ExecRow, ApiError> {
        let conversation = self.conversation_row(request, found, None).await?;
        // One pipe for both streams keeps their order.
        let words = ["sh", "-c", "exec sh -c -- \"$0\" 2>&1", command].map(str::to_owned);
        let spec = Spec { command: words.into(), workdir: found.workdir(), pty: None };
        let (id, stored) = (ExecId(request.request_id.0), serde_json::to_string(&spec));
        let stored = stored.map_err(|e| ApiError::failed(e.to_string()))?;
        let sandbox_id = found.info.sandbox_id.clone();
        let row = ExecRow {
            conversation: Some(conversation.conversation),
            ..ExecRow::new(id, request.account.clone(), request.profile, sandbox_id, stored)
        };
        let tool = Tool { state: ToolState::Running, ..tool(command) };
        let (new, item) = (row.clone(), item(&row, tool));
        self.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| {
                Box::pin(async move {
                    // One that is there may have a turn under way, which knows its session better.
                    tx.add_conversation(&conversation).await?;
                    tx.put_item(&new.account, conversation.conversation, item).await?;
                    tx.add_exec(&new).await
                })
            })
            .await?;
        Ok(row)
    }
}

fn tool(command: &str) -> Tool {
    Tool { name: "Shell".into(), input: json!({ "command": command }), ..Tool::default() }
}

fn item(row: &ExecRow, tool: Tool) -> Item {
    let timestamp = Some(row.created_at.to_string());
    Item { key: row.exec_id.to_string(), parent: None, timestamp, body: ItemBody::Tool(tool) }
}

impl Shell {
    async fn follow(mut self) -> Result<ShellEnded, ApiError> {
        let cancel = self.run.cancel.clone();
        loop {
            let show = self.show;
            tokio::select! {
                word = self.followed.next() => match word {
                    Ok(Word::Exit(code)) => return self.ended(code).await,
                    Ok(Word::Lost(reason)) => {
                        let error = ApiError::failed(format!("the command can't be followed any longer: {reason}"));
                        return self.failed(error).await;
                    }
                    Ok(Word::Output { bytes, .. }) => {
                        self.output.push(&bytes);
                        self.show.get_or_insert_with(|| Instant::now() + SHOW);
                        self.forget().await?;
                    }
                    Ok(Word::Ready { .. }) => {
                        let id = self.row.exec_id;
                        self.inner.note(move |tx| Box::pin(async move { tx.exec_started(id).await }));
                    }
                    Ok(Word::Taken(_)) => {}
                    Err(error) => return self.failed(error).await,
                },
                () = cancel.cancelled(), if !self.stop.begun() => self.stop.begin(),
                number = self.stop.due() => {
                    self.followed.send(&[Frame::Signal { number }]).await;
                }
                () = async { match show { Some(at) => sleep_until(at).await, None => pending().await } } => self.show(),
            }
        }
    }

    /// Shows what is new.
    fn show(&mut self) {
        self.show = None;
        if let Some((from, text)) = self.output.unseen() {
            let key = self.row.exec_id.to_string();
            self.inner.bus.grow(&self.row.account, self.conversation, &key, OUTPUT, from, text);
        }
    }

    /// Lets the sandbox forget the middle of a long output: its beginning is stored, its end can be read again.
    async fn forget(&mut self) -> Result<(), StoreError> {
        let offset = self.output.total().saturating_sub(TAIL as u64);
        if offset.saturating_sub(self.committed) < KEPT {
            return Ok(());
        }
        let tool = Tool { state: ToolState::Running, output: self.output.head().into(), ..tool(&self.command) };
        let (row, conversation, item) = (self.row.clone(), self.conversation, item(&self.row, tool));
        self.inner
            .store
            .write::<_, StoreError, _>(Pace::Grouped, move |tx| {
                Box::pin(async move {
                    tx.put_item(&row.account, conversation, item).await?;
                    tx.exec_committed(row.exec_id, offset).await
                })
            })
            .await?;
        self.committed = offset;
        self.output.closed();
        self.followed.send(&[Frame::Commit { offset }]).await;
        Ok(())
    }

    /// It ended by itself, or was stopped.
    async fn ended(mut self, exit_code: i32) -> Result<ShellEnded, ApiError> {
        // One that had ended before it was told to has not been stopped.
        let stopped = self.stop.begun();
        let state = match exit_code {
            _ if stopped => ToolState::Interrupted,
            0 => ToolState::Done,
            _ => ToolState::Failed,
        };
        let tool = Tool { state, output: self.output.text().into(), exit_code: Some(exit_code), ..tool(&self.command) };
        self.store(tool, Some(exit_code), None).await?;
        // As after a turn: others may see what it wrote, and nobody has to wait for it.
        let (inner, sandbox) = (self.inner.clone(), self.found.sandbox.clone());
        let workspace = [self.found.workspace().root.to_owned()];
        self.inner.spawn(async move { inner.commit(&sandbox, &workspace).await });
        if stopped {
            return Err(ApiError::interrupted("the command was interrupted"));
        }
        Ok(ShellEnded { exit_code })
    }

    /// It could not be started, or is lost; the item says so behind what it said.
    async fn failed(mut self, error: ApiError) -> Result<ShellEnded, ApiError> {
        let error = self.inner.why(&self.found, error).await;
        let mut output = self.output.text();
        if !output.is_empty() && !output.ends_with('\n') {
            output.push('\n');
        }
        output.push_str(&error.message);
        let tool = Tool { state: ToolState::Failed, output: output.into(), ..tool(&self.command) };
        self.store(tool, None, Some(error.message.clone())).await?;
        Err(error)
    }

    /// Stores its end. From then on its output may go.
    async fn store(&mut self, tool: Tool, code: Option<i32>, reason: Option<String>) -> Result<(), StoreError> {
        let elapsed = Timestamp::now().duration_since(self.row.created_at).as_millis();
        let tool = Tool { elapsed_ms: u64::try_from(elapsed).ok(), ..tool };
        let (row, conversation, item) = (self.row.clone(), self.conversation, item(&self.row, tool));
        self.inner
            .store
            .write::<_, StoreError, _>(Pace::Now, move |tx| {
                Box::pin(async move {
                    tx.put_item(&row.account, conversation, item).await?;
                    tx.exec_ended(row.exec_id, code, reason.as_deref()).await
                })
            })
            .await?;
        self.inner.spools.ended(&self.row.sandbox_id, self.row.exec_id);
        Ok(())
    }
}
