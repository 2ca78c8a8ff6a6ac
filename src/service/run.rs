//! One command being done.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::core::RequestId;

/// Hears of a command's steps: what it does, how much is done, of how much.
pub type ProgressSink = Arc<dyn Fn(&str, Option<u64>, Option<u64>) + Send + Sync>;

/// What every use case that takes time is given.
#[derive(Clone)]
pub struct Run {
    /// The command's id, for keys that must be the same when it is done again.
    pub request_id: RequestId,
    /// How often it was begun: above 1 when a server died in the middle of it.
    pub attempts: u64,
    /// The user wants it to stop.
    pub cancel: CancellationToken,
    /// Tells those who watch.
    pub progress: ProgressSink,
}

impl Run {
    /// Tells a step without figures.
    pub fn step(&self, what: &str) {
        (self.progress)(what, None, None);
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("request_id", &self.request_id).field("attempts", &self.attempts).finish()
    }
}
