//! The engines' connections, as the keeper sees them: what came, what each waits for, what goes back.

use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    time::Duration,
};

use rustix::event::PollFlags;

use super::{
    execs::Execs,
    poll::is_ready,
    waiting::Waiting,
    wire::{Ask, Fault, Reply, Request},
};
use crate::engine::{frames, spec::End};

/// How long until a connection that could not be taken is tried again.
const NO_DESCRIPTOR: Duration = Duration::from_millis(10);

/// What a question gets.
pub enum Answer {
    /// This.
    Now(Reply),
    /// This, with descriptors.
    WithFds(Reply, Vec<OwnedFd>),
    /// What comes of this.
    Later(Waiting),
}

/// A connection.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    fds: Vec<OwnedFd>,
    /// At most one question is open.
    waiting: Option<Waiting>,
    /// The other end is gone or broke the rules.
    broken: bool,
}

impl Line {
    /// Of a nonblocking stream.
    fn new(stream: UnixStream) -> Self {
        Self { stream, incoming: Vec::new(), outgoing: Vec::new(), fds: Vec::new(), waiting: None, broken: false }
    }

    /// The question that is open.
    pub fn waiting(&self) -> Option<&Waiting> {
        self.waiting.as_ref()
    }

    /// What to wait for. While a question is open nothing more is read, so a connection holds one frame at most; that
    /// the other end is gone shows all the same.
    pub fn interest(&self) -> PollFlags {
        if !self.outgoing.is_empty() {
            PollFlags::OUT
        } else if self.waiting.is_some() {
            PollFlags::RDHUP
        } else {
            PollFlags::IN
        }
    }

    /// Does what its descriptor is ready for: sends, notices a hang-up, or takes what is there. A whole question comes
    /// back.
    pub fn hear(&mut self) -> Option<(Ask, Vec<u8>)> {
        self.send();
        if self.waiting.is_some() {
            // Only a hang-up wakes a waiting line.
            self.broken |= self.interest() == PollFlags::RDHUP && is_ready(&*self, PollFlags::RDHUP);
            return None;
        }
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.broken = true,
            Ok(n) => self.incoming.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.broken = true,
        }
        self.next()
    }

    /// A whole question that came already, unless one is open.
    pub fn next(&mut self) -> Option<(Ask, Vec<u8>)> {
        if self.waiting.is_some() {
            return None;
        }
        match frames::take::<Request>(&mut self.incoming) {
            Ok(next) => next.map(|(request, data)| (request.ask, data)),
            Err(_) => {
                self.broken = true;
                None
            }
        }
    }

    /// Answers, or keeps the question open.
    pub fn answer(&mut self, answer: Result<Answer, Fault>) {
        match answer {
            Ok(Answer::Now(reply)) => self.reply(&reply, Vec::new()),
            Ok(Answer::WithFds(reply, fds)) => self.reply(&reply, fds),
            Ok(Answer::Later(waiting)) => self.waiting = Some(waiting),
            Err(fault) => self.reply(&Reply::Fault(fault), Vec::new()),
        }
    }

    fn reply(&mut self, reply: &Reply, fds: Vec<OwnedFd>) {
        self.waiting = None;
        match frames::frame(reply, &[]) {
            Ok(frame) => self.outgoing.extend_from_slice(&frame),
            Err(_) => self.broken = true,
        }
        self.fds = fds;
        self.send();
    }

    /// Sends what goes.
    fn send(&mut self) {
        while !self.outgoing.is_empty() {
            let fds: Vec<BorrowedFd<'_>> = self.fds.iter().map(AsFd::as_fd).collect();
            match frames::send(&self.stream, &self.outgoing, &fds) {
                Ok(n) => {
                    self.outgoing.drain(..n);
                    self.fds.clear();
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.broken = true;
                    return;
                }
            }
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// All connections, and where new ones come from.
#[derive(Debug)]
pub struct Lines {
    listener: UnixListener,
    all: Vec<Line>,
}

impl Lines {
    /// None yet; they will come from a nonblocking listener.
    pub fn new(listener: UnixListener) -> Self {
        Self { listener, all: Vec::new() }
    }

    /// Where they come from.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Each with its place, which it keeps until [`Self::drop_broken`].
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.all.iter().enumerate()
    }

    /// The one at a place.
    pub fn get(&mut self, place: usize) -> &mut Line {
        &mut self.all[place]
    }

    /// Takes those that wait.
    pub fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => self.all.push(Line::new(stream)),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // Out of descriptors, say: one comes free, or not, but not at once.
                Err(_) => return std::thread::sleep(NO_DESCRIPTOR),
            }
        }
    }

    /// Answers those whose condition is there.
    pub fn settle(&mut self, execs: &mut Execs) {
        for line in &mut self.all {
            if let Some(reply) = line.waiting.as_ref().and_then(|waiting| waiting.answer(execs)) {
                line.reply(&reply, Vec::new());
            }
        }
    }

    /// Tells the sandbox's end to those that wait for it.
    pub fn tell_end(&mut self, end: &End) {
        for line in &mut self.all {
            if let Some(Waiting::Ended) = line.waiting {
                line.reply(&Reply::End(end.clone()), Vec::new());
            }
        }
    }

    /// Lets go of those that are gone or broke the rules.
    pub fn drop_broken(&mut self) {
        self.all.retain(|line| !line.broken);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::engine::keeper::wire::VERSION;

    #[test]
    fn a_connection_has_one_open_question_and_goes_with_its_engine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut lines = Lines::new(listener);
        let mut engine = UnixStream::connect(&path).unwrap();
        lines.accept();

        let ask = |ask| frames::frame(&Request { version: VERSION, ask }, b"").unwrap();
        let (first, rest) = (ask(Ask::Ended), ask(Ask::Terminate));
        engine.write_all(&first[..5]).unwrap();
        assert!(lines.get(0).hear().is_none(), "half a question");
        engine.write_all(&[&first[5..], &rest].concat()).unwrap();
        assert!(matches!(lines.get(0).hear(), Some((Ask::Ended, _))));
        lines.get(0).answer(Ok(Answer::Later(Waiting::Ended)));
        assert!(lines.get(0).hear().is_none() && lines.get(0).next().is_none(), "the first is still open");

        lines.tell_end(&End::Terminated);
        assert!(matches!(lines.get(0).next(), Some((Ask::Terminate, _))));
        lines.get(0).answer(Ok(Answer::Later(Waiting::Ended)));
        lines.drop_broken();
        assert_eq!(lines.iter().count(), 1);
        drop(engine);
        assert!(lines.get(0).hear().is_none());
        lines.drop_broken();
        assert_eq!(lines.iter().count(), 0);
    }
}
