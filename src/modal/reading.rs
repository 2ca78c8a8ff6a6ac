//! Output by offset: a broken connection is mended at the byte where it broke, so nothing is lost and nothing comes
//! twice.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use tokio::time::sleep;
use tonic::{Code, Request, Status};

use super::{
    error::ModalError,
    retry::{MAX_BREAKS, is_transient},
    router::{Router, Way, router_headers},
    sandboxes::Sandbox,
};
use crate::{
    core::ExecId,
    proto::task_command_router::{
        SandboxStdioFileDescriptor, SandboxStdioReadV2Request, TaskExecStdioFileDescriptor, TaskExecStdioReadRequest,
    },
};

/// A first command that says nothing for so long has said what there is to read now.
const QUIET: Duration = Duration::from_millis(300);

/// Standard output or error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdioFd {
    /// Standard output; with a terminal, all there is.
    Out,
    /// Standard error.
    Err,
}

/// Whose output is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// A command's.
    Exec(ExecId),
    /// The sandbox's first command's.
    First,
}

type Pieces = BoxStream<'static, Result<Bytes, Status>>;

/// Where reading output is.
pub(super) struct Reading {
    router: Router,
    source: Source,
    fd: StdioFd,
    offset: u64,
    breaks: u32,
    renewed: bool,
    stream: Option<Pieces>,
}

impl Reading {
    /// The output of `source` from an offset on, until its end.
    pub(super) fn stream(
        router: &Router,
        source: Source,
        fd: StdioFd,
        offset: u64,
    ) -> impl Stream<Item = Result<Bytes, ModalError>> + Send + use<> {
        let router = router.clone();
        let reading = Self { router, source, fd, offset, breaks: 0, renewed: false, stream: None };
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
                    let way = self.router.way(action).await?;
                    let jwt = way.jwt.clone();
                    match self.open(way).await {
                        Ok(stream) => {
                            self.stream = Some(stream);
                            continue;
                        }
                        Err(status) if status.code() == Code::Unauthenticated && !self.renewed => {
                            self.renewed = true;
                            self.router.renew(&jwt).await;
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
        let out = Reading::stream(&self.router, Source::First, StdioFd::Out, 0).boxed();
        let err = Reading::stream(&self.router, Source::First, StdioFd::Err, 0).boxed();
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
