//! Orders to the outside, as data. [`crate::tui::runtime`] carries them out; what comes of them is an event.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    api::{CommandRequest, Window},
    core::{RequestId, SandboxId, VersionId},
};

/// Names one order, so that its answer can be told from an older one's. From a counter of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectId(pub u64);

/// One order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// All sandboxes, also those that ended.
    ListSandboxes {
        /// Answered by [`Outcome::Sandboxes`](super::Outcome::Sandboxes).
        id: EffectId,
    },
    /// All versions.
    ListVersions {
        /// Answered by [`Outcome::Versions`](super::Outcome::Versions).
        id: EffectId,
    },
    /// Commands that have not ended.
    ListCommands {
        /// Answered by [`Outcome::Commands`](super::Outcome::Commands).
        id: EffectId,
    },
    /// A part of a sandbox's latest conversation.
    LoadItems {
        /// Answered by [`Outcome::Items`](super::Outcome::Items).
        id: EffectId,
        /// Whose.
        sandbox: SandboxId,
        /// Which part.
        window: Window,
    },
    /// Where a text stands in a sandbox's latest conversation.
    Search {
        /// Answered by [`Outcome::Found`](super::Outcome::Found).
        id: EffectId,
        /// Whose.
        sandbox: SandboxId,
        /// What.
        text: String,
    },
    /// What the account has spent since.
    SumUsage {
        /// Answered by [`Outcome::Spent`](super::Outcome::Spent).
        id: EffectId,
        /// The beginning of the day.
        since: Timestamp,
    },
    /// Has a command done. Its request id comes from the runtime's own supply through the model.
    Submit {
        /// Answered by [`Outcome::Command`](super::Outcome::Command) when the server has it; its end comes by the
        /// event stream.
        id: EffectId,
        /// What.
        request: Box<CommandRequest>,
    },
    /// What came of a command that has ended.
    AskCommand {
        /// Answered by [`Outcome::Command`](super::Outcome::Command).
        id: EffectId,
        /// Which.
        request: RequestId,
    },
    /// Stops a command.
    Interrupt {
        /// Answered by [`Outcome::Command`](super::Outcome::Command).
        id: EffectId,
        /// Which.
        request: RequestId,
    },
    /// What a restore would change: a dry run, followed to its end.
    Preview {
        /// Answered by [`Outcome::Preview`](super::Outcome::Preview).
        id: EffectId,
        /// Into which sandbox.
        sandbox: SandboxId,
        /// Of which version.
        version: VersionId,
    },
    /// Gives a text to `$VISUAL` or `$EDITOR`; the screen is away meanwhile.
    Edit {
        /// Answered by [`Outcome::Edited`](super::Outcome::Edited).
        id: EffectId,
        /// The draft.
        text: String,
    },
    /// A sandbox's whole conversation as text, for the pager.
    LoadTranscript {
        /// Answered by [`Outcome::Transcript`](super::Outcome::Transcript).
        id: EffectId,
        /// Whose.
        sandbox: SandboxId,
    },
    /// Shows a text in `$PAGER`; the screen is away meanwhile.
    Page {
        /// Answered by [`Outcome::Paged`](super::Outcome::Paged).
        id: EffectId,
        /// Clean text.
        text: String,
    },
    /// Puts a text into the clipboard of the person's terminal.
    Copy {
        /// Answered by [`Outcome::Copied`](super::Outcome::Copied).
        id: EffectId,
        /// Clean text.
        text: String,
    },
    /// Colours a block of code, away from the frame's path.
    Highlight {
        /// Answered by [`Outcome::Highlighted`](super::Outcome::Highlighted).
        id: EffectId,
        /// The language as the fence names it.
        language: String,
        /// The code.
        code: String,
    },
    /// Prompts of earlier days.
    LoadHistory {
        /// Answered by [`Outcome::History`](super::Outcome::History).
        id: EffectId,
    },
    /// Keeps a prompt for later days.
    KeepPrompt {
        /// The prompt.
        text: String,
    },
    /// Drafts that earlier screens left.
    LoadDrafts {
        /// Answered by [`Outcome::Drafts`](super::Outcome::Drafts).
        id: EffectId,
    },
    /// Keeps a draft for the next screen, or forgets it.
    KeepDraft {
        /// Of which sandbox, or of none.
        sandbox: Option<SandboxId>,
        /// The draft; an empty one is forgotten.
        text: String,
    },
    /// Wakes the model after a time; set again, it replaces the one before.
    SetTimer {
        /// Which.
        timer: Timer,
        /// From now.
        after: Duration,
    },
    /// No wake-up after all.
    StopTimer {
        /// Which.
        timer: Timer,
    },
    /// Asks the terminal for clicks and wheel, or leaves them to it.
    SetMouse {
        /// Ask.
        on: bool,
    },
    /// Stops the program as ctrl-z does; the screen comes back with it.
    Suspend,
    /// Draws all of the screen anew.
    Redraw,
    /// Ends the program. Nothing follows.
    Quit,
}

/// What may wake the model. There is one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Ages and money changed their text.
    Minute,
    /// Something runs whose time is shown: once a second.
    Second,
    /// A toast has been there long enough.
    Toast,
    /// "Press again" is over.
    Armed,
    /// A key that may begin a longer sequence has waited long enough to show what could follow.
    Chord,
    /// A draft changed a moment ago and is to be kept.
    Draft,
}
