//! A key as people press it and as keymaps write it: `q`, `ctrl-x`, `alt-enter`, `shift-tab`, `f1`.
//!
//! Our own type, so that neither the keymap nor the reducer knows which library reads the terminal.

use std::{fmt, str::FromStr};

/// A key with what was held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Control.
    pub ctrl: bool,
    /// Alt, or Escape before it.
    pub alt: bool,
    /// Shift; never set for a character, which is another character then.
    pub shift: bool,
}

/// Which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A character as it was typed, shift already counted: `A`, `?`. With control or alt always in lower case.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab; with shift also what terminals send as back-tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// Arrow.
    Up,
    /// Arrow.
    Down,
    /// Arrow.
    Left,
    /// Arrow.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// A function key, 1 to 12.
    F(u8),
}

/// Names of keys that aren't characters, as keymaps write them.
const NAMES: [(&str, Code); 15] = [
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("insert", Code::Insert),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("home", Code::Home),
    ("end", Code::End),
    ("pageup", Code::PageUp),
    ("pagedown", Code::PageDown),
    ("space", Code::Char(' ')),
];

impl Key {
    /// The key alone.
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// With control.
    pub const fn ctrl(c: char) -> Self {
        Self { code: Code::Char(c), ctrl: true, alt: false, shift: false }
    }

    /// The character that it types into a text.
    pub fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if held {
                f.write_str(name)?;
            }
        }
        if let Some((name, _)) = NAMES.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            Code::Char(c) => write!(f, "{c}"),
            Code::F(n) => write!(f, "f{n}"),
            _ => Ok(()),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    /// Reads what [`Key`]'s `Display` writes.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let mut key = Self::plain(Code::Esc);
        loop {
            let (name, held) = match rest {
                _ if rest.starts_with("ctrl-") => ("ctrl-", &mut key.ctrl),
                _ if rest.starts_with("alt-") => ("alt-", &mut key.alt),
                _ if rest.starts_with("shift-") => ("shift-", &mut key.shift),
                _ => break,
            };
            if std::mem::replace(held, true) {
                return Err(format!("`{text}` says {name} twice"));
            }
            rest = &rest[name.len()..];
        }
        let mut chars = rest.chars();
        key.code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => Code::Char(c),
            _ => match NAMES.iter().find(|(name, _)| *name == rest) {
                Some((_, code)) => *code,
                None => match rest.strip_prefix('f').and_then(|n| n.parse().ok()) {
                    Some(n @ 1..=12) => Code::F(n),
                    _ => {
                        return Err(format!(
                            "`{text}` is no key: a character, enter, esc, tab, space, up, f1 and so on"
                        ));
                    }
                },
            },
        };
        match key.code {
            Code::Char(c) if key.shift => Err(format!("write `{}` for shift and `{c}`", c.to_uppercase())),
            Code::Char(c) if (key.ctrl || key.alt) && c.is_uppercase() => {
                Err(format!("`{text}`: with ctrl or alt a letter is written in lower case"))
            }
            _ => Ok(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("q", Key::plain(Code::Char('q')))]
    #[case("?", Key::plain(Code::Char('?')))]
    #[case("-", Key::plain(Code::Char('-')))]
    #[case("ctrl-x", Key::ctrl('x'))]
    #[case("ctrl--", Key::ctrl('-'))]
    #[case("alt-enter", Key { alt: true, ..Key::plain(Code::Enter) })]
    #[case("shift-tab", Key { shift: true, ..Key::plain(Code::Tab) })]
    #[case("ctrl-alt-f12", Key { ctrl: true, alt: true, ..Key::plain(Code::F(12)) })]
    #[case("space", Key::plain(Code::Char(' ')))]
    fn a_key_is_written_as_it_is_read(#[case] text: &str, #[case] key: Key) {
        assert_eq!(text.parse(), Ok(key));
        assert_eq!(key.to_string(), text);
    }

    #[rstest::rstest]
    #[case("")]
    #[case("ctrl-")]
    #[case("ctrl-ctrl-a")]
    #[case("f13")]
    #[case("shift-a")]
    #[case("ctrl-A")]
    #[case("bogus")]
    fn what_is_no_key_is_refused(#[case] text: &str) {
        assert!(text.parse::<Key>().is_err());
    }
}
