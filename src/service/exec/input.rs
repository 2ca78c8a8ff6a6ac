//! A client's input as the shim's numbered lines, over broken connections on both sides.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    api::ExecClientFrame,
    inside::words::{Frame, PIECE},
};

/// The client's bytes as the shim's numbered lines.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// The shim listens.
    pub ready: bool,
    begun: bool,
    ended: bool,
    /// Number of the last line.
    number: u64,
    /// Bytes in all lines.
    offset: u64,
    /// Lines that were not acknowledged: number, bytes up to its end, the line.
    lines: VecDeque<(u64, u64, Frame)>,
    /// Sizes and signals that came while nobody listened.
    control: Vec<Frame>,
}

impl Input {
    /// The shim listens and has so much; true for the first time.
    pub fn begin(&mut self, fed: u64, taken: u64) -> bool {
        self.ready = true;
        if std::mem::replace(&mut self.begun, true) {
            return false;
        }
        (self.offset, self.number) = (fed, taken);
        true
    }

    /// Takes a client's frame; what to tell the shim.
    pub fn obey(&mut self, frame: ExecClientFrame) -> Vec<Frame> {
        let mut words = Vec::new();
        match frame {
            ExecClientFrame::Stdin(from, bytes) if self.begun && !self.ended && from <= self.offset => {
                let known = usize::try_from(self.offset - from).unwrap_or(usize::MAX).min(bytes.len());
                for piece in bytes.slice(known..).chunks(PIECE) {
                    self.number += 1;
                    self.offset += piece.len() as u64;
                    let line = Frame::Input { number: self.number, bytes: Bytes::copy_from_slice(piece) };
                    self.lines.push_back((self.number, self.offset, line.clone()));
                    words.push(line);
                }
            }
            ExecClientFrame::StdinEnd(at) if self.begun && !self.ended && at == self.offset => {
                self.ended = true;
                self.number += 1;
                let line = Frame::EndInput { number: self.number };
                self.lines.push_back((self.number, self.offset, line.clone()));
                words.push(line);
            }
            // A gap, or more after the end: the client doesn't keep to the protocol and gets what it asked for.
            ExecClientFrame::Stdin(..) | ExecClientFrame::StdinEnd(_) => {}
            ExecClientFrame::Resize(rows, columns) => words.push(Frame::Resize { rows, columns }),
            ExecClientFrame::Signal(number) => words.push(Frame::Signal { number: number.into() }),
        }
        if !self.ready {
            self.control.extend(words.into_iter().filter(|w| matches!(w, Frame::Resize { .. } | Frame::Signal { .. })));
            return Vec::new();
        }
        words
    }

    /// The shim has all lines up to a number; bytes of input that it has, if that is news.
    pub fn taken(&mut self, number: u64) -> Option<u64> {
        let mut news = None;
        while let Some((_, end, _)) = self.lines.front().filter(|(n, ..)| *n <= number) {
            news = Some(*end);
            self.lines.pop_front();
        }
        news
    }

    /// What the shim has to be told now that it listens.
    pub fn waiting(&mut self) -> Vec<Frame> {
        self.lines.iter().map(|(.., line)| line.clone()).chain(std::mem::take(&mut self.control)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(frames: &[Frame]) -> Vec<(u64, Vec<u8>)> {
        frames
            .iter()
            .filter_map(|f| match f {
                Frame::Input { number, bytes } => Some((*number, bytes.to_vec())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn what_came_before_the_shim_listens_is_told_then() {
        let mut input = Input::default();
        assert!(input.obey(ExecClientFrame::Resize(3, 4)).is_empty());
        assert!(input.begin(0, 0));
        assert_eq!(input.waiting(), [Frame::Resize { rows: 3, columns: 4 }]);
    }

    #[test]
    fn a_new_server_goes_on_at_the_byte_that_the_shim_has() {
        let mut input = Input::default();
        input.begin(5, 2);
        let words = input.obey(ExecClientFrame::Stdin(3, Bytes::from_static(b"lo you")));
        assert_eq!(text(&words), [(3, b" you".to_vec())]);
        assert_eq!(input.taken(3), Some(9));
        assert_eq!(input.obey(ExecClientFrame::StdinEnd(9)), [Frame::EndInput { number: 4 }]);
        assert!(input.obey(ExecClientFrame::StdinEnd(9)).is_empty());
    }

    proptest! {
        /// The client repeats, the shim's connection breaks, acknowledgements come late: the shim gets every byte once.
        #[test]
        fn each_byte_is_taken_once_and_in_order(
            pieces in prop::collection::vec((1usize..50, 0usize..30, any::<bool>()), 1..30),
        ) {
            let bytes: Vec<u8> = (0..2000u32).map(|i| (i % 251) as u8).collect();
            let (mut input, mut got, mut number, mut sent) = (Input::default(), Vec::new(), 0u64, 0usize);
            input.begin(0, 0);
            let mut shim = |frames: Vec<Frame>, got: &mut Vec<u8>| {
                for (n, bytes) in text(&frames) {
                    if n == number + 1 {
                        number = n;
                        got.extend(bytes);
                    }
                }
                number
            };
            for (length, back, breaks) in pieces {
                let from = sent.saturating_sub(back);
                let to = (from + length).min(bytes.len());
                let words = input.obey(ExecClientFrame::Stdin(from as u64, Bytes::copy_from_slice(&bytes[from..to])));
                sent = sent.max(to);
                // On a broken connection the words are lost; all that was not acknowledged is told again.
                let words = if breaks { input.waiting() } else { words };
                let taken = shim(words, &mut got);
                if !breaks {
                    input.taken(taken);
                }
            }
            shim(input.waiting(), &mut got);
            prop_assert_eq!(got, &bytes[..sent]);
        }
    }
}
