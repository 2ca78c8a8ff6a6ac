//! What is kept of a command's output, and what of it is shown while it grows.

use crate::core::Untrusted;

/// Bytes of the beginning that an item keeps: what a command says of its start, and the first of many errors.
const HEAD: usize = 64 << 10;

/// Bytes of the end: how it went. Both together are some thousand lines, which a transcript loads and lays out at once;
/// a command that says more writes into a file.
pub(super) const TAIL: usize = 192 << 10;

/// Bytes of a block that grows: as many as its item may have. One that becomes longer begins again.
const BLOCK: u64 = (HEAD + TAIL) as u64;

/// With how much of its end it begins again: more rows than a screen has.
const AGAIN: u64 = 64 << 10;

/// The beginning and the end of a command's output.
#[derive(Debug, Default)]
pub(super) struct Output {
    head: Vec<u8>,
    /// Bytes of the output that the head stands for.
    taken: u64,
    /// What follows the head, or the last of it: at least [`TAIL`] bytes if there were as many.
    tail: Vec<u8>,
    total: u64,
    /// Bytes that followers were shown or left without.
    shown: u64,
    /// Bytes of the block as followers have it.
    block: u64,
}

impl Output {
    /// Goes on after the first `total` bytes, of which the head is stored.
    pub fn resumed(head: &str, total: u64) -> Self {
        Self { head: head.into(), taken: (HEAD as u64).min(total), total, shown: total, ..Self::default() }
    }

    /// Bytes that came.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// More came.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = HEAD - usize::try_from(self.taken).unwrap_or(HEAD).min(HEAD);
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        self.taken += head.len() as u64;
        self.tail.extend_from_slice(rest);
        // Moved only once in a while, so that a byte costs the same however much has come.
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        self.total += bytes.len() as u64;
    }

    /// The beginning, as text.
    pub fn head(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    /// What an item keeps of it.
    pub fn text(&self) -> String {
        let tail = &self.tail[self.tail.len().saturating_sub(TAIL)..];
        let left_out = self.total - self.taken - tail.len() as u64;
        if left_out == 0 {
            return String::from_utf8_lossy(&[&self.head, tail].concat()).into_owned();
        }
        // Both may be cut in the middle of a character.
        let (head, tail) = (self.head(), String::from_utf8_lossy(tail));
        format!(
            "{}\n… {left_out} bytes are left out: of a long output the first 64 KiB and the last 192 KiB are kept …\n{}",
            head.trim_end_matches('\u{fffd}'),
            tail.trim_start_matches('\u{fffd}')
        )
    }

    /// What followers have not seen: where it begins in the block, and the text. From 0 on the block begins again.
    pub fn unseen(&mut self) -> Option<(u64, Untrusted)> {
        let new = self.total - self.shown;
        let again = self.block == 0 || self.block + new > BLOCK;
        let bytes = self.last(if again { new.min(AGAIN) } else { new });
        let bytes = &bytes[..bytes.len() - unfinished(&bytes)];
        if bytes.is_empty() {
            return None;
        }
        let from = if again { 0 } else { self.block };
        let text = String::from_utf8_lossy(bytes);
        self.shown = self.total - unfinished(&self.last(4)) as u64;
        self.block = from + text.len() as u64;
        Some((from, Untrusted::new(text)))
    }

    /// Followers have no block any more: the next one begins.
    pub fn closed(&mut self) {
        self.block = 0;
    }

    /// The last bytes, as far as they are kept.
    fn last(&self, n: u64) -> Vec<u8> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let tail = &self.tail[self.tail.len().saturating_sub(n)..];
        let head = &self.head[self.head.len().saturating_sub(n - tail.len())..];
        // There is a gap behind the head once something is left out.
        if self.total - self.taken > self.tail.len() as u64 { tail.to_vec() } else { [head, tail].concat() }
    }
}

/// Bytes at the end that begin a character whose rest has not come.
fn unfinished(bytes: &[u8]) -> usize {
    let needs = |byte: u8| match byte {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 0,
    };
    (1..=bytes.len().min(3)).find(|n| needs(bytes[bytes.len() - n]) > *n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_output_keeps_its_ends_and_says_how_much_is_gone() {
        let mut output = Output::default();
        output.push(b"begin\n");
        for _ in 0..40 {
            output.push(&[b'x'; 50_000]);
        }
        output.push("ende ä\n".as_bytes());
        let text = output.text();
        assert!(text.starts_with("begin\nxxx") && text.ends_with("xende ä\n"), "{}", &text[..20]);
        let left_out = output.total() - (HEAD + TAIL) as u64;
        assert!(text.contains(&format!("\n… {left_out} bytes are left out")));
        assert!(text.len() < HEAD + TAIL + 200);
    }

    #[test]
    fn what_goes_on_after_a_restart_ends_as_without_one() {
        let bytes: Vec<u8> = (0..900_000u32).map(|i| b'a' + (i % 26) as u8).collect();
        let mut whole = Output::default();
        bytes.chunks(1000).for_each(|piece| whole.push(piece));
        let (before, after) = bytes.split_at(300_000);
        let mut first = Output::default();
        first.push(before);
        let mut second = Output::resumed(&first.head(), 300_000);
        after.chunks(777).for_each(|piece| second.push(piece));
        assert_eq!(second.text(), whole.text());
    }

    proptest! {
        /// A follower that puts the pieces together has the text, however it was cut; of a flood it has the end.
        #[test]
        fn followers_see_it_grow(text in "\\PC{0,400}", cuts in prop::collection::vec(1usize..9, 1..200), flood in any::<bool>()) {
            let mut output = Output::default();
            let mut block = String::new();
            let mut take = |output: &mut Output| {
                if let Some((from, text)) = output.unseen() {
                    block.truncate(usize::try_from(from).unwrap());
                    block.push_str(text.raw());
                    assert!(block.len() <= usize::try_from(BLOCK).unwrap());
                }
            };
            if flood {
                output.push(&vec![b'.'; 300_000]);
                take(&mut output);
                output.push(&vec![b'.'; 5000]);
            }
            let (mut rest, mut cuts) = (text.as_bytes(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                output.push(piece);
                take(&mut output);
                rest = more;
            }
            take(&mut output);
            prop_assert!(block.ends_with(&text), "{:?} of {:?}", block.len(), text);
        }
    }
}
