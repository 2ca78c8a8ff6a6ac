//! What lies over the panes.

use tui_textarea::TextArea;

use super::Remote;
use crate::{
    api::command::Changes,
    core::{RequestId, SandboxId, VersionId},
    tui::app::action::Action,
};

/// One dialog.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a few of them lie over each other, never a collection")]
pub enum Dialog {
    /// A new sandbox.
    Create(CreateForm),
    /// A question. What destroys always asks.
    Question(Question),
    /// What a restore would change, and the offer to do it.
    Restore(RestorePreview),
    /// All keys.
    Help(Reader),
    /// Every action by name.
    Palette(Palette),
    /// Earlier messages.
    Toasts(Reader),
    /// What a command does, with its log.
    Progress {
        /// Which.
        request: RequestId,
        /// Where it is read.
        reader: Reader,
    },
}

impl Dialog {
    /// Where its text is read, if it has one that scrolls.
    pub fn reader(&self) -> Option<&Reader> {
        match self {
            Self::Restore(open) => Some(&open.reader),
            Self::Help(reader) | Self::Toasts(reader) | Self::Progress { reader, .. } => Some(reader),
            Self::Create(_) | Self::Question(_) | Self::Palette(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn reader_mut(&mut self) -> Option<&mut Reader> {
        match self {
            Self::Restore(open) => Some(&mut open.reader),
            Self::Help(reader) | Self::Toasts(reader) | Self::Progress { reader, .. } => Some(reader),
            Self::Create(_) | Self::Question(_) | Self::Palette(_) => None,
        }
    }

    /// The line of its filter has the keys.
    pub fn filters(&self) -> bool {
        self.reader().is_some_and(|reader| reader.typing)
    }
}

/// A text that scrolls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reader {
    /// First row on the screen.
    pub top: usize,
    /// The end is shown, and stays shown as it grows.
    pub follow: bool,
    /// Only what holds this.
    pub filter: String,
    /// The filter's line has the keys.
    pub typing: bool,
}

/// A new sandbox, field by field.
#[derive(Debug, Clone, Default)]
pub struct CreateForm {
    /// Which field has the keys.
    pub field: Field,
    /// Its name; one is made when empty.
    pub name: TextArea<'static>,
    /// The image; the profile's default when empty.
    pub image: TextArea<'static>,
    /// Dockerfile commands, one a line.
    pub commands: TextArea<'static>,
    /// Names of secrets, with commas or blanks between them.
    pub secrets: TextArea<'static>,
    /// What is wrong with which field.
    pub problems: Vec<(Field, String)>,
}

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field {
    /// The name.
    #[default]
    Name,
    /// The image.
    Image,
    /// Dockerfile commands.
    Commands,
    /// Secrets.
    Secrets,
}

impl Field {
    /// In the order of the form.
    pub const ALL: [Self; 4] = [Self::Name, Self::Image, Self::Commands, Self::Secrets];
}

/// A question with choices, the safe one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked, and on what. Clean.
    pub title: String,
    /// What follows from it. Clean.
    pub detail: String,
    /// What can be said.
    pub choices: Vec<Choice>,
    /// Which has the cursor.
    pub cursor: usize,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its letter.
    pub key: char,
    /// Its words.
    pub label: &'static str,
    /// What it does.
    pub then: Then,
}

/// What an answer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Ends a sandbox.
    Terminate {
        /// Which.
        sandbox: SandboxId,
        /// Its workspace is saved first.
        save: bool,
    },
    /// Ends sandboxes that were marked.
    TerminateMarked {
        /// Which.
        sandboxes: Vec<SandboxId>,
        /// Their workspaces are saved first.
        save: bool,
    },
    /// Closes the screen, although some of what was asked for has not begun.
    Quit,
}

/// What a restore would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePreview {
    /// Into which sandbox.
    pub sandbox: SandboxId,
    /// Of which version.
    pub version: VersionId,
    /// The changes.
    pub changes: Remote<Changes>,
    /// Where they are read.
    pub reader: Reader,
    /// "restore" has the cursor; first it is on "cancel".
    pub confirmed: bool,
    /// It was looked at before and is refused now: the workspace has changed since.
    pub again: bool,
}

/// Every action by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Palette {
    /// What was typed.
    pub text: String,
    /// What fits, best first, with the places (in characters of the action's help) that fit.
    pub found: Vec<(Action, Vec<usize>)>,
    /// Which has the cursor.
    pub cursor: usize,
}
