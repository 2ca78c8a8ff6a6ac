//! Cuts a terminal's bytes into whole tokens, however they are split on the way.
//!
//! Only whole sequences leave here, so what nobody understands is dropped as a whole: the rest of a reply that came
//! late can never be taken for keys. Pure: the clock is the caller's, who asks [`Lexer::patience`] and calls
//! [`Lexer::expire`].

use std::time::Duration;

const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// Bytes of a paste that are kept: far above what anyone wants in a prompt (the server takes less), and little enough
/// to lay out and to keep in memory a few times.
const MAX_PASTE: usize = 4 << 20;

/// Bytes of a sequence that are kept. The longest that is understood, a colour, has 30.
const MAX_SEQUENCE: usize = 256;

/// How long the rest of a sequence may take. Replies arrive in one piece or are held up by the network, seldom for a
/// second; a key that only looks like a sequence's begin may not block the keyboard for longer.
const REST: Duration = Duration::from_secs(1);

/// The same within a paste, which may come over a line that stalls. After it a lost end can't lock the keyboard.
const PASTE_REST: Duration = Duration::from_secs(5);

const PASTE_END: &[u8] = b"\x1b[201~";

/// Something whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A character, control characters included; after Escape it counts as with alt.
    Char { c: char, alt: bool },
    /// Escape alone.
    Escape,
    /// A sequence from its ESC to its end.
    Sequence(Vec<u8>),
    /// A paste as it came, or its beginning.
    Paste { bytes: Vec<u8>, cut: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    Escape,
    Utf8 {
        length: usize,
        alt: bool,
    },
    Ss3,
    Csi,
    /// `CSI [`, the Linux console's function keys.
    Console,
    /// `CSI M`, the mouse in its oldest form: three bytes follow.
    OldMouse,
    /// OSC, DCS or APC.
    String,
    Paste,
}

#[derive(Debug)]
pub(super) struct Lexer {
    state: State,
    /// The token so far.
    held: Vec<u8>,
    /// Some of it was too much.
    cut: bool,
}

impl Lexer {
    pub fn new() -> Self {
        Self { state: State::Ground, held: Vec::new(), cut: false }
    }

    /// Takes bytes and says what is whole.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Token>) {
        for &byte in bytes {
            self.take(byte, out);
        }
    }

    /// How long to wait for more before [`Lexer::expire`]; none if nothing has begun.
    pub fn patience(&self, escape: Duration) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Escape | State::Ss3 => Some(escape),
            // Until now it may as well be a key with alt.
            State::String if self.held.len() == 2 => Some(escape),
            State::Paste => Some(PASTE_REST),
            _ => Some(REST),
        }
    }

    /// Nothing more comes: what has begun is a key, or nothing.
    pub fn expire(&mut self, out: &mut Vec<Token>) {
        match (self.state, self.held.as_slice()) {
            (State::Escape, _) => out.push(Token::Escape),
            (State::Paste, _) => {
                let end = self.held.len();
                return self.paste(end, out);
            }
            (State::Ss3 | State::Csi | State::String, &[_, key]) => {
                out.push(Token::Char { c: char::from(key), alt: true });
            }
            _ => {}
        }
        self.reset();
    }

    /// Forgets what has begun.
    pub fn reset(&mut self) {
        self.go(State::Ground);
    }

    fn go(&mut self, state: State) {
        self.state = state;
        self.held.clear();
        self.cut = false;
    }

    fn hold(&mut self, byte: u8) {
        if self.held.len() < MAX_SEQUENCE {
            self.held.push(byte);
        } else {
            self.cut = true;
        }
    }

    fn take(&mut self, byte: u8, out: &mut Vec<Token>) {
        match self.state {
            State::Ground => self.ground(byte, false, out),
            State::Escape => self.escape(byte, out),
            State::Utf8 { length, alt } => self.utf8(byte, length, alt, out),
            State::Paste => self.pasted(byte, out),
            State::String => self.string(byte, out),
            State::OldMouse => {
                self.hold(byte);
                if self.held.len() == 6 {
                    self.reset();
                }
            }
            // A sequence that is broken off by a control was none; the control counts.
            _ if !(0x20..0x7f).contains(&byte) => {
                self.reset();
                self.ground(byte, false, out);
            }
            State::Ss3 | State::Console => {
                self.hold(byte);
                self.finish(out);
            }
            State::Csi => self.csi(byte, out),
        }
    }

    fn ground(&mut self, byte: u8, alt: bool, out: &mut Vec<Token>) {
        let length = match byte {
            ESC => return self.begin(State::Escape, ESC),
            0..0x80 => {
                self.reset();
                return out.push(Token::Char { c: char::from(byte), alt });
            }
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return self.reset(),
        };
        self.begin(State::Utf8 { length, alt }, byte);
    }

    fn begin(&mut self, state: State, byte: u8) {
        self.go(state);
        self.hold(byte);
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<Token>) {
        let state = match byte {
            b'[' => State::Csi,
            b'O' => State::Ss3,
            b']' | b'P' | b'_' => State::String,
            ESC => return out.push(Token::Escape),
            _ => return self.ground(byte, true, out),
        };
        self.state = state;
        self.hold(byte);
    }

    fn utf8(&mut self, byte: u8, length: usize, alt: bool, out: &mut Vec<Token>) {
        if byte & 0xc0 != 0x80 {
            self.reset();
            return self.ground(byte, false, out);
        }
        self.hold(byte);
        if self.held.len() == length {
            out.extend(
                std::str::from_utf8(&self.held)
                    .ok()
                    .and_then(|text| text.chars().next())
                    .map(|c| Token::Char { c, alt }),
            );
            self.reset();
        }
    }

    fn csi(&mut self, byte: u8, out: &mut Vec<Token>) {
        self.hold(byte);
        match (byte, self.held.len()) {
            (b'[', 3) => self.state = State::Console,
            (b'M', 3) => self.state = State::OldMouse,
            (0x40..=0x7e, _) if self.held == b"\x1b[200~" => self.go(State::Paste),
            (0x40..=0x7e, _) => self.finish(out),
            _ => {}
        }
    }

    fn string(&mut self, byte: u8, out: &mut Vec<Token>) {
        let after_escape = self.held.len() > 2 && self.held.last() == Some(&ESC);
        match byte {
            b'\\' if after_escape => {
                self.hold(byte);
                self.finish(out);
            }
            BEL if self.held.get(1) == Some(&b']') => {
                self.hold(byte);
                self.finish(out);
            }
            CAN | SUB => self.reset(),
            _ if after_escape => {
                self.begin(State::Escape, ESC);
                self.escape(byte, out);
            }
            // An ESC is held beyond the bound too: the end must be seen.
            ESC => {
                self.held.truncate(MAX_SEQUENCE - 1);
                self.held.push(ESC);
            }
            _ => self.hold(byte),
        }
    }

    fn finish(&mut self, out: &mut Vec<Token>) {
        if !self.cut {
            out.push(Token::Sequence(self.held.clone()));
        }
        self.reset();
    }

    fn pasted(&mut self, byte: u8, out: &mut Vec<Token>) {
        self.held.push(byte);
        if self.held.ends_with(PASTE_END) {
            let end = self.held.len() - PASTE_END.len();
            return self.paste(end, out);
        }
        // Beyond the bound only the last bytes are looked at, for the end.
        if self.held.len() > MAX_PASTE + PASTE_END.len() {
            self.held.remove(MAX_PASTE);
            self.cut = true;
        }
    }

    fn paste(&mut self, end: usize, out: &mut Vec<Token>) {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.truncate(end.min(MAX_PASTE));
        out.push(Token::Paste { bytes, cut: self.cut });
        self.reset();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ESCAPE: Duration = Duration::from_millis(30);

    fn tokens<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Token> {
        let (mut lexer, mut out) = (Lexer::new(), Vec::new());
        for chunk in chunks {
            lexer.feed(chunk, &mut out);
        }
        out
    }

    fn char(c: char) -> Token {
        Token::Char { c, alt: false }
    }

    #[rstest::rstest]
    #[case("ä日🦀x", vec![char('ä'), char('日'), char('🦀'), char('x')])]
    #[case("\x1b[A\x1bOP", vec![Token::Sequence(b"\x1b[A".into()), Token::Sequence(b"\x1bOP".into())])]
    #[case("\x1bx\x1b\r", vec![Token::Char { c: 'x', alt: true }, Token::Char { c: '\r', alt: true }])]
    #[case("\x1b\x1b[A", vec![Token::Escape, Token::Sequence(b"\x1b[A".into())])]
    #[case("\x1b[[Aq", vec![Token::Sequence(b"\x1b[[A".into()), char('q')])]
    #[case("\x1b[M !!q", vec![char('q')])]
    #[case("\x1b]11;rgb:0/0/0\x1b\\q", vec![Token::Sequence(b"\x1b]11;rgb:0/0/0\x1b\\".into()), char('q')])]
    #[case("\x1b]11;rgb:0/0/0\x07q", vec![Token::Sequence(b"\x1b]11;rgb:0/0/0\x07".into()), char('q')])]
    #[case("\x1bP>|some terminal\x1b\\q", vec![Token::Sequence(b"\x1bP>|some terminal\x1b\\".into()), char('q')])]
    #[case("\x1b]11;rg\x1b[Aq", vec![Token::Sequence(b"\x1b[A".into()), char('q')])]
    #[case("\x1b[12\x18q", vec![char('\x18'), char('q')])]
    #[case("\x1b[200~a\x1b[Ab\x1b[201~q", vec![Token::Paste { bytes: b"a\x1b[Ab".into(), cut: false }, char('q')])]
    fn splits_dont_matter(#[case] text: &str, #[case] expected: Vec<Token>) {
        assert_eq!(tokens([text.as_bytes()]), expected);
        assert_eq!(tokens(text.as_bytes().chunks(1)), expected, "byte by byte");
    }

    #[test]
    fn what_is_too_long_is_dropped_as_a_whole() {
        for (start, end) in [("\x1b[", "m"), ("\x1b]52;c;", "\x1b\\"), ("\x1bP", "\x1b\\")] {
            let text = format!("{start}{}{end}q", "1".repeat(100_000));
            assert_eq!(tokens([text.as_bytes()]), [char('q')], "{start:?}");
        }
    }

    #[test]
    fn a_paste_has_a_bound() {
        let text = format!("\x1b[200~{}\x1b[201~q", "x".repeat(MAX_PASTE + 100));
        assert_eq!(tokens([text.as_bytes()]), [Token::Paste { bytes: vec![b'x'; MAX_PASTE], cut: true }, char('q')]);
    }

    #[rstest::rstest]
    #[case(b"\x1b", ESCAPE, vec![Token::Escape])]
    #[case(b"\x1b]", ESCAPE, vec![Token::Char { c: ']', alt: true }])]
    #[case(b"\x1bO", ESCAPE, vec![Token::Char { c: 'O', alt: true }])]
    #[case(b"\x1b[", REST, vec![Token::Char { c: '[', alt: true }])]
    #[case(b"\x1b[1;", REST, vec![])]
    #[case(b"\x1b]11;r", REST, vec![])]
    #[case(b"\x1b[200~half", PASTE_REST, vec![Token::Paste { bytes: b"half".into(), cut: false }])]
    fn what_never_ends_ends_by_the_clock(
        #[case] bytes: &[u8],
        #[case] patience: Duration,
        #[case] expected: Vec<Token>,
    ) {
        let (mut lexer, mut out) = (Lexer::new(), Vec::new());
        lexer.feed(bytes, &mut out);
        assert_eq!((lexer.patience(ESCAPE), out.as_slice()), (Some(patience), [].as_slice()));
        lexer.expire(&mut out);
        assert_eq!(out, expected);
        assert_eq!(lexer.patience(ESCAPE), None, "the keyboard is free again");
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(bytes in prop::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
            prop_assert_eq!(tokens([bytes.as_slice()]), tokens(bytes.chunks(size)));
        }
    }
}
