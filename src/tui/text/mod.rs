//! From untrusted text to lines of a given width, in words of meaning ([`Role`]) and not of colour.
//!
//! Pure. Only what passed `core::text::sanitize` becomes a [`Span`]; lines carry no style, so a change of theme lays
//! nothing out again.

use crate::{
    api::OpenBlock,
    core::{Clean, Item},
};

/// What a piece of text means; the theme says how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Plain.
    Text,
    /// Secondary.
    Dim,
    /// Strong emphasis.
    Strong,
    /// Emphasis.
    Emphasis,
    /// Struck out.
    Struck,
    /// A heading.
    Heading,
    /// Code in a line, or a block of it that isn't coloured.
    Code,
    /// A quotation.
    Quote,
    /// A link's target.
    Link,
    /// What the user said.
    Prompt,
    /// Who speaks: the line above what they say.
    Speaker,
    /// A tool's name.
    Tool,
    /// A line that was added.
    Added,
    /// A line that was removed.
    Removed,
    /// It went well.
    Success,
    /// It needs attention.
    Warning,
    /// It failed.
    Error,
    /// Code: a keyword.
    Keyword,
    /// Code: a string or number.
    Literal,
    /// Code: a comment.
    Comment,
    /// Code: a function or type.
    Name,
}

/// A piece of a line in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    text: String,
    role: Role,
}

impl Span {
    /// Clean text in a role.
    pub fn new(text: &Clean, role: Role) -> Self {
        Self { text: text.as_str().to_owned(), role }
    }

    /// Text of our own in a role.
    pub fn ours(text: &'static str, role: Role) -> Self {
        Self { text: text.to_owned(), role }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// From the left.
    pub spans: Vec<Span>,
    /// At the right edge: a time, a cost.
    pub right: Vec<Span>,
}

/// An item's rows, and what they were made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// The rows.
    pub lines: Vec<Line>,
    /// For this.
    pub made_for: MadeFor,
}

/// What an item's rows depend on beside the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeFor {
    /// Columns.
    pub width: u16,
    /// Its inside is shown.
    pub unfolded: bool,
    /// Marks are plain ASCII.
    pub ascii: bool,
    /// Whole seconds that a running tool has run; else 0.
    pub seconds: u64,
}

/// Code in colours, as an effect brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Highlighted {
    /// The language as the fence names it.
    pub language: String,
    /// The code.
    pub code: String,
    /// Its lines.
    pub lines: Vec<Vec<Span>>,
}

/// Lays an item out.
pub fn lay(item: &Item, made_for: MadeFor) -> Laid {
    let text = crate::core::text::sanitize_line(&item.key);
    Laid { lines: vec![Line { spans: vec![Span::new(&text, Role::Text)], right: Vec::new() }], made_for }
}

/// Lays out what is there of an answer.
pub fn lay_open(block: &OpenBlock, made_for: MadeFor) -> Laid {
    let text = block.text.clean_line();
    Laid { lines: vec![Line { spans: vec![Span::new(&text, Role::Text)], right: Vec::new() }], made_for }
}

/// What an item says, as it was written: what copying gives. Clean, unwrapped, without marks of ours.
pub fn plain(item: &Item) -> String {
    crate::core::text::sanitize(&item.key).as_str().to_owned()
}

/// The last block of code that an item holds.
pub fn last_code(_item: &Item) -> Option<String> {
    None
}
