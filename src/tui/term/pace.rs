//! How much a far terminal may have before it.
//!
//! Behind ssh a write succeeds long before anybody sees it: megabytes fit into the buffers between, and what is drawn
//! into them stands between a key and its echo. So the terminal is asked now and then whether it is there ([`ASK`]); it
//! answers when it has taken all that came before, and while too much is unanswered frames are left out.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// "Are you in order?" Every terminal since the VT100 says yes ([`ANSWER`]).
pub(super) const ASK: &[u8] = b"\x1b[5n";

/// The answer to it.
pub(super) const ANSWER: &[u8] = b"\x1b[0n";

/// Bytes after which it is asked: what a key changes is far less, so that typing asks nothing.
const EVERY: usize = 4 << 10;

/// Bytes that may be unanswered: two whole screens of 120 by 40. On a line of 64 kB a second they are a quarter of one.
const MOST: usize = 16 << 10;

/// How long an answer may take. A terminal that has never given one is not asked again; one that has is behind a line
/// that stands still, and after so long the newest frame may as well wait there.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is on its way to a terminal.
#[derive(Debug)]
pub(super) struct Pace {
    asks: bool,
    answered: bool,
    /// Bytes since the last question.
    unasked: usize,
    /// Questions without an answer: the bytes before each, and when it was asked.
    open: VecDeque<(usize, Instant)>,
}

impl Pace {
    /// Of a terminal that is far; a near one is never asked.
    pub fn new(far: bool) -> Self {
        Self { asks: far, answered: false, unasked: 0, open: VecDeque::new() }
    }

    /// A frame goes out, with a question behind it if it is time for one.
    pub fn frame(&mut self, bytes: &mut Vec<u8>) {
        self.unasked += bytes.len();
        if self.asks && self.unasked >= EVERY {
            bytes.extend_from_slice(ASK);
            self.open.push_back((std::mem::take(&mut self.unasked), Instant::now()));
        }
    }

    /// Too much is on its way for another frame.
    pub fn is_full(&self) -> bool {
        self.open.iter().map(|(bytes, _)| bytes).sum::<usize>() >= MOST
    }

    /// An answer came.
    pub fn answer(&mut self) {
        self.answered = true;
        self.open.pop_front();
    }

    /// An answer is on its way.
    pub fn awaits_answer(&self) -> bool {
        !self.open.is_empty()
    }

    /// Until when an answer counts.
    pub fn deadline(&self) -> Option<Instant> {
        self.open.front().map(|(_, at)| *at + PATIENCE)
    }

    /// The deadline has passed, if it has.
    pub fn expire(&mut self) {
        if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            self.open.clear();
            self.asks &= self.answered;
        }
    }

    /// What was on its way is of no interest any more.
    pub fn forget(&mut self) {
        self.open.clear();
        self.unasked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(pace: &mut Pace, len: usize) -> bool {
        let mut bytes = vec![b'x'; len];
        pace.frame(&mut bytes);
        bytes.ends_with(ASK)
    }

    #[tokio::test(start_paused = true)]
    async fn what_keys_change_asks_nothing_and_a_flood_waits_for_answers() {
        let mut pace = Pace::new(true);
        assert!((0..40).all(|_| !frame(&mut pace, 100)), "keys");
        let mut drawn = 0;
        while !pace.is_full() {
            frame(&mut pace, 5000);
            drawn += 1;
        }
        assert_eq!(drawn, 3);
        pace.answer();
        assert!(!pace.is_full());
        assert!((0..100).all(|_| !frame(&mut Pace::new(false), 5000)), "a near one is never asked");
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_answers_is_not_asked_again_and_who_did_is() {
        let mut pace = Pace::new(true);
        frame(&mut pace, 5000);
        pace.answer();
        for answers in [true, false] {
            while !pace.is_full() {
                assert!(frame(&mut pace, 5000), "it is asked");
            }
            pace.expire();
            assert!(pace.is_full(), "it has time");
            tokio::time::advance(PATIENCE).await;
            pace.expire();
            assert!(!pace.is_full() && !pace.awaits_answer());
            assert_eq!(frame(&mut pace, 5000), answers);
            pace = Pace::new(true);
        }
    }
}
