//! Facts that reach the screen, in the past tense.

use crate::{
    api::{ApiError, CommandAnswer, CommandSummary, ConversationPage, Published, command::Changes},
    core::{MicroDollars, SandboxId, SandboxInfo, Version},
    tui::{
        app::effect::{EffectId, Timer},
        key::Key,
        text::Highlighted,
        theme::Background,
    },
};

/// One fact. The time at which it was taken from the queue comes beside it.
#[derive(Debug, Clone)]
pub enum Event {
    /// The terminal said something.
    Term(TermEvent),
    /// The connection to the server changed.
    Link(LinkEvent),
    /// The server's event stream brought something.
    Published(Box<Published>),
    /// An effect came to its end.
    Done {
        /// Which.
        id: EffectId,
        /// With what.
        outcome: Box<Outcome>,
    },
    /// A timer ran out.
    Elapsed {
        /// Which.
        timer: Timer,
    },
}

/// What a terminal can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TermEvent {
    /// A key was pressed.
    Pressed {
        /// Which.
        key: Key,
    },
    /// Text was pasted.
    Pasted {
        /// As it came; line ends are `\n`.
        text: String,
    },
    /// The mouse did something.
    Mouse {
        /// What.
        what: Mouse,
        /// Column, from 0.
        column: u16,
        /// Row, from 0.
        row: u16,
    },
    /// It has another size now; also after a suspension.
    Resized {
        /// Width.
        columns: u16,
        /// Height.
        rows: u16,
    },
    /// It got or lost the keyboard.
    Focused {
        /// Has it.
        gained: bool,
    },
    /// It said, or a change of the desktop's theme said, what its background is.
    Background {
        /// Dark or light.
        background: Background,
    },
    /// It is gone, or a signal asked the program to end.
    Ended,
}

/// What a mouse can do; its moves aren't asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mouse {
    /// The left button went down.
    Click,
    /// The same, with control held.
    CtrlClick,
    /// The wheel turned up by one notch.
    WheelUp,
    /// The wheel turned down by one notch.
    WheelDown,
}

/// What can happen to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It stands, for the first time or again: nothing that happens from here on is missed.
    Connected,
    /// There is none; the runtime tries again by itself.
    Lost {
        /// Why.
        error: ApiError,
    },
}

/// What comes of effects that answer.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Of [`Effect::ListSandboxes`](super::Effect::ListSandboxes).
    Sandboxes(Result<Vec<SandboxInfo>, ApiError>),
    /// Of [`Effect::ListVersions`](super::Effect::ListVersions).
    Versions(Result<Vec<Version>, ApiError>),
    /// Of [`Effect::ListCommands`](super::Effect::ListCommands).
    Commands(Result<Vec<CommandSummary>, ApiError>),
    /// Of [`Effect::LoadItems`](super::Effect::LoadItems).
    Items(Result<ConversationPage, ApiError>),
    /// Of [`Effect::Search`](super::Effect::Search): positions of items, oldest first.
    Found(Result<Vec<u64>, ApiError>),
    /// Of [`Effect::SumUsage`](super::Effect::SumUsage).
    Spent(Result<MicroDollars, ApiError>),
    /// Of [`Effect::Submit`](super::Effect::Submit), [`Effect::AskCommand`](super::Effect::AskCommand) and
    /// [`Effect::Interrupt`](super::Effect::Interrupt).
    Command(Result<CommandAnswer, ApiError>),
    /// Of [`Effect::Preview`](super::Effect::Preview).
    Preview(Result<Changes, ApiError>),
    /// Of [`Effect::Edit`](super::Effect::Edit): the text as the editor left it.
    Edited(Result<String, String>),
    /// Of [`Effect::LoadTranscript`](super::Effect::LoadTranscript).
    Transcript(Result<String, ApiError>),
    /// Of [`Effect::Page`](super::Effect::Page).
    Paged(Result<(), String>),
    /// Of [`Effect::Copy`](super::Effect::Copy): where it went, for people (never "copied" when it was only sent to the
    /// terminal).
    Copied(Result<String, String>),
    /// Of [`Effect::Highlight`](super::Effect::Highlight).
    Highlighted(Highlighted),
    /// Of [`Effect::LoadHistory`](super::Effect::LoadHistory): oldest first.
    History(Vec<String>),
    /// Of [`Effect::LoadDrafts`](super::Effect::LoadDrafts): each with its sandbox, or for none.
    Drafts(Vec<(Option<SandboxId>, String)>),
}
