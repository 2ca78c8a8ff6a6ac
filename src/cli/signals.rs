//! Ctrl-c. A command that waits ends with 130, unless it has something to interrupt itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// How many take ctrl-c themselves now.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Takes ctrl-c away from the program while it lives.
pub(super) struct Interrupts {
    signal: Option<tokio::signal::unix::Signal>,
}

impl Interrupts {
    /// From now on ctrl-c comes here.
    pub fn take() -> Self {
        TAKEN.fetch_add(1, Ordering::SeqCst);
        Self { signal: signal(SignalKind::interrupt()).ok() }
    }

    /// The next one.
    pub async fn next(&mut self) {
        match &mut self.signal {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits for a ctrl-c that nobody else takes.
pub(super) async fn interrupted() {
    let Ok(mut signal) = signal(SignalKind::interrupt()) else { return std::future::pending().await };
    loop {
        signal.recv().await;
        if TAKEN.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
}
