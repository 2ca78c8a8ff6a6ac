//! The use cases, the only thing that the server calls.
//!
//! ```text
//! commands       a row, the work, the row's end; what was left unfinished is taken up
//! sandboxes      start, find, list, end            names       what they are called
//! exec           a command's bytes to a client     shim        a command followed through broken connections
//! stop           asked, told, killed
//! conversations  prompts, turns, shell, reading       versions    save and restore
//! spools         output that sandboxes may forget
//! places         clients of Modal and buckets      clients     whose environment counts
//! bus            what followers of events see      carried     this program inside sandboxes
//! doctor         what is in order and what isn't
//! ```
//!
//! Most are an `impl` of `Inner`, which has what all of them share; [`Service`] above them is what the server sees.
//! Below: `errors` that several have, the `outcome` of a command, which ones are `running`, and an exec's `marks`.

mod bus;
pub mod carried;
mod clients;
mod commands;
pub mod conversations;
mod doctor;
mod errors;
mod exec;
mod inner;
mod marks;
mod names;
mod outcome;
pub mod place;
mod places;
pub mod run;
mod running;
mod sandboxes;
mod shim;
mod spools;
mod stop;
pub mod versions;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use tokio::time::timeout;
use uuid::Uuid;

pub use clients::ClientEnv;
pub use exec::ExecSession;
pub use place::{LocalAccess, LocalPlace, Place};
pub use run::{ProgressSink, Run};

use self::inner::Inner;
use crate::{
    api::{
        ApiError, CommandAnswer, CommandRequest, CommandSummary, ConversationPage, Doctor, ExecStart, PageQuery,
        PlacedItem, Published, SandboxDetail, Scope, SearchQuery, UsageQuery,
    },
    config::{Config, DataDir},
    core::{AccountId, ConversationId, RequestId, SandboxInfo, UnfinishedSave, Usage, Version},
    store::Store,
};

/// How long the end of a server waits for its tasks, and then for the database. Both let go at their next step, within
/// milliseconds; a task that blocks or a disk that hangs must not keep the next server from its lock, which waits 25 s.
const CLOSING: Duration = Duration::from_secs(5);

/// The use cases over one database. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

impl Service {
    /// Opens the database and takes up unfinished work of the server before.
    ///
    /// # Errors
    /// The database can't be opened.
    pub async fn open(config: Config, data: DataDir, local: Arc<dyn LocalPlace>) -> Result<Self, ApiError> {
        let bus = bus::Bus::default();
        let sink = bus.clone();
        let store = Store::open(&data.database(), move |commit| sink.publish(commit)).await?;
        let inner = Arc::new(Inner::new(config, store, bus, local));
        inner.take_up().await?;
        Ok(Self { inner })
    }

    /// Remembers a client. Its id stands in each of its later requests.
    pub fn hello(&self, client: ClientEnv) -> Uuid {
        self.inner.places.local().set_claude(client.claude.clone());
        self.inner.clients.add(client)
    }

    /// Whether this server remembers a client's hello. One that doesn't runs commands with the configuration alone.
    pub fn knows(&self, client: Uuid) -> bool {
        self.inner.clients.knows(client)
    }

    /// Calls, turns and commands under way.
    pub fn running(&self) -> usize {
        self.inner.running.len() + self.inner.sessions.load(Ordering::Relaxed)
    }

    /// Whether anything has to be tended: what runs, and local sandboxes.
    pub fn busy(&self) -> bool {
        self.running() > 0 || !self.inner.tasks.is_empty() || self.inner.places.local().busy() > 0
    }

    /// Takes a command: a row first, then it is begun in the background. A known id gives what is known of it; the
    /// same id with another body is a conflict.
    ///
    /// # Errors
    /// It can't be taken, and nothing of it is stored.
    pub async fn submit(&self, client: Option<Uuid>, request: CommandRequest) -> Result<CommandAnswer, ApiError> {
        self.inner.submit(self.inner.clients.env(client), request).await
    }

    /// Commands that have not ended, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn commands(&self, scope: &Scope) -> Result<Vec<CommandSummary>, ApiError> {
        Ok(self.inner.store.commands_under_way(&scope.account, scope.profile).await?)
    }

    /// What is known of a command.
    ///
    /// # Errors
    /// There is none.
    pub async fn command(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        self.inner.answer(id).await
    }

    /// Asks a command to stop; it ends as `interrupted` when it has. One that comes only after this never begins.
    ///
    /// # Errors
    /// There is none.
    pub async fn interrupt(&self, id: RequestId) -> Result<CommandAnswer, ApiError> {
        self.inner.interrupt(id).await
    }

    /// Sandboxes, newest first; those that ended too when the scope says `all`.
    ///
    /// # Errors
    /// The place can't be asked.
    pub async fn sandboxes(&self, client: Option<Uuid>, scope: &Scope) -> Result<Vec<SandboxInfo>, ApiError> {
        self.inner.list(&self.inner.clients.env(client), scope).await
    }

    /// One sandbox by id, name, or a prefix that fits one.
    ///
    /// # Errors
    /// None or several fit, or the place can't be asked.
    pub async fn sandbox(&self, client: Option<Uuid>, scope: &Scope, name: &str) -> Result<SandboxDetail, ApiError> {
        self.inner.detail(&self.inner.clients.env(client), scope, name).await
    }

    /// What a sandbox's first command wrote, so far or, with `follow`, until its end.
    ///
    /// # Errors
    /// None or several fit, or the place can't be asked.
    pub async fn logs(
        &self,
        client: Option<Uuid>,
        scope: &Scope,
        name: &str,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, ApiError>>, ApiError> {
        self.inner.logs(&self.inner.clients.env(client), scope, name, follow).await
    }

    /// Starts a command in a sandbox, or finds the one that was started under this id, and follows it.
    ///
    /// # Errors
    /// It can't be taken. What goes wrong later is said in the session.
    pub async fn exec(&self, client: Option<Uuid>, sandbox: &str, start: ExecStart) -> Result<ExecSession, ApiError> {
        self.inner.exec(&self.inner.clients.env(client), sandbox, start).await
    }

    /// Versions, newest first.
    ///
    /// # Errors
    /// The bucket can't be read.
    pub async fn versions(&self, client: Option<Uuid>, scope: &Scope) -> Result<Vec<Version>, ApiError> {
        let place = self.inner.places.place(scope.profile, &self.inner.clients.env(client).env).await?;
        versions::list(&place, &scope.account).await
    }

    /// Saves that have not ended, newest first.
    ///
    /// # Errors
    /// The bucket can't be read.
    pub async fn unfinished_saves(&self, client: Option<Uuid>, scope: &Scope) -> Result<Vec<UnfinishedSave>, ApiError> {
        let place = self.inner.places.place(scope.profile, &self.inner.clients.env(client).env).await?;
        versions::unfinished(&place, &scope.account).await
    }

    /// One version by its seconds or `latest`.
    ///
    /// # Errors
    /// There is none, or the bucket can't be read.
    pub async fn version(&self, client: Option<Uuid>, scope: &Scope, name: &str) -> Result<Version, ApiError> {
        let place = self.inner.places.place(scope.profile, &self.inner.clients.env(client).env).await?;
        versions::show(&place, &scope.account, name).await
    }

    /// A conversation so far: the named one, or the sandbox's latest.
    ///
    /// # Errors
    /// There is none.
    pub async fn transcript(
        &self,
        client: Option<Uuid>,
        scope: &Scope,
        sandbox: &str,
        conversation: Option<ConversationId>,
    ) -> Result<Vec<PlacedItem>, ApiError> {
        self.inner.transcript(&self.inner.clients.env(client), scope, sandbox, conversation).await
    }

    /// A part of a sandbox's latest conversation.
    ///
    /// # Errors
    /// There is no such sandbox.
    pub async fn conversation(
        &self,
        client: Option<Uuid>,
        query: &PageQuery,
        sandbox: &str,
    ) -> Result<ConversationPage, ApiError> {
        self.inner.page(&self.inner.clients.env(client), query, sandbox).await
    }

    /// Positions of the items of a sandbox's latest conversation that hold a text, oldest first.
    ///
    /// # Errors
    /// There is no such sandbox.
    pub async fn search(&self, client: Option<Uuid>, query: &SearchQuery, sandbox: &str) -> Result<Vec<u64>, ApiError> {
        self.inner.search(&self.inner.clients.env(client), query, sandbox).await
    }

    /// What an account has spent from a time on.
    ///
    /// # Errors
    /// The database's.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Usage, ApiError> {
        Ok(self.inner.store.spent_since(&query.account, query.since).await?)
    }

    /// The account's events: stored ones after the cursor (from now on when absent), a keyframe, then what happens.
    /// Ends when the follower is too slow: it comes again with its cursor.
    ///
    /// # Errors
    /// The database's.
    pub async fn follow(
        &self,
        account: &AccountId,
        after: Option<u64>,
    ) -> Result<BoxStream<'static, Published>, ApiError> {
        let closing = self.inner.closing.clone().cancelled_owned();
        let events = self.inner.bus.follow(&self.inner.store, account, after).await?;
        Ok(events.take_until(closing).boxed())
    }

    /// What is in order and what isn't, for this client's environment.
    pub async fn doctor(&self, client: Option<Uuid>, scope: &Scope) -> Doctor {
        self.inner.doctor(&self.inner.clients.env(client), scope).await
    }

    /// Stores what is under way and lets go: nothing that was accepted is lost, the next server takes it up.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        if timeout(CLOSING, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.inner.tasks.len(), "tasks that don't end are left to the next server");
        }
        if timeout(CLOSING, self.inner.store.close()).await.is_err() {
            tracing::warn!("the database's last commit takes long; its log keeps what was written");
        }
    }
}
