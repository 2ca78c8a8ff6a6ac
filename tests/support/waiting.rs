//! Waiting, with a deadline.

use std::time::{Duration, Instant};

/// How long anything may take before a test calls it hung. Generous: test machines are small and shared.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for something.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits for a condition.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !done().await {
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
