//! Where tests kill or stop a process of the program, in the sandbox and outside. Nothing in a release.

/// A place at which a death must lose nothing.
///
/// Two variables: at the n-th place that it passes, whichever it is, a process with `SANDBANK_TEST_CRASH_AT=n` dies as
/// by `kill -9`. One with `SANDBANK_TEST_STOP_AT=FILE` reads `NAME n` in that file, takes the file away at the n-th
/// pass of the place of that name, and stops as by `kill -STOP`: what a test kills then, it kills at that place and no
/// other. With `NAME n panic` it panics instead. The file may come while the process runs, and is meant for one
/// process: what replaces it passes.
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    testing::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod testing {
    use std::{
        fs,
        path::PathBuf,
        sync::{
            LazyLock, Mutex, PoisonError,
            atomic::{AtomicU64, Ordering},
        },
    };

    use signal_hook::{
        consts::{SIGKILL, SIGSTOP},
        low_level::raise,
    };

    /// The last word of a wish for a panic.
    const PANIC: &str = " panic";

    static CRASH_AT: LazyLock<Option<u64>> =
        LazyLock::new(|| std::env::var("SANDBANK_TEST_CRASH_AT").ok().and_then(|n| n.parse().ok()));
    static STOP_AT: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("SANDBANK_TEST_STOP_AT").map(PathBuf::from));

    pub fn point(name: &str) {
        static PASSED: AtomicU64 = AtomicU64::new(0);
        if CRASH_AT.is_some_and(|at| PASSED.fetch_add(1, Ordering::Relaxed) + 1 == at) {
            let _ = raise(SIGKILL);
        }
        if let Some(file) = STOP_AT.as_ref()
            && let Ok(wish) = fs::read_to_string(file)
            && is_now(&wish, name)
            && fs::remove_file(file).is_ok()
        {
            assert!(!wish.trim().ends_with(PANIC), "told to panic at `{name}`");
            // To this thread: a signal to the process may reach another one first, and this one would run on.
            let _ = raise(SIGSTOP);
        }
    }

    /// Counts passes of the place that is wished for; a new wish counts from its beginning.
    fn is_now(wish: &str, name: &str) -> bool {
        static LAST: Mutex<(String, u64)> = Mutex::new((String::new(), 0));
        let Some((wanted, nth)) = wish.trim().trim_end_matches(PANIC).split_once(' ') else { return false };
        if wanted != name {
            return false;
        }
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != wish {
            *last = (wish.to_owned(), 0);
        }
        last.1 += 1;
        let now = nth.parse() == Ok(last.1);
        if now {
            *last = Default::default();
        }
        now
    }
}
