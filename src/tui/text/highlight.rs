//! Code in colours. Loading the syntaxes and parsing take milliseconds, so it happens away from the frame's path: what is
//! laid out without colours says so, an effect colours it, and it is laid out again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::OnceLock,
};

use syntect::parsing::{ParseState, ScopeStack, SyntaxSet};

use super::{Role, Span};
use crate::core::text::sanitize;

/// Code in colours, as an effect brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Highlighted {
    /// The language as the fence names it.
    pub language: String,
    /// The code.
    pub code: String,
    /// Its lines; none when it stays plain.
    pub lines: Vec<Vec<Span>>,
}

/// A block of code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Code {
    /// The language as the fence names it.
    pub language: String,
    /// The code, clean.
    pub code: String,
}

/// Above this code stays plain: nobody reads so much of it in a chat, and it would take half a second.
const MAX_CODE: usize = 64 << 10;

/// A line above this is generated; patterns that look back take long on it.
const MAX_LINE: usize = 2 << 10;

/// Blocks in colours that are kept: more than are near any viewport.
const MAX_KEPT: usize = 128;

/// What collects code that could be in colours.
pub(super) struct Colours<'a> {
    pub(super) highlights: &'a Highlights,
    pub(super) wanted: Vec<Code>,
}

/// Colours a block of code. Takes milliseconds, the first time for a language tens of them.
pub fn highlight(language: &str, code: &str) -> Highlighted {
    let lines = coloured(language, code).unwrap_or_default();
    Highlighted { language: language.to_owned(), code: code.to_owned(), lines }
}

fn coloured(language: &str, code: &str) -> Option<Vec<Vec<Span>>> {
    static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();
    if code.len() > MAX_CODE || code.lines().any(|line| line.len() > MAX_LINE) {
        return None;
    }
    let syntaxes = SYNTAXES.get_or_init(SyntaxSet::load_defaults_newlines);
    let syntax = syntaxes.find_syntax_by_token(language)?;
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    let clean = sanitize(code);
    let mut lines = Vec::new();
    for line in clean.as_str().lines() {
        let with_end = format!("{line}\n");
        let ops = state.parse_line(&with_end, syntaxes).ok()?;
        let mut spans: Vec<Span> = Vec::new();
        let mut from = 0;
        let mut put = |text: &str, role| match spans.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.role == role => last.text.push_str(text),
            _ => spans.push(Span::part(text, role)),
        };
        for (at, op) in ops {
            let at = at.min(line.len());
            put(line.get(from..at)?, role(&stack));
            from = at;
            stack.apply(&op).ok()?;
        }
        put(line.get(from..)?, role(&stack));
        lines.push(spans);
    }
    Some(lines)
}

/// What a scope means; the innermost that means something counts.
fn role(stack: &ScopeStack) -> Role {
    let meaning = |name: &str| {
        let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if is(&["comment"]) {
            Some(Role::Comment)
        } else if is(&["string", "constant"]) {
            Some(Role::Literal)
        } else if is(&["keyword.operator", "punctuation"]) {
            None
        } else if is(&["keyword", "storage"]) {
            Some(Role::Keyword)
        } else if is(&["entity.name", "support.function", "support.type", "support.class", "variable.function"]) {
            Some(Role::Name)
        } else {
            None
        }
    };
    stack.as_slice().iter().rev().find_map(|scope| meaning(&scope.build_string())).unwrap_or(Role::Code)
}

/// Blocks of code that are in colours already, and those that were asked for.
#[derive(Debug, Clone, Default)]
pub struct Highlights {
    known: HashMap<u64, Highlighted>,
    /// Oldest first.
    order: VecDeque<u64>,
    pending: HashSet<u64>,
}

impl Highlights {
    /// A block's lines in colours, or none because it stays plain.
    pub fn get(&self, code: &Code) -> Option<&[Vec<Span>]> {
        let known = self.known.get(&hash(&code.language, &code.code))?;
        (known.language == code.language && known.code == code.code).then_some(&known.lines)
    }

    /// Whether a block is to be coloured: it isn't yet, and nobody was asked.
    pub fn ask(&mut self, code: &Code) -> bool {
        self.get(code).is_none() && self.pending.insert(hash(&code.language, &code.code))
    }

    /// Takes what was asked for. Whether it was.
    pub fn take(&mut self, highlighted: Highlighted) -> bool {
        let hash = hash(&highlighted.language, &highlighted.code);
        if !self.pending.remove(&hash) {
            return false;
        }
        if self.known.insert(hash, highlighted).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > MAX_KEPT {
            self.order.pop_front().and_then(|oldest| self.known.remove(&oldest));
        }
        true
    }
}

fn hash(language: &str, code: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (language, code).hash(&mut hasher);
    hasher.finish()
}

/// Whether it is worth asking for colours.
pub(super) fn worth(code: &Code) -> bool {
    !code.language.is_empty() && code.code.len() <= MAX_CODE
}
