//! Which commands are being done.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::core::RequestId;

/// The commands that are being done, and how to stop each.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<RequestId, CancellationToken>>);

impl Running {
    /// Notes one; absent when it is being done already.
    pub fn begin(&self, id: RequestId) -> Option<CancellationToken> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&id) {
            return None;
        }
        let token = CancellationToken::new();
        running.insert(id, token.clone());
        Some(token)
    }

    /// It has ended.
    pub fn end(&self, id: RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Asks one to stop.
    pub fn cancel(&self, id: RequestId) {
        if let Some(token) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            token.cancel();
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
