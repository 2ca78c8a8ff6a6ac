//! The command's input: numbered lines that wait until it reads them.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
};

use bytes::{Buf, Bytes};
use rustix::event::PollFlags;

/// ^D.
const END_OF_TRANSMISSION: u8 = 4;

/// Input that may wait for a command that doesn't read. A client sends no more than a quarter of a megabyte beyond what
/// the command has read; this is for what comes all at once, the longest prompt.
const MAX_QUEUE: usize = 8 << 20;

/// A line that waits; without bytes, the end.
struct Line {
    number: u64,
    bytes: Option<Bytes>,
}

/// Input and the descriptor that it goes to.
#[derive(Default)]
pub struct Feed {
    sink: Option<File>,
    sink_is_terminal: bool,
    queue: VecDeque<Line>,
    /// Bytes in the queue.
    queued: usize,
    taken: u64,
    passed: u64,
    fed: u64,
}

impl Feed {
    /// Goes to a descriptor that doesn't block; without one, nobody reads it.
    pub fn new(sink: Option<File>, sink_is_terminal: bool) -> Self {
        Self { sink, sink_is_terminal, ..Self::default() }
    }

    /// Number of the last line that came.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Number of the last line that the command has, all of it: what came is acknowledged then, so that who sends waits
    /// when the command doesn't read.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Bytes in the lines that came.
    pub fn fed(&self) -> u64 {
        self.fed
    }

    /// Whether more may come.
    pub fn has_room(&self) -> bool {
        self.queued < MAX_QUEUE
    }

    /// Takes the next line. One that was seen is not taken again; neither is one that leaves a gap.
    pub fn take(&mut self, number: u64, bytes: Option<Bytes>) {
        if number == self.taken + 1 {
            self.taken = number;
            let length = bytes.as_ref().map_or(0, Bytes::len);
            self.fed += length as u64;
            self.queued += length;
            self.queue.push_back(Line { number, bytes });
        }
    }

    /// What it is to be woken for: that there is room for what waits, or that the reader goes.
    pub fn wanted(&self) -> Option<(&File, PollFlags)> {
        let wanted = if self.queue.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        self.sink.as_ref().map(|sink| (sink, wanted))
    }

    /// It was woken. Without anything to write, that means that its reader has gone.
    pub fn woken(&mut self) {
        if self.queue.is_empty() {
            self.sink = None;
        }
    }

    /// Writes as much as the command takes.
    pub fn write(&mut self) {
        while let Some(line) = self.queue.front_mut() {
            match (&mut self.sink, &mut line.bytes) {
                (Some(sink), Some(bytes)) if !bytes.is_empty() => match sink.write(bytes) {
                    Ok(n) => {
                        bytes.advance(n);
                        self.queued -= n;
                        continue;
                    }
                    Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
                    // Nobody reads any more.
                    Err(_) => {
                        self.sink = None;
                        continue;
                    }
                },
                // A terminal can't be closed from one side: its end of input is a character.
                (Some(sink), None) if self.sink_is_terminal => drop(sink.write(&[END_OF_TRANSMISSION])),
                // Written, or nobody reads.
                _ => {}
            }
            if line.bytes.is_none() {
                self.sink = None;
            }
            self.queued -= line.bytes.as_ref().map_or(0, Bytes::len);
            self.passed = line.number;
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::inside::shim::nonblocking;

    fn pipe() -> (File, Feed) {
        let (read, write) = rustix::pipe::pipe().unwrap();
        (read.into(), Feed::new(Some(nonblocking(write).unwrap()), false))
    }

    #[test]
    fn a_line_is_taken_once_and_in_its_turn() {
        let (mut read, mut feed) = pipe();
        for (number, line) in [(1, "a"), (3, "gap"), (1, "again"), (2, "b")] {
            feed.take(number, Some(line.into()));
        }
        assert_eq!((feed.taken(), feed.passed(), feed.fed()), (2, 0, 2));
        feed.take(3, None);
        feed.write();
        assert_eq!((feed.taken(), feed.passed(), feed.fed()), (3, 3, 2));
        let mut all = String::new();
        read.read_to_string(&mut all).unwrap();
        assert_eq!(all, "ab");
    }

    #[test]
    fn a_command_that_does_not_read_is_waited_for() {
        let (mut read, mut feed) = pipe();
        feed.take(1, Some(vec![7; MAX_QUEUE].into()));
        assert!(!feed.has_room());
        feed.write();
        assert!(feed.has_room() && feed.passed() == 0);
        let mut left = MAX_QUEUE;
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            left -= read.read(&mut buffer).unwrap();
            feed.write();
        }
        assert_eq!(feed.passed(), 1);
    }

    #[test]
    fn what_nobody_reads_any_more_is_passed() {
        let (read, mut feed) = pipe();
        drop(read);
        feed.take(1, Some("a".into()));
        feed.write();
        assert_eq!(feed.passed(), 1);
        assert!(feed.wanted().is_none());
    }
}
