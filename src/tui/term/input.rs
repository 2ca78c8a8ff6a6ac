//! Tokens of the terminal to [`TermEvent`]s, and when to stop waiting for the rest of one.

use std::{collections::VecDeque, time::Duration};

use termina::{
    Event as Raw, Parser,
    escape::{
        csi::{Csi, Device, Mode, ThemeMode},
        osc::{ColorOrQuery, DynamicColorNumber, Osc},
    },
    event::{KeyCode, KeyEvent, KeyEventKind, Modifiers, MouseButton, MouseEventKind},
};
use tokio::time::Instant;

use super::{
    lexer::{Lexer, Token},
    pace,
};
use crate::tui::{
    app::{TermEvent, event::Mouse},
    key::{Code, Key},
    theme::Background,
};

/// How long Escape may be the begin of something longer: terminals send sequences in one piece, and people press two
/// keys further apart than this.
const ESCAPE: Duration = Duration::from_millis(30);

/// The same over ssh, where a piece can be torn.
const ESCAPE_REMOTE: Duration = Duration::from_millis(50);

/// What stands at the end of a paste that was too long to take.
const CUT: &str = "\n[the paste was cut here: 4 MiB at most]";

/// Everything that is known of the input so far.
#[derive(Debug)]
pub(super) struct Input {
    lexer: Lexer,
    tokens: Vec<Token>,
    escape: Duration,
    /// When bytes came last.
    last: Instant,
    background: Option<Background>,
    asked: bool,
    /// Answers to [`pace::ASK`] that were not counted yet.
    paced: usize,
}

impl Input {
    pub fn new(remote: bool) -> Self {
        Self {
            lexer: Lexer::new(),
            tokens: Vec::new(),
            escape: if remote { ESCAPE_REMOTE } else { ESCAPE },
            last: Instant::now(),
            background: None,
            asked: false,
            paced: 0,
        }
    }

    /// Answers to [`pace::ASK`] since the last call.
    pub fn take_paced(&mut self) -> usize {
        std::mem::take(&mut self.paced)
    }

    /// Questions were sent, with that for the terminal's kind, which all answer, at the end.
    pub fn asked(&mut self) {
        self.asked = true;
    }

    /// Answers are still on their way.
    pub fn awaits_answer(&self) -> bool {
        self.asked
    }

    /// Takes bytes.
    pub fn feed(&mut self, bytes: &[u8], events: &mut VecDeque<TermEvent>) {
        self.last = Instant::now();
        self.lexer.feed(bytes, &mut self.tokens);
        self.understand(events);
    }

    /// When what has begun counts as ended.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.last + self.lexer.patience(self.escape)?)
    }

    /// The deadline has passed.
    pub fn expire(&mut self, events: &mut VecDeque<TermEvent>) {
        self.lexer.expire(&mut self.tokens);
        self.understand(events);
    }

    /// Forgets what has begun.
    pub fn reset(&mut self) {
        self.lexer.reset();
    }

    fn understand(&mut self, events: &mut VecDeque<TermEvent>) {
        for token in std::mem::take(&mut self.tokens) {
            events.extend(match token {
                Token::Char { c, alt } => Some(TermEvent::Pressed { key: character(c, alt) }),
                Token::Escape => Some(TermEvent::Pressed { key: Key::plain(Code::Esc) }),
                Token::Sequence(bytes) => self.sequence(&bytes),
                Token::Paste { bytes, cut } => Some(TermEvent::Pasted { text: pasted(&bytes, cut) }),
            });
        }
    }

    fn sequence(&mut self, bytes: &[u8]) -> Option<TermEvent> {
        if bytes == pace::ANSWER {
            self.paced += 1;
            return None;
        }
        match parsed(bytes)? {
            Raw::Key(event) => key(event).map(|key| TermEvent::Pressed { key }),
            Raw::Mouse(event) => {
                let what = match event.kind {
                    MouseEventKind::Down(MouseButton::Left) if event.modifiers.contains(Modifiers::CONTROL) => {
                        Mouse::CtrlClick
                    }
                    MouseEventKind::Down(MouseButton::Left) => Mouse::Click,
                    MouseEventKind::ScrollUp => Mouse::WheelUp,
                    MouseEventKind::ScrollDown => Mouse::WheelDown,
                    _ => return None,
                };
                Some(TermEvent::Mouse { what, column: event.column, row: event.row })
            }
            Raw::FocusIn => Some(TermEvent::Focused { gained: true }),
            Raw::FocusOut => Some(TermEvent::Focused { gained: false }),
            Raw::Csi(Csi::Mode(Mode::ReportTheme(mode))) => self.background(match mode {
                ThemeMode::Dark => Background::Dark,
                ThemeMode::Light => Background::Light,
            }),
            Raw::Csi(Csi::Device(Device::DeviceAttributes(()))) => {
                self.asked = false;
                None
            }
            Raw::Osc(Osc::ChangeDynamicColors(DynamicColorNumber::TextBackgroundColor, colors)) => {
                let Some(ColorOrQuery::Color(color)) = colors.first() else { return None };
                // Perceived brightness (ITU-R BT.601) in thousandths; the middle divides light from dark.
                let weighed = u32::from(color.red) * 299 + u32::from(color.green) * 587 + u32::from(color.blue) * 114;
                self.background(if weighed < 128_000 { Background::Dark } else { Background::Light })
            }
            _ => None,
        }
    }

    /// Said only when it is news.
    fn background(&mut self, background: Background) -> Option<TermEvent> {
        (self.background.replace(background) != Some(background)).then_some(TermEvent::Background { background })
    }
}

/// Reads a whole sequence.
///
/// The parser gives up on what it doesn't know in the middle and takes the rest for keys. So it gets only what it
/// reads to the end, and a sequence is never a character unless it is of the form that means one.
fn parsed(bytes: &[u8]) -> Option<Raw> {
    let known = match *bytes.get(1)? {
        b'[' => matches!(
            bytes.get(2)?,
            b'0'..=b'9' | b'<' | b'>' | b'?' | b'[' | b'A'..=b'D' | b'F' | b'H' | b'I' | b'O'..=b'Q' | b'S' | b'Z'
        ),
        first => matches!(first, b'O' | b']'),
    };
    let mut parser = Parser::default();
    if known {
        parser.parse(bytes, false);
    }
    let event = parser.pop().filter(|_| parser.pop().is_none())?;
    match &event {
        Raw::Key(key) if matches!(key.code, KeyCode::Char(_)) && !bytes.ends_with(b"u") => None,
        _ => Some(event),
    }
}

/// A character or a control character as terminals have sent them since ever.
fn character(c: char, alt: bool) -> Key {
    let plain = match c {
        '\r' => Key::plain(Code::Enter),
        '\t' => Key::plain(Code::Tab),
        '\x7f' => Key::plain(Code::Backspace),
        '\0' => Key::ctrl(' '),
        // 1 to 26 are letters, the next five what stands beside them in ASCII.
        '\x01'..='\x1a' => Key::ctrl(char::from(c as u8 - 1 + b'a')),
        '\x1c'..='\x1f' => Key::ctrl(char::from(c as u8 - 0x1c + b'\\')),
        _ if alt => Key::plain(Code::Char(lower(c))),
        _ => Key::plain(Code::Char(c)),
    };
    Key { alt, ..plain }
}

fn key(event: KeyEvent) -> Option<Key> {
    let held = event.modifiers;
    // Keys that belong to the desktop, and a key's release, are nothing to us.
    if event.kind == KeyEventKind::Release || held.intersects(Modifiers::SUPER | Modifiers::HYPER) {
        return None;
    }
    let mut shift = held.contains(Modifiers::SHIFT);
    let ctrl = held.contains(Modifiers::CONTROL);
    let alt = held.intersects(Modifiers::ALT | Modifiers::META);
    let code = match event.code {
        KeyCode::Char(c) => {
            let c = match c {
                _ if ctrl || alt => lower(c),
                _ if shift => upper(c),
                _ => c,
            };
            shift = false;
            Code::Char(c)
        }
        KeyCode::Enter => Code::Enter,
        KeyCode::Escape => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => {
            shift = true;
            Code::Tab
        }
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Insert => Code::Insert,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::Function(n @ 1..=12) => Code::F(n),
        _ => return None,
    };
    Some(Key { code, ctrl, alt, shift })
}

/// A letter's other case if it is one letter too.
fn lower(c: char) -> char {
    only(c.to_lowercase(), c)
}

fn upper(c: char) -> char {
    only(c.to_uppercase(), c)
}

fn only(mut cased: impl Iterator<Item = char>, c: char) -> char {
    match (cased.next(), cased.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Terminals send a return for every line end, some what was copied.
fn pasted(bytes: &[u8], cut: bool) -> String {
    let mut text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    if cut {
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(bytes: &[u8]) -> Vec<TermEvent> {
        let (mut input, mut events) = (Input::new(false), VecDeque::new());
        input.feed(bytes, &mut events);
        if input.deadline().is_some() {
            input.expire(&mut events);
        }
        events.into()
    }

    #[rstest::rstest]
    #[case("a", "a")]
    #[case("A", "A")]
    #[case("\r", "enter")]
    #[case("\x1b\r", "alt-enter")]
    #[case("\x1b[13;2u", "shift-enter")]
    #[case("\t", "tab")]
    #[case("\x1b[Z", "shift-tab")]
    #[case("\x1b[9;2u", "shift-tab")]
    #[case("\x1b", "esc")]
    #[case("\x1b[27u", "esc")]
    #[case("\x7f", "backspace")]
    #[case("\x1b\x7f", "alt-backspace")]
    #[case("\x03", "ctrl-c")]
    #[case("\x1b[99;5u", "ctrl-c")]
    #[case("\x1b[99;6u", "ctrl-c")]
    #[case("\0", "ctrl-space")]
    #[case("\x1d", "ctrl-]")]
    #[case("\x1b[93;5u", "ctrl-]")]
    #[case("\x1f", "ctrl-_")]
    #[case("\x1bF", "alt-f")]
    #[case("\x1b[102;3u", "alt-f")]
    #[case("\x1b[A", "up")]
    #[case("\x1bOA", "up")]
    #[case("\x1b[1;5C", "ctrl-right")]
    #[case("\x1b[1;2B", "shift-down")]
    #[case("\x1b[5~", "pageup")]
    #[case("\x1b[6;5~", "ctrl-pagedown")]
    #[case("\x1b[3~", "delete")]
    #[case("\x1b[H", "home")]
    #[case("\x1b[4~", "end")]
    #[case("\x1bOP", "f1")]
    #[case("\x1b[15~", "f5")]
    #[case("\x1b[24~", "f12")]
    #[case("\x1b[57414u", "enter")]
    fn keys(#[case] bytes: &str, #[case] name: &str) {
        let key = name.parse().unwrap();
        assert_eq!(events(bytes.as_bytes()), [TermEvent::Pressed { key }]);
    }

    #[rstest::rstest]
    #[case::primary("\x1b[?62;22;52c")]
    #[case::secondary("\x1b[>41;354;0c")]
    #[case::tertiary("\x1bP!|00000000\x1b\\")]
    #[case::version("\x1bP>|WezTerm 2024\x1b\\")]
    #[case::kitty("\x1b[?1u")]
    #[case::sync("\x1b[?2026;2$y")]
    #[case::unknown_mode("\x1b[?9999;0$y")]
    #[case::ansi_mode("\x1b[4;2$y")]
    #[case::position("\x1b[12;40R")]
    #[case::in_order("\x1b[0n")]
    #[case::foreground("\x1b]10;rgb:ffff/ffff/ffff\x1b\\")]
    #[case::palette("\x1b]4;1;rgb:ffff/0000/0000\x07")]
    #[case::clipboard("\x1b]52;c;YWJj\x07")]
    #[case::graphics("\x1b_Gi=1;OK\x1b\\")]
    #[case::size_in_pixels("\x1b[4;600;800t")]
    #[case::equals("\x1b[=1u")]
    #[case::semicolon("\x1b[;5u")]
    #[case::blank("\x1b[ q")]
    #[case::release("\x1b[97;1:3u")]
    #[case::super_key("\x1b[97;9u")]
    #[case::mouse_moves("\x1b[<35;10;10M")]
    #[case::mouse_released("\x1b[<0;10;10m")]
    #[case::paste_end("\x1b[201~")]
    #[case::bad_text("\x1b]11;\u{ff}\x07")]
    fn a_reply_is_no_key(#[case] bytes: &str) {
        let quit = TermEvent::Pressed { key: Key::plain(Code::Char('q')) };
        assert_eq!(events(format!("{bytes}q").as_bytes()), [quit]);
    }

    #[rstest::rstest]
    #[case("\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", Background::Dark)]
    #[case("\x1b]11;rgb:ff/ff/f0\x07", Background::Light)]
    #[case("\x1b[?997;1n", Background::Dark)]
    #[case("\x1b[?997;2n", Background::Light)]
    fn a_background_is_told_once(#[case] bytes: &str, #[case] background: Background) {
        assert_eq!(events(bytes.repeat(3).as_bytes()), [TermEvent::Background { background }]);
    }

    #[test]
    fn the_mouse_clicks_and_turns_its_wheel() {
        let mouse = |what| TermEvent::Mouse { what, column: 9, row: 199 };
        assert_eq!(
            events(b"\x1b[<0;10;200M\x1b[<16;10;200M\x1b[<64;10;200M\x1b[<65;10;200M"),
            [mouse(Mouse::Click), mouse(Mouse::CtrlClick), mouse(Mouse::WheelUp), mouse(Mouse::WheelDown)]
        );
    }

    #[test]
    fn a_paste_has_our_line_ends() {
        let text = "one\ntwo\n\nthree\u{1b}[A".to_owned();
        assert_eq!(events(b"\x1b[200~one\rtwo\r\n\nthree\x1b[A\x1b[201~"), [TermEvent::Pasted { text }]);
    }

    #[test]
    fn the_answer_that_all_give_ends_the_waiting() {
        let (mut input, mut events) = (Input::new(false), VecDeque::new());
        input.asked();
        input.feed(b"\x1b]11;rgb:0/0/0\x07", &mut events);
        assert!(input.awaits_answer());
        input.feed(b"\x1b[?1;2c", &mut events);
        assert!(!input.awaits_answer());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            events(&bytes);
        }

        #[test]
        fn nor_any_sequence(body in "[ -?]{0,12}", end in "[@-~]", start in "\u{1b}(\\[|O|\\]|P|_)") {
            events(format!("{start}{body}{end}").as_bytes());
        }
    }
}
