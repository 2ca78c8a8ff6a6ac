//! Who reads what a command writes. Its exit is told when they have it all: Modal's tools stop printing as soon as they
//! know the exit.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

/// How long an exit waits for a reader that has not come yet.
const LATE: Duration = Duration::from_millis(100);

/// How long it waits for one that reads but gets nothing: something that the command left behind holds its output open.
const STUCK: Duration = Duration::from_secs(1);

/// The longest in all: clients ask again after 60 seconds, and would never hear of the end.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    reading: usize,
    finished: bool,
    pieces: u64,
}

/// The readers of one command.
#[derive(Debug, Default)]
pub struct Readers(watch::Sender<Counts>);

impl Readers {
    /// A reader begins; it ends when this is dropped.
    pub fn begin(self: &Arc<Self>) -> Reading {
        self.0.send_modify(|counts| counts.reading += 1);
        Reading(self.clone())
    }

    /// Returns when those who read have everything, or don't seem to want it.
    pub async fn settle(&self) {
        let (mut counts, last) = (self.0.subscribe(), Instant::now() + LONGEST);
        while Instant::now() < last {
            let Counts { reading, finished, .. } = *counts.borrow_and_update();
            let patience = match (reading, finished) {
                (0, true) => return,
                (0, false) => LATE,
                _ => STUCK,
            };
            match timeout(patience, timeout_at(last, counts.changed())).await {
                Ok(Ok(Ok(()))) => {}
                // Nothing happened.
                _ => return,
            }
        }
    }
}

/// A reader at work.
#[derive(Debug)]
pub struct Reading(Arc<Readers>);

impl Reading {
    /// It was given a piece.
    pub fn piece(&self) {
        self.0.0.send_modify(|counts| counts.pieces += 1);
    }

    /// It was given everything.
    pub fn finished(&self) {
        self.0.0.send_modify(|counts| counts.finished = true);
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.0.send_modify(|counts| counts.reading -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn waited(readers: &Arc<Readers>) -> Duration {
        let start = Instant::now();
        readers.settle().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_exit_waits_for_its_readers_and_not_for_ever() {
        let readers = Arc::<Readers>::default();
        assert_eq!(waited(&readers).await, LATE, "nobody came");

        let reading = readers.begin();
        assert_eq!(waited(&readers).await, STUCK, "nothing comes");

        let busy = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(STUCK / 2).await;
                reading.piece();
            }
            reading.finished();
        });
        assert_eq!(waited(&readers).await, STUCK / 2 * 5, "until it has everything");
        busy.await.unwrap();
        assert_eq!(waited(&readers).await, Duration::ZERO, "it has everything");

        let reading = readers.begin();
        let endless = tokio::spawn(async move {
            loop {
                tokio::time::sleep(STUCK / 2).await;
                reading.piece();
            }
        });
        assert!(waited(&readers).await <= LONGEST + STUCK);
        endless.abort();
    }
}
