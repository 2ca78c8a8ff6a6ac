//! How things look: [`Role`]s of text and [`Part`]s of the screen to styles, from `assets/theme.toml` with the user's
//! own file over it.

use std::path::Path;

use ratatui::style::Style;

use super::text::Role;

/// What a terminal's background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Background {
    /// Light letters on dark.
    Dark,
    /// Dark letters on light.
    Light,
}

/// A part of the screen that has a look of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The program's name, a pane's title.
    Title,
    /// The one accent: the focused pane's title, the caret's mark.
    Accent,
    /// Lines between panes.
    Border,
    /// The row with the cursor, in the focused pane.
    Selected,
    /// The row with the cursor, in another pane.
    SelectedElsewhere,
    /// Letters that fit a filter or search.
    Match,
    /// Secondary words.
    Dim,
    /// A key in a hint.
    HintKey,
    /// What a key does.
    Hint,
    /// Something that runs.
    Running,
    /// Something that is being made.
    Pending,
    /// Something that ended.
    Ended,
    /// A good message.
    Success,
    /// A message that something isn't as wanted.
    Warning,
    /// A message that something failed.
    Error,
    /// The frame and title of a dialog.
    Dialog,
    /// A choice with the cursor.
    Choice,
    /// What stands in an empty field.
    Placeholder,
}

/// Styles for all.
#[derive(Debug, Clone)]
pub struct Theme {
    background: Background,
}

/// What of colours a terminal gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    /// The terminal's own sixteen, and what a user's theme names.
    Ansi,
    /// None (`NO_COLOR`): bold, dim, underlined and reversed stay.
    None,
}

/// A theme that can't be taken: file, line, key, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ThemeError(pub String);

impl Theme {
    /// The default theme with a user's file over it.
    ///
    /// # Errors
    /// Anything in the file that can't be taken.
    pub fn load(_user: Option<(&Path, &str)>, background: Background, _colors: Colors) -> Result<Self, ThemeError> {
        Ok(Self { background })
    }

    /// The background that it is for.
    pub fn background(&self) -> Background {
        self.background
    }

    /// How text of a role looks.
    pub fn role(&self, _role: Role) -> Style {
        Style::new()
    }

    /// How a part of the screen looks.
    pub fn part(&self, _part: Part) -> Style {
        Style::new()
    }
}
