//! A command in a sandbox: started once by an id of ours, its output by offset, its input in order. It goes to the
//! sandbox's own worker, the command router.

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::time::sleep;

use super::{
    error::{ErrorKind, ModalError},
    reading::{Reading, Source, StdioFd},
    retry::{MAX_BREAKS, Policy, ROUTER},
    router::Router,
    sandboxes::Sandbox,
    secrets::{SecretValues, named_source},
};
use crate::{
    core::ExecId,
    proto::{
        client::{PtyInfo, pty_info::PtyType},
        task_command_router::{
            TaskExecPollRequest, TaskExecStartRequest, TaskExecStderrConfig, TaskExecStdinWriteRequest,
            TaskExecStdoutConfig, TaskExecWaitRequest, TaskReloadVolumesRequest, task_exec_poll_response,
            task_exec_wait_response,
        },
    },
};

/// All arguments together; Modal's SDKs refuse more, and Modal itself above twice that.
const MAX_ARGUMENTS: usize = 64 << 10;

/// Between two questions whether a command has ended.
const PAUSE: Duration = Duration::from_secs(1);

/// One piece of input.
const INPUT_PIECE: usize = 256 << 10;

/// A terminal for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pty {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
    /// `TERM`.
    pub term: String,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct ExecRequest {
    /// Ours: the same id starts once.
    pub exec_id: ExecId,
    /// argv.
    pub command: Vec<String>,
    /// Absolute folder; the sandbox's own when absent.
    pub workdir: Option<String>,
    /// Names of secrets whose keys become variables.
    pub secrets: Vec<String>,
    /// Variables; they win over the secrets.
    pub env: SecretValues,
    /// A terminal; pipes when absent.
    pub pty: Option<Pty>,
    /// It is killed when it is so old.
    pub timeout: Option<Duration>,
}

impl ExecRequest {
    /// A command with pipes and nothing else.
    pub fn new(exec_id: ExecId, command: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            exec_id,
            command: command.into_iter().map(Into::into).collect(),
            workdir: None,
            secrets: Vec::new(),
            env: SecretValues::default(),
            pty: None,
            timeout: None,
        }
    }

    fn check(&self) -> Result<(), String> {
        let length: usize = self.command.iter().map(String::len).sum();
        if self.command.is_empty() {
            return Err("there is no command".to_owned());
        }
        if length > MAX_ARGUMENTS {
            return Err(format!("its arguments have {length} bytes; at most {MAX_ARGUMENTS} are allowed"));
        }
        if self.workdir.as_ref().is_some_and(|w| !w.starts_with('/')) {
            return Err("its working directory must be absolute".to_owned());
        }
        Ok(())
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecExit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl ExecExit {
    /// As a shell counts it: 128 + n for signal n.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// A command that was started. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Exec {
    router: Router,
    /// Its id.
    pub id: ExecId,
}

impl Sandbox {
    /// Starts a command; one that was started under this id is not started again.
    ///
    /// # Errors
    /// It can't be started, or the calls'.
    pub async fn exec(&self, request: &ExecRequest) -> Result<Exec, ModalError> {
        let action = "start the command";
        request.check().map_err(|e| ModalError::new(ErrorKind::Invalid, action, e))?;
        let mut sources = Vec::new();
        for name in &request.secrets {
            sources.push(named_source(&self.modal.secret(name, &[]).await?));
        }
        if !request.env.is_empty() {
            sources.push(request.env.source());
        }
        let message = |task: &str| TaskExecStartRequest {
            task_id: task.to_owned(),
            exec_id: request.exec_id.to_string(),
            command_args: request.command.clone(),
            stdout_config: TaskExecStdoutConfig::Pipe.into(),
            stderr_config: TaskExecStderrConfig::Pipe.into(),
            timeout_secs: request.timeout.map(|t| u32::try_from(t.as_secs()).unwrap_or(u32::MAX)),
            workdir: request.workdir.clone(),
            pty_info: request.pty.as_ref().map(|pty| PtyInfo {
                enabled: true,
                winsz_rows: pty.rows.into(),
                winsz_cols: pty.columns.into(),
                env_term: pty.term.clone(),
                env_colorterm: "truecolor".to_owned(),
                pty_type: PtyType::Shell.into(),
                no_terminate_on_idle_stdin: true,
                ..PtyInfo::default()
            }),
            secret_sources: sources.clone(),
            ..TaskExecStartRequest::default()
        };
        self.router
            .call(action, ROUTER, message, |mut c, r| Box::pin(async move { c.task_exec_start(r).await }))
            .await?;
        Ok(self.started(request.exec_id))
    }

    /// A command that was started before, by its id.
    pub fn started(&self, id: ExecId) -> Exec {
        Exec { router: self.router.clone(), id }
    }

    /// Shows the sandbox what others have committed to its volumes. Refused while files on them are open.
    ///
    /// # Errors
    /// Refused, or the call's.
    pub async fn reload_volumes(&self) -> Result<(), ModalError> {
        let policy = Policy { retries: 0, ..ROUTER }.within(Duration::from_secs(60));
        let message = |task: &str| TaskReloadVolumesRequest { task_id: task.to_owned(), ..Default::default() };
        self.router
            .call("reload the volumes", policy, message, |mut c, r| {
                Box::pin(async move { c.task_reload_volumes(r).await })
            })
            .await?;
        Ok(())
    }
}

impl Exec {
    /// Output from an offset until the command has closed that descriptor. A broken connection is mended at the byte
    /// where it broke: nothing is lost, nothing comes twice.
    pub fn read(&self, fd: StdioFd, offset: u64) -> impl Stream<Item = Result<Bytes, ModalError>> + Send + use<> {
        Reading::stream(&self.router, Source::Exec(self.id), fd, offset)
    }

    /// The way to its standard input, from the first byte on.
    pub fn stdin(&self) -> ExecStdin {
        self.stdin_from(0)
    }

    /// The way to its standard input for a writer that has written `offset` bytes before.
    pub fn stdin_from(&self, offset: u64) -> ExecStdin {
        ExecStdin { exec: self.clone(), offset }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The sandbox is gone, or the call's.
    pub async fn wait(&self) -> Result<ExecExit, ModalError> {
        let action = "wait for the command";
        let policy = Policy { retries: 0, ..ROUTER }.within(Duration::from_secs(60));
        let mut breaks = 0;
        loop {
            let message = |task: &str| TaskExecWaitRequest { task_id: task.to_owned(), exec_id: self.id.to_string() };
            let start = tokio::time::Instant::now();
            let outcome = self
                .router
                .call(action, policy, message, |mut c, r| Box::pin(async move { c.task_exec_wait(r).await }))
                .await;
            match outcome {
                Ok(answer) => match answer.exit_status {
                    Some(task_exec_wait_response::ExitStatus::Code(code)) => return Ok(ExecExit::Code(code)),
                    Some(task_exec_wait_response::ExitStatus::Signal(s)) => return Ok(ExecExit::Signal(s)),
                    None => {
                        breaks = 0;
                        // The other side holds the question; one that doesn't is not asked without a pause.
                        sleep(PAUSE.saturating_sub(start.elapsed())).await;
                    }
                },
                // The deadline of one question is no failure: it is asked again, as long as it takes.
                Err(error) if error.kind == ErrorKind::Unavailable => {
                    breaks = if start.elapsed() >= Duration::from_secs(50) { 0 } else { breaks + 1 };
                    if breaks > MAX_BREAKS {
                        return Err(error);
                    }
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// It isn't known, or the call's.
    pub async fn poll(&self) -> Result<Option<ExecExit>, ModalError> {
        let message = |task: &str| TaskExecPollRequest { task_id: task.to_owned(), exec_id: self.id.to_string() };
        let answer = self
            .router
            .call("look at the command", ROUTER, message, |mut c, r| Box::pin(async move { c.task_exec_poll(r).await }))
            .await?;
        Ok(answer.exit_status.map(|status| match status {
            task_exec_poll_response::ExitStatus::Code(code) => ExecExit::Code(code),
            task_exec_poll_response::ExitStatus::Signal(signal) => ExecExit::Signal(signal),
        }))
    }
}

/// Writes to a command's standard input, in order. One writer for each command.
#[derive(Debug)]
pub struct ExecStdin {
    exec: Exec,
    offset: u64,
}

impl ExecStdin {
    /// Writes bytes. A piece that is sent again after a break is told by its offset and taken once.
    ///
    /// # Errors
    /// The command has ended ([`ErrorKind::Conflict`]), or the call's.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ModalError> {
        for piece in bytes.chunks(INPUT_PIECE) {
            self.send(Bytes::copy_from_slice(piece), false).await?;
        }
        Ok(())
    }

    /// Closes it.
    ///
    /// # Errors
    /// As [`ExecStdin::write`].
    pub async fn close(&mut self) -> Result<(), ModalError> {
        self.send(Bytes::new(), true).await
    }

    async fn send(&mut self, data: Bytes, eof: bool) -> Result<(), ModalError> {
        let exec = &self.exec;
        let message = |task: &str| TaskExecStdinWriteRequest {
            task_id: task.to_owned(),
            exec_id: exec.id.to_string(),
            offset: self.offset,
            data: data.clone(),
            eof,
        };
        exec.router
            .call("write to the command", ROUTER, message, |mut c, r| {
                Box::pin(async move { c.task_exec_stdin_write(r).await })
            })
            .await?;
        self.offset += data.len() as u64;
        Ok(())
    }
}
