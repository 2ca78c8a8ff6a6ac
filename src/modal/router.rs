//! The way to a sandbox's own worker, the command router: task, token, channel, and calls over them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::future::BoxFuture;
use tokio::{sync::Mutex, time::sleep};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap, transport::Channel};

use super::{
    auth,
    connection::{Modal, SHORT, channel, put},
    end::SandboxEnd,
    error::{ErrorKind, ModalError},
    retry::{self, Policy},
};
use crate::{
    core::SandboxId,
    proto::{
        MAX_MESSAGE,
        client::{
            CommandRouterAccess, SandboxGetCommandRouterAccessRequest, SandboxGetTaskIdRequest,
            sandbox_get_command_router_access_request::Target,
        },
        task_command_router::task_command_router_client::TaskCommandRouterClient,
    },
};

/// A token with less than this to live may be why a call was refused: a new one is got, once.
const LEAST_LIFE: Duration = Duration::from_secs(30);

/// How long a worker may take to be there: new ones are slow to start.
const CONNECT: Duration = Duration::from_secs(30);

pub(super) type Client = TaskCommandRouterClient<Channel>;

/// The way to one sandbox's worker. Cheap to clone; clones share what was found.
#[derive(Clone)]
pub(super) struct Router {
    modal: Modal,
    sandbox: SandboxId,
    known: Arc<Mutex<Known>>,
}

/// What the creation gave or an earlier call asked for.
struct Known {
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
pub(super) struct Way {
    pub client: Client,
    pub jwt: String,
    pub task: String,
}

impl Router {
    /// To a sandbox's worker, by what is known of it; nothing is asked yet.
    pub(super) fn new(
        modal: &Modal,
        sandbox: &SandboxId,
        task: Option<String>,
        access: Option<CommandRouterAccess>,
    ) -> Self {
        let access = access.filter(|a| !a.url.is_empty());
        let known = Arc::new(Mutex::new(Known { task, access, channel: None }));
        Self { modal: modal.clone(), sandbox: sandbox.clone(), known }
    }

    /// A unary call to the worker.
    pub(super) async fn call<Q: Clone, A>(
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
    pub(super) async fn renew(&self, jwt: &str) {
        let soon = SystemTime::now() + LEAST_LIFE;
        if auth::expiry(jwt).is_none_or(|exp| exp < soon) {
            self.known.lock().await.access = None;
        }
    }

    /// Task, token and channel, from what is known or asked for now.
    pub(super) async fn way(&self, action: &str) -> Result<Way, ModalError> {
        let mut known = self.known.lock().await;
        let task = match &known.task {
            Some(task) => task.clone(),
            None => {
                let found = loop {
                    if let Some(task) = self.task().await? {
                        break task;
                    }
                    // As Modal's clients poll while a container is being placed.
                    sleep(Duration::from_millis(500)).await;
                };
                known.task.insert(found).clone()
            }
        };
        let access = match &known.access {
            Some(access) => access.clone(),
            None => {
                let request =
                    SandboxGetCommandRouterAccessRequest { target: Some(Target::SandboxId(self.sandbox.to_string())) };
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
                known.access.insert(CommandRouterAccess { jwt: answer.jwt, url: answer.url }).clone()
            }
        };
        let channel = match &known.channel {
            Some(open) => open.clone(),
            None => {
                let open = channel(&access.url, CONNECT).map_err(|e| ModalError::new(ErrorKind::Other, action, e))?;
                known.channel.insert(open).clone()
            }
        };
        let client = TaskCommandRouterClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        Ok(Way { client, jwt: access.jwt, task })
    }

    /// The id of the sandbox's task, once it has one.
    async fn task(&self) -> Result<Option<String>, ModalError> {
        let request =
            SandboxGetTaskIdRequest { sandbox_id: self.sandbox.to_string(), ..SandboxGetTaskIdRequest::default() };
        let action = "find the sandbox's container";
        let answer = self
            .modal
            .call(action, SHORT, request, |mut c, r| Box::pin(async move { c.sandbox_get_task_id_v2(r).await }))
            .await?;
        if let Some(end) = answer.task_result.as_ref().and_then(SandboxEnd::read)
            && answer.task_id.is_none()
        {
            return Err(ModalError::new(ErrorKind::Conflict, action, end.reason()));
        }
        Ok(answer.task_id)
    }
}

pub(super) fn router_headers(to: &mut MetadataMap, jwt: &str) {
    put(to, "authorization", &format!("Bearer {jwt}"));
}
