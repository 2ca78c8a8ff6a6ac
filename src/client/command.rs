//! A command from its first word to its end, over breaks and dead servers.

use tokio::sync::mpsc;

use super::{Client, Follow};
use crate::{
    api::{ApiError, CommandAnswer, CommandRequest, CommandState, EventBody, Live, Published},
    core::RequestId,
};

/// What is to be followed.
#[derive(Debug, Clone, Copy)]
pub enum Order<'a> {
    /// Handed over, unless the server has it.
    New(&'a CommandRequest),
    /// The server has it already: only its id and account count.
    Known(&'a CommandRequest),
}

impl Client {
    /// Has a command done and gives its end; `seen` gets the account's events meanwhile. Each message of `interrupts`
    /// asks for a stop, after which the end is still waited for. When the server dies, the next one is given the same
    /// command by the same id: it is done once.
    ///
    /// # Errors
    /// It can't be taken; or it was interrupted before it was handed over.
    pub async fn run(
        &self,
        order: Order<'_>,
        interrupts: &mut mpsc::Receiver<()>,
        mut seen: impl FnMut(&Published),
    ) -> Result<CommandAnswer, ApiError> {
        let (Order::New(request) | Order::Known(request)) = order;
        let id = request.request_id;
        let mut events = self.follow(request.account.clone());
        let mut known: Option<CommandAnswer> = None;
        loop {
            let message = tokio::select! {
                message = events.next() => message,
                Some(()) = interrupts.recv() => {
                    if known.is_none() {
                        return Err(ApiError::interrupted("interrupted before anything was done"));
                    }
                    self.interrupt(id).await?;
                    continue;
                }
            };
            match message {
                Follow::Broken => {}
                // Somebody waits, and may try again by the same id.
                Follow::Lost(error) => return Err(error),
                // Only now: what the command does can't be missed any more.
                Follow::Connected => {
                    known = Some(match order {
                        Order::New(request) => self.submit(request).await?,
                        Order::Known(_) => self.command(id).await?,
                    });
                }
                Follow::Published(published) => {
                    seen(&published);
                    if ends(&published, id) {
                        return self.command(id).await;
                    }
                    // It had ended before; everything of it that is stored has been sent by now.
                    if let (Published::Live(Live::Keyframe { .. }), Some(answer)) = (&published, &known)
                        && answer.state.is_final()
                    {
                        return Ok(answer.clone());
                    }
                }
            }
        }
    }
}

fn ends(published: &Published, id: RequestId) -> bool {
    matches!(published, Published::Event(event) if matches!(&event.body,
        EventBody::Command { request_id, state: CommandState::Done | CommandState::Failed, .. } if *request_id == id))
}
