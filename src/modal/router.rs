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
    connection::{SHORT, channel, put},
    error::{ErrorKind, ModalError},
    retry::{self, Policy},
    sandboxes::Sandbox,
};
use crate::{
    core::SandboxId,
    proto::{
        MAX_MESSAGE,
        client::{
            CommandRouterAccess, SandboxGetCommandRouterAccessRequest,
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
pub(super) struct Way {
    pub client: Client,
    pub jwt: String,
    pub task: String,
}

impl Router {
    pub(super) fn new(sandbox: &SandboxId, task: Option<String>, access: Option<CommandRouterAccess>) -> Self {
        let access = access.filter(|a| !a.url.is_empty());
        Self { inner: Arc::new(Mutex::new(Inner { sandbox: sandbox.clone(), task, access, channel: None })) }
    }
}

impl Sandbox {
    /// A unary call to the worker.
    pub(super) async fn routed<Q: Clone, A>(
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
            self.router.inner.lock().await.access = None;
        }
    }

    /// Task, token and channel, from what the creation gave or asked for now.
    pub(super) async fn way(&self, action: &str) -> Result<Way, ModalError> {
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

pub(super) fn router_headers(to: &mut MetadataMap, jwt: &str) {
    put(to, "authorization", &format!("Bearer {jwt}"));
}
