//! The command router: exec and its bytes, over the keepers. It holds nothing of a command itself, so an engine that
//! starts again goes on where the last one stopped.

mod start;
mod status;

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use status::status;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Shared,
    keeper::{ENTRYPOINT, KeeperError, KeeperHandle, OutputFd},
    room,
    sandboxes::{Readers, Sandboxes},
    spec::ExecEnd,
};
use crate::proto::{
    MAX_MESSAGE,
    task_command_router::{
        SandboxStdinWriteV2Request, SandboxStdinWriteV2Response, SandboxStdioFileDescriptor, SandboxStdioReadV2Request,
        SandboxStdioReadV2Response, TaskExecPollRequest, TaskExecPollResponse, TaskExecStartRequest,
        TaskExecStartResponse, TaskExecStdinStatusRequest, TaskExecStdinStatusResponse, TaskExecStdinWriteRequest,
        TaskExecStdinWriteResponse, TaskExecStdinWriteStreamRequest, TaskExecStdinWriteStreamResponse,
        TaskExecStdioFileDescriptor, TaskExecStdioReadRequest, TaskExecStdioReadResponse, TaskExecWaitRequest,
        TaskExecWaitResponse, TaskReloadVolumesRequest, TaskReloadVolumesResponse,
        task_command_router_server::{TaskCommandRouter, TaskCommandRouterServer},
        task_exec_poll_response,
        task_exec_stdin_write_stream_request::Payload,
        task_exec_wait_response,
    },
};

type Output<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service.
#[derive(Debug)]
pub struct Router {
    shared: Arc<Shared>,
}

/// The service, for the server that also has the control plane.
pub fn service(shared: Arc<Shared>) -> TaskCommandRouterServer<Router> {
    TaskCommandRouterServer::new(Router { shared })
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE)
}

impl Router {
    /// The keeper of a task, if the caller's token is for it.
    fn keeper<T>(&self, request: &Request<T>, task_id: &str) -> Result<KeeperHandle, Status> {
        self.allow(request, task_id)?;
        Sandboxes::keeper(&self.shared, task_id)
    }

    fn allow<T>(&self, request: &Request<T>, task_id: &str) -> Result<(), Status> {
        let token = request.metadata().get("authorization").and_then(|v| v.to_str().ok());
        let token = token.and_then(|v| v.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Status::unauthenticated("the task's token is missing"))?;
        if self.shared.tokens.check(token)? == task_id {
            Ok(())
        } else {
            Err(Status::permission_denied("this token is for another task"))
        }
    }
}

/// What a command wrote from an offset on; its readers are noted so that its exit can wait for them.
fn read(
    keeper: &KeeperHandle,
    readers: Option<&Arc<Readers>>,
    exec_id: &str,
    fd: OutputFd,
    offset: u64,
) -> impl Stream<Item = Result<Bytes, KeeperError>> + Send + use<> {
    let output = Box::pin(keeper.output(exec_id, fd, offset));
    stream::unfold((output, readers.map(Readers::begin)), |(mut output, reading)| async {
        let next = output.next().await;
        match (&next, &reading) {
            (Some(Ok(_)), Some(reading)) => reading.piece(),
            (None, Some(reading)) => reading.finished(),
            _ => {}
        }
        Some((next?, (output, reading)))
    })
}

#[tonic::async_trait]
impl TaskCommandRouter for Router {
    type TaskExecStdioReadStream = Output<TaskExecStdioReadResponse>;
    type SandboxStdioReadV2Stream = Output<SandboxStdioReadV2Response>;

    async fn task_exec_start(
        &self,
        request: Request<TaskExecStartRequest>,
    ) -> Result<Response<TaskExecStartResponse>, Status> {
        self.allow(&request, &request.get_ref().task_id)?;
        let started = start::start(&self.shared, request.into_inner()).await;
        started.map_err(|e| room::status(&self.shared, e))?;
        Ok(Response::new(TaskExecStartResponse {}))
    }

    async fn task_exec_stdio_read(
        &self,
        request: Request<TaskExecStdioReadRequest>,
    ) -> Result<Response<Self::TaskExecStdioReadStream>, Status> {
        let keeper = self.keeper(&request, &request.get_ref().task_id)?;
        let request = request.into_inner();
        let fd = match request.file_descriptor() {
            TaskExecStdioFileDescriptor::Stdout => OutputFd::Out,
            TaskExecStdioFileDescriptor::Stderr => OutputFd::Err,
        };
        let readers = self.shared.sandboxes.live(&request.task_id).map(|live| live.readers(&request.exec_id));
        let output = read(&keeper, readers.as_ref(), &request.exec_id, fd, request.offset)
            .map(|piece| piece.map(|data| TaskExecStdioReadResponse { data }).map_err(status));
        Ok(Response::new(Box::pin(output)))
    }

    async fn task_exec_stdin_write(
        &self,
        request: Request<TaskExecStdinWriteRequest>,
    ) -> Result<Response<TaskExecStdinWriteResponse>, Status> {
        let keeper = self.keeper(&request, &request.get_ref().task_id)?;
        let TaskExecStdinWriteRequest { exec_id, offset, data, eof, .. } = request.into_inner();
        keeper.write_stdin(&exec_id, offset, &data, eof).await.map_err(status)?;
        Ok(Response::new(TaskExecStdinWriteResponse {}))
    }

    async fn task_exec_stdin_write_stream(
        &self,
        request: Request<Streaming<TaskExecStdinWriteStreamRequest>>,
    ) -> Result<Response<TaskExecStdinWriteStreamResponse>, Status> {
        let (metadata, extensions, mut pieces) = request.into_parts();
        let Some(Payload::Start(first)) = pieces.message().await?.and_then(|m| m.payload) else {
            return Err(Status::invalid_argument("a stream of input begins with its start"));
        };
        let keeper = self.keeper(&Request::from_parts(metadata, extensions, ()), &first.task_id)?;
        let mut offset = first.offset;
        while let Some(message) = pieces.message().await? {
            match message.payload {
                Some(Payload::Data(data)) => {
                    keeper.write_stdin(&first.exec_id, offset, &data, false).await.map_err(status)?;
                    offset += data.len() as u64;
                }
                // Only this ends it: a stream that just stops is taken up again.
                Some(Payload::End(_)) => {
                    keeper.write_stdin(&first.exec_id, offset, &[], true).await.map_err(status)?;
                    break;
                }
                Some(Payload::Start(_)) | None => {
                    return Err(Status::invalid_argument("only data, then the end, may follow the start"));
                }
            }
        }
        Ok(Response::new(TaskExecStdinWriteStreamResponse {}))
    }

    async fn task_exec_stdin_status(
        &self,
        request: Request<TaskExecStdinStatusRequest>,
    ) -> Result<Response<TaskExecStdinStatusResponse>, Status> {
        let keeper = self.keeper(&request, &request.get_ref().task_id)?;
        let stdin = keeper.stdin_status(&request.get_ref().exec_id).await.map_err(status)?;
        Ok(Response::new(TaskExecStdinStatusResponse { num_bytes_written: stdin.written, closed: stdin.closed }))
    }

    async fn task_exec_poll(
        &self,
        request: Request<TaskExecPollRequest>,
    ) -> Result<Response<TaskExecPollResponse>, Status> {
        let keeper = self.keeper(&request, &request.get_ref().task_id)?;
        let end = keeper.poll(&request.get_ref().exec_id).await.map_err(status)?;
        let exit_status = end.map(|end| match end {
            ExecEnd::Code(code) => task_exec_poll_response::ExitStatus::Code(code),
            ExecEnd::Signal(signal) => task_exec_poll_response::ExitStatus::Signal(signal),
        });
        Ok(Response::new(TaskExecPollResponse { exit_status }))
    }

    async fn task_exec_wait(
        &self,
        request: Request<TaskExecWaitRequest>,
    ) -> Result<Response<TaskExecWaitResponse>, Status> {
        let keeper = self.keeper(&request, &request.get_ref().task_id)?;
        let TaskExecWaitRequest { task_id, exec_id } = request.into_inner();
        let end = keeper.wait(&exec_id).await.map_err(status)?;
        if let Some(live) = self.shared.sandboxes.live(&task_id) {
            live.readers(&exec_id).settle().await;
        }
        let exit_status = Some(match end {
            ExecEnd::Code(code) => task_exec_wait_response::ExitStatus::Code(code),
            ExecEnd::Signal(signal) => task_exec_wait_response::ExitStatus::Signal(signal),
        });
        Ok(Response::new(TaskExecWaitResponse { exit_status }))
    }

    async fn sandbox_stdio_read_v2(
        &self,
        request: Request<SandboxStdioReadV2Request>,
    ) -> Result<Response<Self::SandboxStdioReadV2Stream>, Status> {
        let keeper = self.keeper(&request, &request.get_ref().task_id)?;
        let request = request.into_inner();
        let fd = match request.file_descriptor() {
            SandboxStdioFileDescriptor::Stdout => OutputFd::Out,
            SandboxStdioFileDescriptor::Stderr => OutputFd::Err,
        };
        let open = move |offset| Box::pin(keeper.output(ENTRYPOINT, fd, offset));
        let first = (open(request.offset), request.offset);
        let output = stream::unfold(first, move |(mut output, mut offset)| {
            let open = open.clone();
            async move {
                loop {
                    match output.next().await? {
                        Ok(data) => {
                            let starting_offset = offset;
                            offset += data.len() as u64;
                            let answer = SandboxStdioReadV2Response { data, starting_offset };
                            return Some((Ok(answer), (output, offset)));
                        }
                        // This answer says where it begins, so what is gone may be skipped.
                        Err(KeeperError::OutOfRange { start }) if start > offset => {
                            (output, offset) = (open(start), start);
                        }
                        // A sandbox without a first command writes nothing.
                        Err(KeeperError::NoSuchExec) => return None,
                        Err(e) => return Some((Err(status(e)), (output, offset))),
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(output)))
    }

    async fn sandbox_stdin_write_v2(
        &self,
        request: Request<SandboxStdinWriteV2Request>,
    ) -> Result<Response<SandboxStdinWriteV2Response>, Status> {
        let keeper = self.keeper(&request, &request.get_ref().task_id)?;
        let SandboxStdinWriteV2Request { offset, data, eof, .. } = request.into_inner();
        keeper.write_stdin(ENTRYPOINT, offset, &data, eof).await.map_err(status)?;
        Ok(Response::new(SandboxStdinWriteV2Response {}))
    }

    async fn task_reload_volumes(
        &self,
        request: Request<TaskReloadVolumesRequest>,
    ) -> Result<Response<TaskReloadVolumesResponse>, Status> {
        let task_id = &request.get_ref().task_id;
        self.allow(&request, task_id)?;
        let live = self.shared.sandboxes.live(task_id);
        let live = live.ok_or_else(|| Status::not_found(format!("the task {task_id} has ended")))?;
        for volume in &live.row.facts.volumes {
            self.shared.volumes.reload(volume).await?;
        }
        Ok(Response::new(TaskReloadVolumesResponse {}))
    }
}
