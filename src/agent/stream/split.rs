//! From bytes to lines, with the offset at which each line ends: the place to go on from after a restart.

/// Longest line that is read. Answers repeat whole in their result line, and a tool's output can be megabytes; what is
/// longer than this was not written by the CLI.
pub const MAX_LINE: usize = 64 << 20;

/// One thing that came out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A line that begins with `{`.
    Line {
        /// The line without its end.
        text: String,
        /// Offset in the stream after its end.
        end: u64,
    },
    /// A line that doesn't: on a terminal standard error is mixed in, and the CLI shows the cursor at the end.
    Stray {
        /// The line without its end.
        text: String,
        /// Offset in the stream after its end.
        end: u64,
    },
    /// A line above [`MAX_LINE`]; its bytes are gone.
    Oversized {
        /// How long it was.
        bytes: u64,
        /// Offset in the stream after its end.
        end: u64,
    },
}

/// Cuts a stream of bytes into lines, however they arrive.
#[derive(Debug)]
pub struct Splitter {
    line: Vec<u8>,
    dropped: u64,
    offset: u64,
    limit: usize,
}

impl Splitter {
    /// Starts at an offset that is the beginning of a line.
    pub fn new(offset: u64) -> Self {
        Self::with_limit(offset, MAX_LINE)
    }

    fn with_limit(offset: u64, limit: usize) -> Self {
        Self { line: Vec::new(), dropped: 0, offset, limit }
    }

    /// Takes the next bytes of the stream; what they complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(at) = bytes.iter().position(|b| *b == b'\n') {
            self.take(&bytes[..at]);
            self.offset += 1;
            pieces.extend(self.finish_line());
            bytes = &bytes[at + 1..];
        }
        self.take(bytes);
        pieces
    }

    /// The stream has ended: a last line without its end is still something that was said.
    pub fn finish(mut self) -> Option<Piece> {
        self.finish_line()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let room = self.limit - self.line.len();
        let kept = bytes.len().min(room);
        self.line.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
    }

    fn finish_line(&mut self) -> Option<Piece> {
        let end = self.offset;
        let mut line = std::mem::take(&mut self.line);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            return Some(Piece::Oversized { bytes: line.len() as u64 + dropped, end });
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.is_empty() {
            return None;
        }
        let text = String::from_utf8(line).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Some(if text.starts_with('{') { Piece::Line { text, end } } else { Piece::Stray { text, end } })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(splitter: &mut Splitter, chunks: &[&[u8]]) -> Vec<Piece> {
        chunks.iter().flat_map(|c| splitter.push(c)).collect()
    }

    #[test]
    fn a_recording_from_a_terminal_gives_its_lines_and_the_stray_end() {
        let path = format!("{}/tests/fixtures/claude/pty/plain-stream-json.pty.bin", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let mut splitter = Splitter::new(0);
        let pieces = splitter.push(&bytes);
        assert!(pieces.iter().all(|p| matches!(p, Piece::Line { text, .. } if !text.ends_with('\r'))));
        assert!(matches!(splitter.finish(), Some(Piece::Stray { end, .. }) if end == bytes.len() as u64));
    }

    #[test]
    fn a_line_above_the_limit_is_reported_and_the_next_one_read() {
        let mut splitter = Splitter::with_limit(100, 4);
        let pieces = all(&mut splitter, &[b"{12", b"345}\n{}\n"]);
        assert_eq!(pieces, [Piece::Oversized { bytes: 7, end: 108 }, Piece::Line { text: "{}".into(), end: 111 }]);
    }

    proptest! {
        #[test]
        fn lines_dont_depend_on_how_the_bytes_arrive(text in "([{}a-z\r]{0,6}\n){0,8}[a-z{]{0,4}", cuts in proptest::collection::vec(0usize..60, 0..6)) {
            let bytes = text.as_bytes();
            let mut whole = Splitter::new(7);
            let mut expected = whole.push(bytes);
            expected.extend(whole.finish());

            let mut cuts: Vec<_> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut split = Splitter::new(7);
            let (mut got, mut from) = (Vec::new(), 0);
            for to in cuts.into_iter().chain([bytes.len()]) {
                got.extend(split.push(&bytes[from..to]));
                from = to;
            }
            got.extend(split.finish());
            prop_assert_eq!(got, expected);
        }
    }
}
