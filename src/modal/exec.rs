//! A command in a sandbox: started once by an id of ours, its output by offset, its input in order. It goes to the
//! sandbox's own worker, the command router.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, future::BoxFuture, stream::BoxStream};
use tokio::{sync::Mutex, time::sleep};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap, transport::Channel};

use super::{
    auth,
    connection::{SHORT, channel, put},
    error::{ErrorKind, ModalError},
    retry::{self, Policy, ROUTER, is_transient},
    sandboxes::Sandbox,
    secrets::{SecretValues, named_source},
};
use crate::{
    core::{ExecId, SandboxId},
    proto::{
        MAX_MESSAGE,
        client::{
            CommandRouterAccess, PtyInfo, SandboxGetCommandRouterAccessRequest, pty_info::PtyType,
            sandbox_get_command_router_access_request::Target,
        },
        task_command_router::{
            SandboxStdioFileDescriptor, SandboxStdioReadV2Request, TaskExecPollRequest, TaskExecStartRequest,
            TaskExecStderrConfig, TaskExecStdinWriteRequest, TaskExecStdioFileDescriptor, TaskExecStdioReadRequest,
            TaskExecStdoutConfig, TaskExecWaitRequest, TaskReloadVolumesRequest,
            task_command_router_client::TaskCommandRouterClient, task_exec_poll_response, task_exec_wait_response,
        },
    },
};

/// All arguments together; Modal's SDKs refuse more, and Modal itself above twice that.
const MAX_ARGUMENTS: usize = 64 << 10;

/// One piece of input.
const INPUT_PIECE: usize = 256 << 10;

/// Breaks of an output stream in a row before it is given up; each chunk that comes counts from the start again.
const MAX_BREAKS: u32 = 10;

/// A first command that says nothing for so long has said what there is to read now.
const QUIET: Duration = Duration::from_millis(300);

/// A token with less than this to live may be why a call was refused: a new one is got, once.
const LEAST_LIFE: Duration = Duration::from_secs(30);

/// How long a worker may take to be there: new ones are slow to start.
const CONNECT: Duration = Duration::from_secs(30);

type Client = TaskCommandRouterClient<Channel>;

/// The way to one sandbox's worker.
#[derive(Clone)]
pub(super) struct Router {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    sandbox: SandboxId,
    task: Option<String>,
    access: Option<CommandRouterAccess>,
    channel: Option<Channel>,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Router")
    }
}

/// Everything that one call to the worker needs.
#[derive(Clone)]
struct Way {
    client: Client,
    jwt: String,
    task: String,
}

impl Router {
    pub(super) fn new(sandbox: &SandboxId, task: Option<String>, access: Option<CommandRouterAccess>) -> Self {
        let access = access.filter(|a| !a.url.is_empty());
        Self { inner: Arc::new(Mutex::new(Inner { sandbox: sandbox.clone(), task, access, channel: None })) }
    }
}

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

/// Standard output or error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdioFd {
    /// Standard output; with a terminal, all there is.
    Out,
    /// Standard error.
    Err,
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
    sandbox: Sandbox,
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
        self.routed(action, ROUTER, message, |mut c, r| Box::pin(async move { c.task_exec_start(r).await })).await?;
        Ok(self.started(request.exec_id))
    }

    /// A command that was started before, by its id.
    pub fn started(&self, id: ExecId) -> Exec {
        Exec { sandbox: self.clone(), id }
    }

    /// Shows the sandbox what others have committed to its volumes. Refused while files on them are open.
    ///
    /// # Errors
    /// Refused, or the call's.
    pub async fn reload_volumes(&self) -> Result<(), ModalError> {
        let policy = Policy { retries: 0, ..ROUTER }.within(Duration::from_secs(60));
        let message = |task: &str| TaskReloadVolumesRequest { task_id: task.to_owned(), ..Default::default() };
        self.routed("reload the volumes", policy, message, |mut c, r| {
            Box::pin(async move { c.task_reload_volumes(r).await })
        })
        .await?;
        Ok(())
    }

    /// A unary call to the worker.
    async fn routed<Q: Clone, A>(
        &self,
        action: &str,
        policy: Policy,
        message: impl Fn(&str) -> Q,
        send: impl Fn(Client, Request<Q>) -> BoxFuture<'static, Result<Response<A>, Status>>,
    ) -> Result<A, ModalError> {
        let mut renewed = false;
        loop {
            let way = self.way(action).await?;
            let message = message(&way.task);
            let outcome = retry::call(policy, |attempt| {
                let mut request = Request::new(message.clone());
                router_headers(request.metadata_mut(), &way.jwt);
                put(request.metadata_mut(), "x-throttle-retry-attempt", &attempt.throttled.to_string());
                send(way.client.clone(), request)
            })
            .await;
            match outcome {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) if status.code() == Code::Unauthenticated && !renewed => {
                    renewed = true;
                    self.renew(&way.jwt).await;
                }
                Err(status) => return Err(ModalError::from_status(action, &status)),
            }
        }
    }

    /// Forgets a refused token if it is about to end; else the same one is tried once more.
    async fn renew(&self, jwt: &str) {
        let soon = SystemTime::now() + LEAST_LIFE;
        if auth::expiry(jwt).is_none_or(|exp| exp < soon) {
            self.router.inner.lock().await.access = None;
        }
    }

    /// Task, token and channel, from what the creation gave or asked for now.
    async fn way(&self, action: &str) -> Result<Way, ModalError> {
        let mut inner = self.router.inner.lock().await;
        let task = match &inner.task {
            Some(task) => task.clone(),
            None => {
                let found = loop {
                    if let Some(task) = self.task().await? {
                        break task;
                    }
                    // As Modal's clients poll while a container is being placed.
                    sleep(Duration::from_millis(500)).await;
                };
                inner.task.insert(found).clone()
            }
        };
        let access = match &inner.access {
            Some(access) => access.clone(),
            None => {
                let request =
                    SandboxGetCommandRouterAccessRequest { target: Some(Target::SandboxId(inner.sandbox.to_string())) };
                let what = "reach the sandbox";
                let answer = self
                    .modal
                    .call(what, SHORT, request, |mut c, r| {
                        Box::pin(async move { c.sandbox_get_command_router_access(r).await })
                    })
                    .await
                    .map_err(|mut error| {
                        if error.kind == ErrorKind::Conflict {
                            error.kind = ErrorKind::NotFound;
                        }
                        error
                    })?;
                inner.access.insert(CommandRouterAccess { jwt: answer.jwt, url: answer.url }).clone()
            }
        };
        let channel = match &inner.channel {
            Some(open) => open.clone(),
            None => {
                let open = channel(&access.url, CONNECT).map_err(|e| ModalError::new(ErrorKind::Other, action, e))?;
                inner.channel.insert(open).clone()
            }
        };
        let client = TaskCommandRouterClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        Ok(Way { client, jwt: access.jwt, task })
    }
}

fn router_headers(to: &mut MetadataMap, jwt: &str) {
    put(to, "authorization", &format!("Bearer {jwt}"));
}

/// Whose output is read.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// A command's.
    Exec(ExecId),
    /// The sandbox's first command's.
    First,
}

type Pieces = BoxStream<'static, Result<Bytes, Status>>;

/// Where reading output is.
struct Reading {
    sandbox: Sandbox,
    source: Source,
    fd: StdioFd,
    offset: u64,
    breaks: u32,
    renewed: bool,
    stream: Option<Pieces>,
}

impl Reading {
    fn stream(
        sandbox: &Sandbox,
        source: Source,
        fd: StdioFd,
        offset: u64,
    ) -> impl Stream<Item = Result<Bytes, ModalError>> + Send + use<> {
        let sandbox = sandbox.clone();
        let reading = Self { sandbox, source, fd, offset, breaks: 0, renewed: false, stream: None };
        futures::stream::try_unfold(reading, async |mut reading| {
            Ok(reading.next().await?.map(|bytes| (bytes, reading)))
        })
    }

    async fn open(&mut self, way: Way) -> Result<Pieces, Status> {
        let mut client = way.client;
        let (task_id, offset) = (way.task, self.offset);
        match self.source {
            Source::Exec(id) => {
                let file_descriptor = match self.fd {
                    StdioFd::Out => TaskExecStdioFileDescriptor::Stdout.into(),
                    StdioFd::Err => TaskExecStdioFileDescriptor::Stderr.into(),
                };
                let exec_id = id.to_string();
                let mut request = Request::new(TaskExecStdioReadRequest { task_id, exec_id, offset, file_descriptor });
                router_headers(request.metadata_mut(), &way.jwt);
                Ok(client.task_exec_stdio_read(request).await?.into_inner().map_ok(|piece| piece.data).boxed())
            }
            Source::First => {
                let file_descriptor = match self.fd {
                    StdioFd::Out => SandboxStdioFileDescriptor::Stdout.into(),
                    StdioFd::Err => SandboxStdioFileDescriptor::Stderr.into(),
                };
                let mut request = Request::new(SandboxStdioReadV2Request { task_id, offset, file_descriptor });
                router_headers(request.metadata_mut(), &way.jwt);
                Ok(client.sandbox_stdio_read_v2(request).await?.into_inner().map_ok(|piece| piece.data).boxed())
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ModalError> {
        let action = match self.source {
            Source::Exec(_) => "read the command's output",
            Source::First => "read the sandbox's output",
        };
        loop {
            let outcome = match &mut self.stream {
                Some(stream) => stream.try_next().await,
                None => {
                    let way = self.sandbox.way(action).await?;
                    let jwt = way.jwt.clone();
                    match self.open(way).await {
                        Ok(stream) => {
                            self.stream = Some(stream);
                            continue;
                        }
                        Err(status) if status.code() == Code::Unauthenticated && !self.renewed => {
                            self.renewed = true;
                            self.sandbox.renew(&jwt).await;
                            continue;
                        }
                        Err(status) => Err(status),
                    }
                }
            };
            match outcome {
                Ok(Some(data)) => {
                    self.offset += data.len() as u64;
                    (self.breaks, self.renewed) = (0, false);
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
                Ok(None) => return Ok(None),
                Err(status) => {
                    self.stream = None;
                    self.breaks += 1;
                    if !is_transient(status.code()) || self.breaks > MAX_BREAKS {
                        return Err(ModalError::from_status(action, &status));
                    }
                    sleep(Duration::from_millis(10) * 2_u32.pow(self.breaks)).await;
                }
            }
        }
    }
}

impl Sandbox {
    /// What its first command writes, both streams as they come: until its end with `follow`, else what is there now.
    pub fn logs(&self, follow: bool) -> impl Stream<Item = Result<Bytes, ModalError>> + Send + use<> {
        let out = Reading::stream(self, Source::First, StdioFd::Out, 0).boxed();
        let err = Reading::stream(self, Source::First, StdioFd::Err, 0).boxed();
        futures::stream::unfold(futures::stream::select(out, err), move |mut both| async move {
            let next = match follow {
                true => both.next().await,
                // The other side doesn't say that there is nothing more yet; it only waits.
                false => tokio::time::timeout(QUIET, both.next()).await.ok().flatten(),
            };
            next.map(|piece| (piece, both))
        })
    }
}

impl Exec {
    /// Output from an offset until the command has closed that descriptor. A broken connection is mended at the byte
    /// where it broke: nothing is lost, nothing comes twice.
    pub fn read(&self, fd: StdioFd, offset: u64) -> impl Stream<Item = Result<Bytes, ModalError>> + Send + use<> {
        Reading::stream(&self.sandbox, Source::Exec(self.id), fd, offset)
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
                .sandbox
                .routed(action, policy, message, |mut c, r| Box::pin(async move { c.task_exec_wait(r).await }))
                .await;
            match outcome {
                Ok(answer) => match answer.exit_status {
                    Some(task_exec_wait_response::ExitStatus::Code(code)) => return Ok(ExecExit::Code(code)),
                    Some(task_exec_wait_response::ExitStatus::Signal(s)) => return Ok(ExecExit::Signal(s)),
                    None => {}
                },
                // The deadline of one question is no failure: it is asked again, as long as it takes.
                Err(error) if error.kind == ErrorKind::Unavailable => {
                    breaks = if start.elapsed() >= Duration::from_secs(50) { 0 } else { breaks + 1 };
                    if breaks > MAX_BREAKS {
                        return Err(error);
                    }
                    sleep(Duration::from_secs(1)).await;
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
            .sandbox
            .routed("look at the command", ROUTER, message, |mut c, r| {
                Box::pin(async move { c.task_exec_poll(r).await })
            })
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
        exec.sandbox
            .routed("write to the command", ROUTER, message, |mut c, r| {
                Box::pin(async move { c.task_exec_stdin_write(r).await })
            })
            .await?;
        self.offset += data.len() as u64;
        Ok(())
    }
}
