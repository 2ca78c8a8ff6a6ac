//! Text that grows, on a terminal that can only be appended to.

use crate::core::text::sanitize;

/// One block of text as it is written: what came, and what of it is shown already.
#[derive(Debug, Default)]
pub(super) struct Growing {
    /// Bytes that came.
    length: u64,
    /// The line being written, as it came.
    line: String,
    /// What of its clean form is shown.
    shown: String,
}

impl Growing {
    /// Bytes of the block that came so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether the cursor stands behind text.
    pub fn in_line(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Takes more of the block; gives what is to be printed. Lines are cleaned whole, so that an escape sequence cut
    /// in two can't pass: what a later byte makes invisible was at worst shown as plain text.
    pub fn push(&mut self, text: &str) -> String {
        self.length += text.len() as u64;
        let mut out = String::new();
        let mut parts = text.split('\n').peekable();
        while let Some(part) = parts.next() {
            self.line.push_str(part);
            let clean = sanitize(&self.line);
            if let Some(more) = clean.as_str().strip_prefix(&self.shown) {
                out.push_str(more);
                self.shown = clean.as_str().to_owned();
            } else if parts.peek().is_some() {
                // The line became another one (a carriage return, say): its last state is shown below.
                out.push('\n');
                out.push_str(clean.as_str());
            }
            if parts.peek().is_some() {
                out.push('\n');
                self.line.clear();
                self.shown.clear();
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&str]) -> String {
        let mut growing = Growing::default();
        pieces.iter().map(|piece| growing.push(piece)).collect()
    }

    #[rstest::rstest]
    #[case(&["The he", "ron\n\nfile"], "The heron\n\nfile")]
    #[case(&["a\u{1b}", "[31mred"], "ared")]
    #[case(&["x\u{1b}]0;ti", "tle\u{7}y\nz"], "x0;ti\nxy\nz")]
    #[case(&["10 %", "\r100 %\nend"], "10 %\n100 %\nend")]
    #[case(&["e", "\u{301}"], "e\u{301}")]
    fn pieces_become_clean_text(#[case] pieces: &[&str], #[case] expected: &str) {
        let out = shown(pieces);
        assert!(!out.contains('\u{1b}'), "{out:?}");
        assert_eq!(out, expected);
    }
}
