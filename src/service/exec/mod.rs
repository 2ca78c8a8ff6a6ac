//! A command in a sandbox for a client: its bytes by their offsets, so that a client which lost its connection comes
//! again and misses and repeats nothing.
//!
//! Every command runs under the shim: it has a terminal that can be resized, takes signals, and outlives the server.
//! The shim counts the bytes of both streams together; here they are counted apart.

mod input;
mod pump;

use std::sync::{Arc, atomic::Ordering};

use futures::{StreamExt, stream::BoxStream};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use self::{input::Input, pump::Pump};
use super::{
    clients::ClientEnv,
    inner::Inner,
    marks::Mark,
    sandboxes::Found,
    shim::{Followed, IMPATIENT, Launch, Way},
};
use crate::{
    api::{ApiError, ExecClientFrame, ExecServerFrame, ExecStart, exec::Pty},
    core::{ExecId, SandboxId, sandbox::absolute},
    store::{ExecRow, ExecState, Pace, StoreError},
};

/// Frames that may wait for a client, of at most 64 KiB each.
const WAITING: usize = 64;

/// Output that the sandbox keeps at least for a client that comes again; at most twice as much. The shim stops reading
/// at 1 GiB.
const KEPT: u64 = 256 << 20;

/// An exec that a client follows.
pub struct ExecSession {
    /// Output, and what is said once; ends after `Ended` or `Error`.
    pub output: BoxStream<'static, ExecServerFrame>,
    /// Where the client's frames go; dropping it ends nothing (the client may come again).
    pub input: mpsc::Sender<ExecClientFrame>,
}

/// What the row keeps to start it again after a crash between the row and the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Spec {
    pub command: Vec<String>,
    pub workdir: String,
    pub pty: Option<Pty>,
}

impl Spec {
    /// Whether a request asks for this command. Where a client left the folder out, it got the sandbox's own.
    fn is(&self, start: &ExecStart) -> bool {
        self.command == start.command
            && self.pty.is_some() == start.pty.is_some()
            && start.workdir.as_ref().is_none_or(|dir| *dir == self.workdir)
    }

    pub fn launch(&self, forget: Vec<ExecId>) -> Launch {
        Launch {
            command: self.command.clone(),
            workdir: Some(self.workdir.clone()),
            pty: self.pty.as_ref().map(|p| (p.rows, p.cols)),
            stdin: if self.pty.is_some() { "pty" } else { "pipe" },
            env: self.pty.iter().map(|p| ("TERM", p.term.clone())).collect(),
            forget,
        }
    }
}

/// A count of running sessions that can't be forgotten.
struct Session(Arc<Inner>);

impl Session {
    fn new(inner: &Arc<Inner>) -> Self {
        inner.sessions.fetch_add(1, Ordering::Relaxed);
        Self(inner.clone())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    pub(super) async fn exec(
        self: &Arc<Self>,
        client: &ClientEnv,
        sandbox: &str,
        start: ExecStart,
    ) -> Result<ExecSession, ApiError> {
        let id = ExecId(start.request_id.0);
        let known = self.store.exec(id).await?;
        let name = known.as_ref().map_or(sandbox, |row| row.sandbox_id.as_str());
        let found = self.find_running(client, &start.account, start.profile, name).await?;
        let row = match known {
            Some(row) => row,
            None => self.new_exec(id, &start, &found).await?,
        };
        if row.conversation.is_some() {
            return Err(ApiError::conflict(format!("{id} is the id of a conversation's command"))
                .hint("each command needs an id of its own"));
        }
        let spec: Spec =
            serde_json::from_str(&row.spec).map_err(|e| ApiError::failed(format!("the row of {id}: {e}")))?;
        if !spec.is(&start) {
            return Err(ApiError::conflict(format!("the request id {id} was used for another command"))
                .hint("each command needs an id of its own"));
        }
        let mark = match (row.committed, self.marks.get(id)) {
            (0, _) => Mark::default(),
            // A terminal has one stream.
            (committed, _) if spec.pty.is_some() => Mark { offset: committed, out: committed, err: 0 },
            (_, Some(mark)) => mark,
            (committed, None) => {
                return Err(ApiError::failed(format!(
                    "the first {committed} bytes of its output were forgotten before the server was started again, and \
                     what follows can't be told apart any more"
                )));
            }
        };
        if start.stdout_from < mark.out || start.stderr_from < mark.err {
            return Err(ApiError::failed(format!(
                "its output before byte {} was forgotten; the command goes on",
                mark.out
            )));
        }
        let way = match row.state {
            ExecState::Accepted => {
                Way::Start(Box::new(spec.launch(self.spools.old(&self.store, &row.sandbox_id).await)))
            }
            _ => Way::Attach,
        };
        let (output, receiver) = mpsc::channel(WAITING);
        let (input, frames) = mpsc::channel(WAITING);
        let pump = Pump {
            id,
            followed: Followed::new(found.sandbox.clone(), id, way, mark.offset, IMPATIENT),
            found,
            ended: row.exit_code,
            known: row.state != ExecState::Accepted,
            output,
            at: mark,
            mark: None,
            committed: row.committed,
            has: (start.stdout_from, start.stderr_from),
            input: Input::default(),
            _session: Session::new(self),
            inner: self.clone(),
        };
        self.spawn(async move {
            // An error is a client that went away: it comes again, or nobody is interested.
            let _ = pump.run(frames).await;
        });
        Ok(ExecSession { output: ReceiverStream::new(receiver).boxed(), input })
    }

    /// Stores a command's end, a little later. From then on its output may go.
    fn note_end(self: &Arc<Self>, id: ExecId, sandbox: &SandboxId, code: Option<i32>, reason: Option<String>) {
        let (inner, sandbox) = (self.clone(), sandbox.clone());
        self.spawn(async move {
            let stored: Result<(), StoreError> = inner
                .store
                .write(Pace::Grouped, move |tx| {
                    Box::pin(async move { tx.exec_ended(id, code, reason.as_deref()).await })
                })
                .await;
            match stored {
                Ok(()) => inner.spools.ended(&sandbox, id),
                Err(error) => tracing::warn!(exec = %id, %error, "a command's end could not be stored"),
            }
        });
    }

    async fn new_exec(&self, id: ExecId, start: &ExecStart, found: &Found) -> Result<ExecRow, ApiError> {
        if start.command.is_empty() {
            return Err(ApiError::usage("there is no command"));
        }
        if start.command.iter().any(|word| word.contains('\0')) {
            return Err(ApiError::usage("a command's words can't contain NUL"));
        }
        let workdir = start.workdir.clone().unwrap_or_else(|| found.workdir());
        if workdir != "/" {
            absolute(&workdir).map_err(|e| ApiError::usage(format!("the working directory {e}")))?;
        }
        let spec = Spec { command: start.command.clone(), workdir, pty: start.pty.clone() };
        let spec = serde_json::to_string(&spec).map_err(|e| ApiError::failed(e.to_string()))?;
        let row = ExecRow::new(id, start.account.clone(), start.profile, found.info.sandbox_id.clone(), spec);
        let new = row.clone();
        let added: Result<bool, StoreError> =
            self.store.write(Pace::Now, move |tx| Box::pin(async move { tx.add_exec(&new).await })).await;
        if added? {
            return Ok(row);
        }
        // The same client came twice at once.
        self.store.exec(id).await?.ok_or_else(|| ApiError::failed(format!("the row of {id} is gone")))
    }
}
