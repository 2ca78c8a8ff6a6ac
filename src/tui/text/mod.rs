//! From untrusted text to lines of a given width, in words of meaning ([`Role`]) and not of colour.
//!
//! Pure. Only what passed `core::text::sanitize` becomes a [`Span`]; lines carry no style, so a change of theme lays
//! nothing out again.

mod binary;
mod card;
mod elide;
mod growing;
mod highlight;
mod line;
mod long;
mod markdown;
mod parts;
mod plain;
mod tool;
mod wrap;

pub use self::{
    elide::elide,
    growing::Growing,
    highlight::{Code, Highlighted, Highlights, highlight},
    line::find,
    plain::{last_code, plain},
};
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
    /// What a tool or a command gave back.
    Output,
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

    /// A part of clean text, which is clean too, in a role.
    fn part(text: impl Into<String>, role: Role) -> Self {
        Self { text: text.into(), role }
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

/// The name of the tool that is a command of the user's own, shown as on a terminal.
pub const SHELL: &str = "Shell";

/// An item's rows, and what they were made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// The rows; at least one.
    pub lines: Vec<Line>,
    /// For this.
    pub made_for: MadeFor,
    /// Blocks of code in them that would be in colours if [`Highlights`] had them.
    pub wanted: Vec<Code>,
}

/// What an item's rows depend on beside the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeFor {
    /// Columns.
    pub width: u16,
    /// How much of its inside is shown.
    pub fold: Fold,
    /// Marks are plain ASCII.
    pub ascii: bool,
    /// Whole seconds that a running tool has run; else 0.
    pub seconds: u64,
    /// A line above says who speaks.
    pub speaker: bool,
    /// An empty row above sets it off from what comes before.
    pub gap: bool,
    /// When it was said, for who speaks.
    pub clock: Option<Clock>,
}

/// How much of an item's inside is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fold {
    /// One line.
    Folded,
    /// What matters of its kind: an edit's first lines, why it failed, else one line.
    #[default]
    Brief,
    /// All that can be read.
    Unfolded,
}

/// Hour and minute where the person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// 0 to 23.
    pub hour: i8,
    /// 0 to 59.
    pub minute: i8,
}

/// Lays an item out.
pub fn lay(item: &Item, made_for: MadeFor, highlights: &Highlights) -> Laid {
    card::lay(item, made_for, highlights)
}

/// Lays out what is there of an answer, at once. One that grows is laid out by [`Growing`].
pub fn lay_open(block: &OpenBlock, made_for: MadeFor) -> Laid {
    let mut growing = Growing::new(&block.block);
    growing.push(block.text.raw());
    growing.settle(made_for);
    Laid { lines: growing.lines().to_vec(), made_for, wanted: Vec::new() }
}

#[cfg(test)]
mod tests;
