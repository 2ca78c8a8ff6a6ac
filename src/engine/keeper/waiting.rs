//! Questions whose answer is not there yet.

use std::os::fd::BorrowedFd;

use super::{
    exec::State,
    execs::Execs,
    wire::{Fault, OutputFd, Reply},
};

/// What a connection waits for; an exec is named by its place.
#[derive(Debug)]
pub enum Waiting {
    /// The start of an exec.
    Start(usize),
    /// Output beyond an offset.
    Output(usize, OutputFd, u64),
    /// Room in a standard input.
    Stdin {
        /// Which exec.
        exec: usize,
        /// Place of the first byte.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
        /// Nothing follows.
        eof: bool,
    },
    /// The exit of an exec.
    Exit(usize),
    /// The end of the sandbox.
    Ended,
}

impl Waiting {
    /// The answer, if it is there now. Input is written as far as it goes. The sandbox's end is not seen from here.
    pub fn answer(&self, execs: &mut Execs) -> Option<Reply> {
        match self {
            Self::Ended => None,
            Self::Start(exec) => match &execs[*exec].state {
                State::Starting => None,
                State::Started => Some(Reply::Done),
                State::Refused(why) => Some(Reply::Fault(Fault::Refused(why.clone()))),
            },
            Self::Output(exec, fd, offset) => {
                let output = execs[*exec].output(*fd);
                let (end, closed) = (output.log.end, output.closed());
                (end > *offset || closed).then_some(Reply::Output { end, closed })
            }
            Self::Exit(exec) => execs[*exec].exit.map(|end| Reply::Exit(Some(end))),
            Self::Stdin { exec, offset, data, eof } => {
                let input = &mut execs[*exec].input;
                match input.write(*offset, data, *eof) {
                    Ok(false) => None,
                    Ok(true) => Some(Reply::Stdin { written: input.written, closed: input.closed() }),
                    Err(fault) => Some(Reply::Fault(fault)),
                }
            }
        }
    }

    /// The input whose room is waited for.
    pub fn input<'a>(&self, execs: &'a Execs) -> Option<BorrowedFd<'a>> {
        match self {
            Self::Stdin { exec, .. } => execs[*exec].input.writable(),
            _ => None,
        }
    }
}
