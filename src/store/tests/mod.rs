//! The store, by its subjects.

mod commands;
mod conversations;
mod database;
mod events;
mod execs;
mod sandboxes;

use std::sync::{Arc, Mutex};

use super::*;
use crate::core::{AccountId, Profile};

struct Fixture {
    dir: tempfile::TempDir,
    store: Store,
    published: Arc<Mutex<Vec<Event>>>,
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let published = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&published);
        let store = Store::open(&dir.path().join("s.db"), move |commit| sink.lock().unwrap().extend(commit.events))
            .await
            .unwrap();
        Self { dir, store, published }
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let store = Store::open(&self.dir.path().join("s.db"), |_| {}).await.unwrap();
        Self { store, ..self }
    }
}

fn account() -> AccountId {
    AccountId::new("default").unwrap()
}
