//! What all use cases share: the database, the clients of places, and what is under way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
};

use futures::future::BoxFuture;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    bus::Bus, carried::Carried, clients::Clients, marks::Marks, place::LocalPlace, places::Places, running::Running,
    spools::Spools,
};
use crate::{
    config::Config,
    core::{ConversationId, RequestId, SandboxId},
    modal::{Modal, Sandbox},
    store::{Pace, Store, StoreError, Tx},
};

/// Ways to sandboxes that are kept open; more than anyone works in at a time.
const MAX_OPEN_WAYS: usize = 256;

/// What every use case works with.
pub(super) struct Inner {
    pub config: Config,
    pub store: Store,
    pub bus: Bus,
    pub clients: Clients,
    pub places: Places,
    pub carried: Carried,
    pub running: Running,
    /// Conversations with a turn under way, each with the command that it is of.
    pub turns: Mutex<HashMap<ConversationId, RequestId>>,
    /// Clients that follow an exec.
    pub sessions: AtomicUsize,
    pub marks: Marks,
    pub spools: Spools,
    /// The way to a sandbox's worker costs two questions; it is kept.
    ways: Mutex<HashMap<SandboxId, Sandbox>>,
    pub tasks: TaskTracker,
    pub closing: CancellationToken,
}

impl Inner {
    /// Nothing is under way yet.
    pub fn new(config: Config, store: Store, bus: Bus, local: Arc<dyn LocalPlace>) -> Self {
        Self {
            places: Places::new(config.clone(), local),
            config,
            store,
            bus,
            clients: Clients::default(),
            carried: Carried::default(),
            running: Running::default(),
            turns: Mutex::default(),
            sessions: AtomicUsize::new(0),
            marks: Marks::default(),
            spools: Spools::default(),
            ways: Mutex::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Runs something in the background until its end or the server's.
    pub fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Stores something that nobody waits for and that is found out again if it is lost.
    pub fn note<F>(self: &Arc<Self>, change: F)
    where
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<(), StoreError>> + Send + 'static,
    {
        let inner = self.clone();
        self.spawn(async move {
            if let Err(error) = inner.store.write(Pace::Grouped, change).await {
                tracing::warn!(%error, "what became of a command could not be stored");
            }
        });
    }

    /// The client of a sandbox, with its open way if there is one.
    pub fn sandbox_client(&self, modal: &Modal, id: &SandboxId) -> Sandbox {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        if ways.len() >= MAX_OPEN_WAYS && !ways.contains_key(id) {
            ways.clear();
        }
        ways.entry(id.clone()).or_insert_with(|| modal.sandbox(id)).clone()
    }

    /// Keeps a way that was opened.
    pub fn keep_client(&self, sandbox: &Sandbox) {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).insert(sandbox.id.clone(), sandbox.clone());
    }
}
