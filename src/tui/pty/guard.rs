//! Ends control strings that don't end.
//!
//! A terminal, ours or the user's, keeps what follows `ESC ]` and its kin until the string's end comes: a program that
//! never sends it makes the terminal swallow memory, or everything that is printed from then on. The guard lets bytes
//! through as they are and puts a CAN after a string's first 64 KiB, which brings every terminal back to plain text.
//!
//! It judges no content: which strings do what is for whoever interprets them.

use std::borrow::Cow;

/// The longest control string that gets through. Titles, links and clipboards of honest programs are far below it
/// (terminals themselves take 100 kB of clipboard at most); 64 KiB kept by a terminal do no harm.
pub const MAX_STRING: usize = 64 << 10;

const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// Stands between a program and a terminal. Its state goes on from one chunk to the next.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    state: State,
    cut: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After 0xC2, which begins the C1 controls in UTF-8.
    C1,
    /// In a string: OSC also ends with BEL.
    String { osc: bool, length: usize },
}

impl Guard {
    /// What may go on to the terminal. Borrowed unless something had to be put in.
    pub fn pass<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut guarded: Option<Vec<u8>> = None;
        for (i, &byte) in bytes.iter().enumerate() {
            if let Some(guarded) = &mut guarded {
                guarded.push(byte);
            }
            if self.step(byte) {
                guarded.get_or_insert_with(|| bytes[..=i].to_vec()).push(CAN);
                self.cut += 1;
            }
        }
        guarded.map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// How many strings were cut.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Takes a byte; true if a CAN has to follow it.
    ///
    /// Where terminals differ about a string's end it is taken as not ended: a CAN too many is ignored by all.
    fn step(&mut self, byte: u8) -> bool {
        let string = |osc| State::String { osc, length: 0 };
        self.state = match (self.state, byte) {
            // ESC ends a string as well as everything else.
            (_, ESC) => State::Escape,
            (_, CAN | SUB) => State::Ground,
            (State::String { osc: true, .. }, BEL) => State::Ground,
            (State::String { length, .. }, _) if length + 1 >= MAX_STRING => {
                self.state = State::Ground;
                return true;
            }
            (State::String { osc, length }, _) => State::String { osc, length: length + 1 },
            (State::Escape, b']') => string(true),
            (State::Escape, b'P' | b'X' | b'^' | b'_') => string(false),
            (State::C1, 0x9d) => string(true),
            (State::C1, 0x90 | 0x98 | 0x9e | 0x9f) => string(false),
            (_, 0xc2) => State::C1,
            // Controls don't end an escape sequence that has begun.
            (State::Escape, 0..0x20) => State::Escape,
            _ => State::Ground,
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[rstest::rstest]
    #[case(b"\x1b]")]
    #[case(b"\x1bP")]
    #[case(b"\x1b_")]
    #[case(b"\x1b^")]
    #[case(b"\x1bX")]
    #[case("\u{9d}".as_bytes())]
    fn a_string_without_end_is_ended(#[case] start: &[u8]) {
        let mut guard = Guard::default();
        let mut all = start.to_vec();
        all.resize(start.len() + 3 * MAX_STRING, b'a');
        let out = guard.pass(&all);
        let can = start.len() + MAX_STRING;
        assert_eq!(out[can], CAN);
        assert_eq!((&out[..can], &out[can + 1..]), (&all[..can], &all[can..]));
        assert_eq!(guard.cut(), 1);
    }

    #[rstest::rstest]
    #[case(b"\x07")]
    #[case(b"\x1b\\")]
    #[case(b"\x18")]
    fn a_string_that_ends_in_time_is_left_alone(#[case] end: &[u8]) {
        let mut guard = Guard::default();
        for _ in 0..3 {
            let all = [b"\x1b]52;c;".as_slice(), &vec![b'a'; MAX_STRING - 100], end, &vec![b'x'; 50_000]].concat();
            assert!(matches!(guard.pass(&all), Cow::Borrowed(_)));
        }
        assert_eq!(guard.cut(), 0);
    }

    /// The longest run of bytes that a terminal would have to keep.
    fn longest(bytes: &[u8]) -> usize {
        let (mut longest, mut length, mut last) = (0, None::<usize>, 0);
        for &byte in bytes {
            length = match (length, last, byte) {
                (_, _, ESC | CAN | SUB | BEL) => None,
                (_, ESC, b']' | b'P' | b'X' | b'^' | b'_') => Some(0),
                (length, ..) => length.map(|n| n + 1),
            };
            longest = longest.max(length.unwrap_or(0));
            last = byte;
        }
        longest
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_chunks_dont_matter(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    Just(b"\x1b]0;".to_vec()),
                    Just(b"\x1bP".to_vec()),
                    Just(b"\x1b\\".to_vec()),
                    (1usize..40_000).prop_map(|n| vec![b'z'; n]),
                ],
                0..12,
            ),
            size in 1usize..5_000,
        ) {
            let all = parts.concat();
            let mut whole = Guard::default();
            let at_once = whole.pass(&all).into_owned();
            let mut pieces = Guard::default();
            let mut in_pieces = Vec::new();
            for chunk in all.chunks(size) {
                in_pieces.extend_from_slice(&pieces.pass(chunk));
            }
            prop_assert_eq!(&at_once, &in_pieces);
            prop_assert_eq!(at_once.len() as u64, all.len() as u64 + whole.cut());
            prop_assert!(longest(&at_once) <= MAX_STRING);
            let bare = |bytes: &[u8]| bytes.iter().copied().filter(|b| *b != CAN).collect::<Vec<_>>();
            prop_assert_eq!(bare(&at_once), bare(&all));
        }
    }
}
