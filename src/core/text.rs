//! Text from outside, and the one door through which it may be shown.
//!
//! Everything that a sandbox, a store or another program wrote is [`Untrusted`]. Only [`sanitize`] makes it
//! [`Clean`]: no control or escape sequence, nothing that reorders or hides what stands beside it. What is stored and
//! what `--json` prints keep the original; cleaning happens at the moment of showing.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// More combining marks on one letter are noise: scripts need at most three, and thousands on one cell stall
/// terminals.
const MAX_MARKS: usize = 4;

/// Columns between tab stops; what terminals use.
const TAB: usize = 8;

/// Text as it came, never printed as it is. `Debug` escapes it, so it can stand in an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Marks text as coming from outside.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Bytes that may not be UTF-8; what isn't becomes U+FFFD.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The original, for storing and for comparing; not for showing.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Appends more text from outside.
    pub fn push_str(&mut self, more: &str) {
        self.0.push_str(more);
    }

    /// As several lines of text.
    pub fn clean(&self) -> Clean {
        sanitize(&self.0)
    }

    /// As one line: line ends become blanks.
    pub fn clean_line(&self) -> Clean {
        sanitize_line(&self.0)
    }
}

impl<T: Into<String>> From<T> for Untrusted {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

/// Text that may be shown: made by [`sanitize`] or written by us.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Clean(String);

impl Clean {
    /// Text of our own, which is clean by being in the source.
    pub fn ours(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Cleans text of several lines. Idempotent; the result has no control character but `\n`.
pub fn sanitize(text: &str) -> Clean {
    clean(text, Bidi::Gone)
}

/// Cleans one line of what is looked at as it is, such as a diff: as [`sanitize_line`], but where a character would
/// reorder what stands around it, its name stands, since code that reads otherwise than it runs must be seen.
pub fn reveal_line(text: &str) -> Clean {
    Clean(clean(text, Bidi::Named).0.replace('\n', " "))
}

/// What becomes of characters that reorder text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bidi {
    Gone,
    Named,
}

fn clean(text: &str, bidi: Bidi) -> Clean {
    let text = strip_escapes(text);
    let mut out = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        // A carriage return inside a line means "write over it", as progress bars do: only the last state counts.
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("");
        clean_into(line, bidi, &mut out);
    }
    Clean(out)
}

/// Cleans text for one line: as [`sanitize`], with line ends as blanks.
pub fn sanitize_line(text: &str) -> Clean {
    Clean(sanitize(text).0.replace('\n', " "))
}

fn clean_into(line: &str, bidi: Bidi, out: &mut String) {
    let mut column = 0;
    for cluster in line.graphemes(true) {
        if cluster == "\t" {
            let blanks = TAB - column % TAB;
            out.extend(std::iter::repeat_n(' ', blanks));
            column += blanks;
            continue;
        }
        let emoji = is_emoji(cluster);
        let mut marks = 0;
        for c in cluster.chars() {
            if unicode_width::UnicodeWidthChar::width(c) == Some(0) && !invisible(c) {
                marks += 1;
                if marks > MAX_MARKS {
                    continue;
                }
            }
            if bidi == Bidi::Named && reorders(c) {
                out.push_str(&format!("⟦U+{:04X}⟧", u32::from(c)));
                continue;
            }
            if c.is_control() || (invisible(c) && !(emoji && joins_emoji(c))) {
                continue;
            }
            out.push(c);
        }
        column += 1;
    }
}

/// Bidi controls.
fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters that show nothing and change what stands around them: bidi controls, zero-width and tag characters.
fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Parts of an emoji that are invisible alone: the joiner, and the tags of flags.
fn joins_emoji(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{e0020}'..='\u{e007f}')
}

/// Whether a cluster starts with a pictograph, and holds few enough parts to be a real one (the longest have 10).
fn is_emoji(cluster: &str) -> bool {
    let pictograph = |c: char| matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2190}'..='\u{2bff}');
    let mut chars = cluster.chars();
    chars.next().is_some_and(pictograph)
        && cluster.chars().count() <= 16
        && cluster.chars().next_back().is_some_and(|c| c != '\u{200d}')
}

/// Removes whole escape sequences (7-bit and 8-bit), so that their parameters don't stay behind as litter. A sequence
/// that doesn't end takes nothing with it but its introducer: a stray ESC must not hide the text after it.
fn strip_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c == '\u{1b}' || ('\u{80}'..='\u{9f}').contains(&c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '\u{1b}' || ('\u{80}'..='\u{9f}').contains(&c)) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        rest = &tail[sequence(tail)..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Length in bytes of the escape sequence that `text` begins with.
fn sequence(text: &str) -> usize {
    let mut chars = text.char_indices();
    let first = chars.next().map_or('\0', |(_, c)| c);
    let (kind, body) = match first {
        '\u{1b}' => match chars.next() {
            Some((i, c @ ('[' | ']' | 'P' | 'X' | '^' | '_'))) => (c, i + 1),
            // Two-character sequences, and those with intermediate bytes such as ESC ( B.
            Some((i, ' '..='/')) => {
                return text[i..]
                    .char_indices()
                    .find(|(_, c)| !(' '..='/').contains(c))
                    .map_or(i, |(n, c)| i + n + if ('0'..='~').contains(&c) { 1 } else { 0 });
            }
            Some((i, '0'..='~')) => return i + 1,
            _ => return 1,
        },
        '\u{9b}' => ('[', first.len_utf8()),
        '\u{9d}' => (']', first.len_utf8()),
        '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => ('P', first.len_utf8()),
        _ => return first.len_utf8(),
    };
    if kind == '[' {
        let end = text[body..].char_indices().find(|(_, c)| !(' '..='?').contains(c));
        return match end {
            Some((n, '@'..='~')) => body + n + 1,
            Some((n, _)) => body + n,
            None => text.len(),
        };
    }
    // OSC, DCS, SOS, PM, APC: a string up to BEL or ST.
    let body_text = &text[body..];
    match body_text.find(['\u{7}', '\u{9c}', '\u{1b}', '\n']) {
        Some(n) if body_text[n..].starts_with("\u{1b}\\") => body + n + 2,
        Some(n) if body_text[n..].starts_with(['\u{1b}', '\n']) => body + n,
        Some(n) => body + n + body_text[n..].chars().next().map_or(0, char::len_utf8),
        None => body,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[rstest::rstest]
    #[case("plain text", "plain text")]
    #[case("a\tb", "a       b")]
    #[case("10 %\r50 %\r100 %", "100 %")]
    #[case("line\r\nnext", "line\nnext")]
    #[case("\u{1b}[31mred\u{1b}[0m", "red")]
    #[case("\u{1b}]52;c;aGVyb24=\u{7}x", "x")]
    #[case("\u{1b}]0;title\u{1b}\\x", "x")]
    #[case("\u{9b}2Jx", "x")]
    #[case("\u{1b}]8;;https://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link")]
    #[case("\u{1b}Pq#0\u{1b}\\x", "x")]
    #[case("\u{1b}(Bx", "x")]
    #[case("\u{1b}cx", "x")]
    #[case("unterminated \u{1b}]0;keeps what follows", "unterminated 0;keeps what follows")]
    #[case("file\u{202e}gnp.exe", "filegnp.exe")]
    #[case("pay\u{200b}pal", "paypal")]
    #[case("a\u{0}b\u{8}c", "abc")]
    #[case("👩\u{200d}👩\u{200d}👧 ok", "👩\u{200d}👩\u{200d}👧 ok")]
    #[case("é 日本 ñ", "é 日本 ñ")]
    fn shows_what_a_reader_should_see(#[case] raw: &str, #[case] shown: &str) {
        assert_eq!(sanitize(raw).as_str(), shown);
    }

    #[test]
    fn marks_on_one_letter_are_bounded() {
        let raw = format!("e{}", "\u{301}".repeat(5000));
        assert_eq!(sanitize(&raw).as_str().chars().count(), 1 + MAX_MARKS);
    }

    #[rstest::rstest]
    #[case("if x { \u{202e}// \u{2066}", "if x { ⟦U+202E⟧// ⟦U+2066⟧")]
    #[case("\u{1b}[31mred\u{1b}[0m\u{200b}", "red")]
    #[case("a\nb", "a b")]
    fn what_reorders_is_named_where_text_is_looked_at_as_it_is(#[case] raw: &str, #[case] shown: &str) {
        assert_eq!(reveal_line(raw).as_str(), shown);
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(sanitize_line("a\nb\r\nc").as_str(), "a b c");
    }

    proptest! {
        #[test]
        fn nothing_that_controls_a_terminal_passes(raw in r"(\PC|[\x00-\x20]|\x1b[\[\]P_^X(][0-9;]{0,4}|[\u{80}-\u{9f}]|[\u{2000}-\u{206f}]){0,60}") {
            let clean = sanitize(&raw);
            prop_assert!(!clean.as_str().contains(|c: char| c.is_control() && c != '\n'), "{clean:?}");
            prop_assert!(!clean.as_str().contains(['\u{202e}', '\u{2066}', '\u{200b}']), "{clean:?}");
            prop_assert_eq!(sanitize(clean.as_str()), clean);
            let revealed = reveal_line(&raw);
            prop_assert!(!revealed.as_str().contains(|c: char| c.is_control() || invisible(c) && !joins_emoji(c)), "{revealed:?}");
        }
    }
}
