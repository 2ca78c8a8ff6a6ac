//! Effects that take time: each is a task, its outcome an event.

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::{away, drafts::Drafts, history};
use crate::{
    api::{ApiError, Command, CommandRequest, PageQuery, Scope, SearchQuery, UsageQuery, command::Changes},
    client::{Client, Order},
    core::{RequestId, SandboxId, VersionId, text::sanitize_line},
    tui::{
        app::{Effect, EffectId, Event, Outcome},
        text,
    },
};

/// Items that are asked for at once: some screens of them.
const PAGE: u32 = 100;

/// Starts calls.
pub(super) struct Calls {
    client: Client,
    scope: Scope,
    history: PathBuf,
    drafts: Drafts,
    queue: mpsc::Sender<Event>,
}

impl Calls {
    /// Outcomes go to the queue.
    pub fn new(client: Client, scope: Scope, history: PathBuf, drafts: Drafts, queue: mpsc::Sender<Event>) -> Self {
        Self { client, scope, history, drafts, queue }
    }

    /// What has to outlive the screen is written, if the disk takes it.
    pub async fn settled(&self) {
        self.drafts.settled().await;
    }

    /// Starts what an effect asks for. Those that the loop itself carries out don't come here.
    pub fn start(&self, effect: Effect) {
        let client = self.client.clone();
        let scope = self.scope.clone();
        let (account, profile) = (scope.account.clone(), scope.profile);
        match effect {
            Effect::ListSandboxes { id } => {
                self.spawn(id, async move { Outcome::Sandboxes(client.sandboxes(&Scope { all: true, ..scope }).await) })
            }
            Effect::ListVersions { id } => {
                self.spawn(id, async move { Outcome::Versions(client.versions(&scope).await) });
            }
            Effect::ListCommands { id } => {
                self.spawn(id, async move { Outcome::Commands(client.commands(&scope).await) });
            }
            Effect::LoadItems { id, sandbox, window } => self.spawn(id, async move {
                let query = PageQuery::new(account, profile, window, PAGE);
                Outcome::Items(client.conversation(&query, sandbox.as_str()).await)
            }),
            Effect::Search { id, sandbox, text } => self.spawn(id, async move {
                Outcome::Found(client.search(&SearchQuery { account, profile, text }, sandbox.as_str()).await)
            }),
            Effect::SumUsage { id, since } => self.spawn(id, async move {
                Outcome::Spent(client.usage(&UsageQuery { account, since }).await.map(|usage| usage.cost))
            }),
            Effect::Submit { id, request } => {
                self.spawn(id, async move { Outcome::Command(client.submit(&request).await) });
            }
            Effect::AskCommand { id, request } => {
                self.spawn(id, async move { Outcome::Command(client.command(request).await) });
            }
            Effect::Interrupt { id, request } => {
                self.spawn(id, async move { Outcome::Command(client.interrupt(request).await) });
            }
            Effect::Preview { id, sandbox, version } => {
                self.spawn(id, async move { Outcome::Preview(preview(&client, scope, &sandbox, version).await) });
            }
            Effect::LoadTranscript { id, sandbox } => {
                self.spawn(id, async move { Outcome::Transcript(away::conversation(&client, &scope, &sandbox).await) })
            }
            Effect::Highlight { id, language, code } => {
                self.spawn_blocking(id, move || Outcome::Highlighted(text::highlight(&language, &code)))
            }
            Effect::LoadHistory { id } => {
                let path = self.history.clone();
                self.spawn_blocking(id, move || Outcome::History(history::load(&path)));
            }
            Effect::KeepPrompt { text } => {
                let path = self.history.clone();
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = history::keep(&path, &text) {
                        tracing::warn!(%error, path = %path.display(), "a prompt can't be kept");
                    }
                });
            }
            Effect::LoadDrafts { id } => {
                let drafts = self.drafts.clone();
                self.spawn_blocking(id, move || Outcome::Drafts(drafts.load()));
            }
            Effect::KeepDraft { sandbox, text } => self.drafts.keep(sandbox, text),
            Effect::Quit
            | Effect::Suspend
            | Effect::Redraw
            | Effect::SetMouse { .. }
            | Effect::Copy { .. }
            | Effect::Edit { .. }
            | Effect::Page { .. }
            | Effect::SetTimer { .. }
            | Effect::StopTimer { .. } => {}
        }
    }

    /// Starts what takes time; its outcome goes to the queue.
    pub fn spawn(&self, id: EffectId, call: impl Future<Output = Outcome> + Send + 'static) {
        let queue = self.queue.clone();
        tokio::spawn(async move {
            let outcome = Box::new(call.await);
            if let Some(error) = failure(&outcome) {
                tracing::warn!(error = sanitize_line(&error).as_str(), "a call failed");
            }
            // Nobody takes it when the screen is closing.
            let _ = queue.send(Event::Done { id, outcome }).await;
        });
    }

    fn spawn_blocking(&self, id: EffectId, work: impl FnOnce() -> Outcome + Send + 'static) {
        let queue = self.queue.clone();
        tokio::task::spawn_blocking(move || {
            let _ = queue.blocking_send(Event::Done { id, outcome: Box::new(work()) });
        });
    }
}

/// What is shown to the person, for the log.
fn failure(outcome: &Outcome) -> Option<String> {
    let error = match outcome {
        Outcome::Sandboxes(Err(error)) => error,
        Outcome::Versions(Err(error)) => error,
        Outcome::Commands(Err(error)) => error,
        Outcome::Items(Err(error)) => error,
        Outcome::Found(Err(error)) => error,
        Outcome::Spent(Err(error)) => error,
        Outcome::Command(Err(error)) => error,
        Outcome::Preview(Err(error)) => error,
        Outcome::Transcript(Err(error)) => error,
        Outcome::Copied(Err(error)) => return Some(error.clone()),
        _ => return None,
    };
    Some(error.to_string())
}

/// A dry run, followed to its end.
async fn preview(client: &Client, scope: Scope, sandbox: &SandboxId, version: VersionId) -> Result<Changes, ApiError> {
    let request = CommandRequest {
        request_id: RequestId::new(),
        account: scope.account,
        profile: scope.profile,
        command: Command::VersionRestore {
            sandbox: sandbox.to_string(),
            version: version.to_string(),
            dry_run: true,
            expected: None,
        },
    };
    // Nobody interrupts it: it changes nothing, and its answer is dropped when it comes too late.
    let (_interrupts, mut none) = mpsc::channel(1);
    let answer = client.run(Order::New(&request), &mut none, |_| {}).await?;
    if let Some(error) = answer.error {
        return Err(error);
    }
    serde_json::from_value(answer.result)
        .map_err(|e| ApiError::failed(format!("the server's answer can't be read: {e}")).hint("its version may differ"))
}
