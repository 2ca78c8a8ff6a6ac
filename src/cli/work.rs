//! A command of the API from the shell: handed over once, followed to its end, interrupted by ctrl-c.

use std::pin::pin;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::{
    context::Context,
    failure::Failure,
    out,
    progress::{PATIENCE, Progress},
    signals::Interrupts,
};
use crate::{
    api::{ApiError, Command, CommandAnswer, CommandRequest, CommandState, Live, Published},
    client::{Client, Order},
    core::RequestId,
};

/// One command's life.
pub(super) struct Work<'a> {
    context: &'a Context,
    client: Client,
    kind: &'static str,
    id: RequestId,
    known: bool,
}

impl<'a> Work<'a> {
    /// Begins with an id of the user's or a new one. `kind` is what will be asked for.
    pub async fn begin(context: &'a Context, kind: &'static str) -> Result<Self, Failure> {
        let client = context.client()?;
        let mut work =
            Self { context, client, kind, id: context.request_id.unwrap_or_else(RequestId::new), known: false };
        if context.request_id.is_some() {
            work.known = work.look().await?;
        }
        Ok(work)
    }

    /// A second command on the way to the first, with an id of its own.
    pub fn begin_other(context: &'a Context, client: Client, kind: &'static str) -> Self {
        Self { context, client, kind, id: RequestId::new(), known: false }
    }

    /// Whether the server has the command already: then nothing is asked and only its result is told.
    pub fn known(&self) -> bool {
        self.known
    }

    /// The client that it uses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn look(&self) -> Result<bool, Failure> {
        match self.client.command(self.id).await {
            Ok(answer) if answer.kind == self.kind => Ok(true),
            Ok(answer) => Err(ApiError::conflict(format!("the request id {} was used for {}", self.id, answer.kind))
                .hint("leave out --request-id")
                .into()),
            Err(error) if error.code == crate::api::ErrorCode::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Has it done and gives its result, with a line that says what goes on.
    pub async fn finish<T: DeserializeOwned>(&self, what: &str, command: Command) -> Result<T, Failure> {
        let progress = Progress::new(what);
        let mut done = pin!(self.follow(command, |published| {
            if let Published::Live(Live::Progress(step)) = published
                && step.request_id == self.id
            {
                progress.step(step);
            }
        }));
        tokio::select! {
            result = &mut done => result,
            () = tokio::time::sleep(PATIENCE) => {
                progress.speak();
                done.await
            }
        }
    }

    /// Has it done and gives its result; `seen` gets the account's events meanwhile.
    pub async fn follow<T: DeserializeOwned>(
        &self,
        command: Command,
        seen: impl FnMut(&Published),
    ) -> Result<T, Failure> {
        let request = CommandRequest {
            request_id: self.id,
            account: self.context.account.clone(),
            profile: self.context.profile,
            command,
        };
        let order = if self.known { Order::Known(&request) } else { Order::New(&request) };
        let (ask, mut interrupts) = mpsc::channel(1);
        let answer = tokio::select! {
            answer = self.client.run(order, &mut interrupts, seen) => answer?,
            () = twice(ask) => {
                return Err(ApiError::interrupted("left; the command may still be going on")
                    .hint(format!("its result can be asked for with --request-id {}", self.id))
                    .into());
            }
        };
        result(answer)
    }

    /// The command's id.
    pub fn id(&self) -> RequestId {
        self.id
    }
}

/// Passes the first ctrl-c on and ends at the second.
async fn twice(ask: mpsc::Sender<()>) {
    let mut interrupts = Interrupts::take();
    interrupts.next().await;
    out::note("interrupting; ctrl-c again to leave");
    // The receiver lives as long as this function is waited for.
    let _ = ask.send(()).await;
    interrupts.next().await;
}

fn result<T: DeserializeOwned>(answer: CommandAnswer) -> Result<T, Failure> {
    match (answer.state, answer.error) {
        (CommandState::Done, _) => serde_json::from_value(answer.result).map_err(|e| {
            ApiError::failed(format!("the server's result can't be read: {e}"))
                .hint("client and server may be of different versions: run `sandbank serve stop`")
                .into()
        }),
        (_, Some(error)) => Err(error.into()),
        (state, None) => {
            Err(ApiError::failed(format!("the command ended as {} without a reason", state.as_str())).into())
        }
    }
}
