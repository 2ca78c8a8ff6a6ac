//! Calls that must happen once: a client that lost an answer sends the same `x-idempotency-key` again, perhaps to the
//! engine that was started after the one that did the work.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::OptionalExtension;
use tonic::Status;

use crate::engine::state::{State, StateError, now};

/// How long an answer is kept: longer than any client repeats a call, a night with a closed lid included.
const KEPT_SECS: f64 = 24.0 * 3600.0;

/// Calls under way by method and key, each with the turn that its repetitions wait for.
type UnderWay = HashMap<(&'static str, String), Arc<tokio::sync::Mutex<()>>>;

/// The answers given, and the calls under way.
#[derive(Debug)]
pub struct Answers {
    state: State,
    under_way: Mutex<UnderWay>,
}

impl Answers {
    /// The answers of a database, without those that are too old.
    ///
    /// # Errors
    /// The database's.
    pub async fn open(state: State) -> Result<Self, StateError> {
        let drop_old = |db: &mut rusqlite::Connection| {
            Ok(db.execute("DELETE FROM answers WHERE created_at < ?1", [now() - KEPT_SECS])?)
        };
        state.call(drop_old).await?;
        Ok(Self { state, under_way: Mutex::default() })
    }

    /// The answer kept for this key, or that of `work`, which is then kept. A second call with the key waits for the
    /// first. Errors are not kept: the next call tries again.
    ///
    /// # Errors
    /// Those of `work`, or the database's.
    pub async fn once<A: prost::Message + Default>(
        &self,
        method: &'static str,
        key: &str,
        work: impl Future<Output = Result<A, Status>>,
    ) -> Result<A, Status> {
        let id = (method, key.to_owned());
        let turn = Arc::clone(self.lock().entry(id.clone()).or_default());
        let held = turn.lock().await;
        let done = match self.kept(method, key).await? {
            Some(answer) => Ok(answer),
            None => match work.await {
                Ok(answer) => self.keep(method, key, answer.encode_to_vec()).await.map(|()| answer),
                Err(status) => Err(status),
            },
        };
        drop(held);
        let mut calls = self.lock();
        // Ours and the map's: nobody else waits.
        if Arc::strong_count(&turn) == 2 {
            calls.remove(&id);
        }
        done
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn kept<A: prost::Message + Default>(&self, method: &'static str, key: &str) -> Result<Option<A>, Status> {
        let key = key.to_owned();
        let kept: Option<Vec<u8>> = self
            .state
            .call(move |db| {
                let sql = "SELECT answer FROM answers WHERE method = ?1 AND key = ?2 AND created_at >= ?3";
                let mut read = db.prepare_cached(sql)?;
                Ok(read.query_row((method, key, now() - KEPT_SECS), |row| row.get(0)).optional()?)
            })
            .await?;
        kept.map(|bytes| A::decode(&*bytes).map_err(|e| Status::internal(format!("a kept answer is damaged: {e}"))))
            .transpose()
    }

    async fn keep(&self, method: &'static str, key: &str, answer: Vec<u8>) -> Result<(), Status> {
        let key = key.to_owned();
        let write = move |db: &mut rusqlite::Connection| {
            let sql = "INSERT OR REPLACE INTO answers (method, key, answer, created_at) VALUES (?1, ?2, ?3, ?4)";
            Ok(db.prepare_cached(sql)?.execute((method, key, answer, now()))?)
        };
        self.state.call(write).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::proto::client::AppGetOrCreateResponse;

    fn answer(id: &str) -> AppGetOrCreateResponse {
        AppGetOrCreateResponse { app_id: id.to_owned(), ..Default::default() }
    }

    #[tokio::test]
    async fn a_call_with_the_same_key_is_done_once_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.db");
        let open = || async { Answers::open(State::open(&path).unwrap()).await.unwrap() };
        let answers = open().await;
        let done = AtomicU32::new(0);
        let work = || async {
            tokio::task::yield_now().await;
            Ok(answer(&format!("ap-{}", done.fetch_add(1, Ordering::SeqCst))))
        };
        let (a, b) = tokio::join!(answers.once("m", "k", work()), answers.once("m", "k", work()));
        assert_eq!((a.unwrap().app_id, b.unwrap().app_id), ("ap-0".into(), "ap-0".into()));
        assert!(answers.lock().is_empty());

        let again = open().await.once("m", "k", async { Ok(answer("ap-new")) }).await.unwrap();
        assert_eq!(again.app_id, "ap-0");
        let other = answers.once("other", "k", async { Ok(answer("ap-other")) }).await.unwrap();
        assert_eq!(other.app_id, "ap-other");
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::open(State::open(&dir.path().join("engine.db")).unwrap()).await.unwrap();
        let failed = answers.once::<AppGetOrCreateResponse>("m", "k", async { Err(Status::unavailable("no")) }).await;
        assert!(failed.is_err());
        assert_eq!(answers.once("m", "k", async { Ok(answer("ap-1")) }).await.unwrap().app_id, "ap-1");
    }
}
