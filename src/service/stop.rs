//! How something in a sandbox is stopped: asked, then told, then killed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long an interrupted program may take for its last words, and then for its end: Claude's CLI needs a tenth of a
/// second.
const GRACE: Duration = Duration::from_secs(5);

const INT: i32 = 2;
const TERM: i32 = 15;
const KILL: i32 = 9;

/// The signals that stop a process group, one after the other.
#[derive(Debug, Default)]
pub(super) struct Stop {
    begun: bool,
    next: Option<(i32, Instant)>,
}

impl Stop {
    /// It was asked for.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Asks for it; the first signal is due at once.
    pub fn begin(&mut self) {
        self.begun = true;
        self.next = Some((INT, Instant::now()));
    }

    /// The next signal, when it is due. Safe to drop at any await: none is lost.
    pub async fn due(&mut self) -> i32 {
        let Some((number, at)) = self.next else { return std::future::pending().await };
        sleep_until(at).await;
        self.next = match number {
            INT => Some((TERM, Instant::now() + GRACE)),
            TERM => Some((KILL, Instant::now() + GRACE)),
            _ => None,
        };
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_listen_is_killed_in_the_end() {
        let mut stop = Stop::default();
        let start = Instant::now();
        stop.begin();
        let mut sent = Vec::new();
        for _ in 0..3 {
            sent.push((stop.due().await, start.elapsed().as_secs()));
        }
        assert_eq!(sent, [(INT, 0), (TERM, 5), (KILL, 10)]);
        assert!(tokio::time::timeout(10 * GRACE, stop.due()).await.is_err(), "there is nothing beyond that");
    }
}
