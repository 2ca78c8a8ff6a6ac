//! What the mover has to send, part by part: what waits for its turn, and what is on its way.

use std::collections::{HashMap, VecDeque};

use crate::inside::mover::words::WINDOW;

/// One part that the mover sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Whose.
    pub slot: usize,
    /// Which.
    pub part: u32,
    /// How often the file had changed when it was asked for.
    pub changes: u8,
    /// How often it has failed.
    pub tries: u8,
}

/// All parts that are not sent yet.
#[derive(Debug, Default)]
pub struct Jobs {
    waiting: VecDeque<Job>,
    /// Those that the mover has, by ticket.
    with_mover: HashMap<u64, Job>,
    ticket: u64,
}

impl Jobs {
    /// A file's parts wait.
    pub fn add(&mut self, slot: usize, parts: u32, changes: u8) {
        self.waiting.extend((0..parts).map(|part| Job { slot, part, changes, tries: 0 }));
    }

    /// One waits once more.
    pub fn again(&mut self, job: Job) {
        self.waiting.push_back(Job { tries: job.tries + 1, ..job });
    }

    /// The next that the mover may have, as long as it may have one more.
    pub fn next(&mut self) -> Option<Job> {
        if self.with_mover.len() < WINDOW { self.waiting.pop_front() } else { None }
    }

    /// The mover gets one: the ticket by which it answers.
    pub fn hand_over(&mut self, job: Job) -> u64 {
        self.ticket += 1;
        self.with_mover.insert(self.ticket, job);
        self.ticket
    }

    /// What the mover has answered.
    pub fn answered(&mut self, ticket: u64) -> Option<Job> {
        self.with_mover.remove(&ticket)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.with_mover.len()
    }

    /// The mover is gone. Its tickets mean nothing to another.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.with_mover.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mover_has_no_more_than_it_may_and_each_ticket_counts_once() {
        let mut jobs = Jobs::default();
        jobs.add(3, u32::try_from(WINDOW).unwrap() + 1, 0);
        let mut tickets = Vec::new();
        while let Some(job) = jobs.next() {
            tickets.push(jobs.hand_over(job));
        }
        assert_eq!((tickets.len(), jobs.len()), (WINDOW, WINDOW + 1));
        let first = jobs.answered(tickets[0]).unwrap();
        assert_eq!((first.slot, first.part), (3, 0));
        assert_eq!(jobs.answered(tickets[0]), None);
        jobs.again(first);
        let last = jobs.next().unwrap();
        assert_eq!(usize::try_from(last.part).unwrap(), WINDOW);
        let ticket = jobs.hand_over(last);
        jobs.answered(tickets[1]).unwrap();
        assert_eq!(jobs.next(), Some(Job { tries: 1, ..first }));
        jobs.clear();
        assert_eq!((jobs.len(), jobs.answered(ticket)), (0, None));
    }
}
