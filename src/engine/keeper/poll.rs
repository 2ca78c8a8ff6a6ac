//! One `poll`: what is waited for, and whose each descriptor is.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// Descriptors, each with its owner's name.
pub struct Poll<'a, T> {
    set: Vec<PollFd<'a>>,
    owners: Vec<T>,
}

impl<'a, T> Poll<'a, T> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { set: Vec::new(), owners: Vec::new() }
    }

    /// Waits for `flags` of this one too.
    pub fn add(&mut self, fd: BorrowedFd<'a>, flags: PollFlags, owner: T) {
        self.set.push(PollFd::from_borrowed_fd(fd, flags));
        self.owners.push(owner);
    }

    /// Sleeps until some are ready, a signal comes or the time is over: the owners of those that are ready, in order.
    pub fn wait(mut self, timeout: Option<Duration>) -> io::Result<Vec<T>> {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        match poll(&mut self.set, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let ready = self.set.iter().zip(self.owners).filter(|(fd, _)| !fd.revents().is_empty());
        Ok(ready.map(|(_, owner)| owner).collect())
    }
}

/// Whether `flags` of one descriptor are there now.
pub fn is_ready(fd: impl AsFd, flags: PollFlags) -> bool {
    let mut one = Poll::new();
    one.add(fd.as_fd(), flags, ());
    one.wait(Some(Duration::ZERO)).is_ok_and(|ready| !ready.is_empty())
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::net::UnixStream};

    use super::*;

    #[test]
    fn those_that_are_ready_are_told_by_their_owners() {
        let (quiet, _other) = UnixStream::pair().unwrap();
        let (talked_to, mut talker) = UnixStream::pair().unwrap();
        talker.write_all(b"x").unwrap();
        let mut poll = Poll::new();
        poll.add(quiet.as_fd(), PollFlags::IN, "quiet");
        poll.add(talked_to.as_fd(), PollFlags::IN, "talked to");
        assert_eq!(poll.wait(None).unwrap(), ["talked to"]);
        assert!(!is_ready(&quiet, PollFlags::IN));
        drop(talker);
        assert!(is_ready(&talked_to, PollFlags::RDHUP));
    }
}
