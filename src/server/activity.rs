//! Who is connected, and since when nobody is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time};

/// Counts connected clients.
#[derive(Debug, Default)]
pub(super) struct Activity {
    clients: AtomicUsize,
    changed: Notify,
}

/// One connected client, while it lives.
pub(super) struct Client(Arc<Activity>);

impl Activity {
    /// Counts a client in.
    pub fn enter(self: &Arc<Self>) -> Client {
        self.clients.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
        Client(self.clone())
    }

    fn count(&self) -> usize {
        self.clients.load(Ordering::SeqCst)
    }

    /// Returns when no client was connected for `time` and nothing is `busy` then. Wakes up only for clients that
    /// come or go and at the end of that time.
    pub async fn idle(&self, time: Duration, busy: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed, also not one before the count is read.
            changed.as_mut().enable();
            if self.count() > 0 {
                changed.await;
                continue;
            }
            tokio::select! {
                () = changed => {}
                () = time::sleep(time) => {
                    if !busy() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits until all clients are gone, but no longer than `limit`.
    pub async fn drained(&self, limit: Duration) {
        let all_gone = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.count() == 0 {
                    return;
                }
                changed.await;
            }
        };
        if time::timeout(limit, all_gone).await.is_err() {
            tracing::warn!(clients = self.count(), "clients didn't take their answers in time");
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_client_holds_it_and_the_time_begins_when_the_last_one_leaves() {
        let activity = Arc::new(Activity::default());
        let start = time::Instant::now();
        let client = activity.enter();
        let other = activity.clone();
        tokio::spawn(async move {
            time::sleep(5 * MINUTE).await;
            drop(client);
            time::sleep(MINUTE / 2).await;
            drop(other.enter());
        });
        activity.idle(MINUTE, || false).await;
        assert_eq!(start.elapsed().as_secs(), (6 * MINUTE + MINUTE / 2).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_tended_holds_it_without_clients() {
        let activity = Activity::default();
        let busy = AtomicBool::new(true);
        let wait = activity.idle(MINUTE, || busy.swap(false, Ordering::SeqCst));
        let start = time::Instant::now();
        wait.await;
        assert_eq!(start.elapsed(), 2 * MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_leaves_doesnt_hold_the_end() {
        let activity = Arc::new(Activity::default());
        let _client = activity.enter();
        activity.drained(MINUTE).await;
    }
}
