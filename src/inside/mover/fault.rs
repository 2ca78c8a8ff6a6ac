//! Where tests kill the mover. Nothing in a release.

/// A place at which a crash must lose nothing. The variable counts them: at the n-th one the process dies as by
/// `kill -9`, without unwinding or flushing.
pub fn point() {
    #[cfg(debug_assertions)]
    {
        use std::sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        };
        static AT: LazyLock<Option<u64>> =
            LazyLock::new(|| std::env::var("SANDBANK_TEST_CRASH_AT").ok().and_then(|n| n.parse().ok()));
        static PASSED: AtomicU64 = AtomicU64::new(0);
        if AT.is_some_and(|at| PASSED.fetch_add(1, Ordering::Relaxed) + 1 == at) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
