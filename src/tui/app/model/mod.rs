//! All that the screen knows. Written by `update` alone, read by the views.

mod armed;
mod asked;
pub mod chat;
pub mod dialog;
pub mod jobs;
pub mod list;
pub mod prompt;
pub mod task;
pub mod toast;
pub mod transcript;
mod useful;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use uuid::Uuid;

pub(super) use self::asked::Asked;
pub use self::{
    armed::{ARMED, Armed, ArmedFor},
    chat::Chat,
    dialog::Dialog,
    jobs::Jobs,
    list::{Listing, Remote},
    prompt::{History, Prompt},
    task::{Task, Tasks},
    toast::{Toast, Toasts},
    transcript::Transcript,
};
use super::effect::{EffectId, Timer};
use crate::{
    api::{ApiError, OpenBlock},
    core::{
        AccountId, ConversationId, MicroDollars, Profile, RequestId, SandboxId, SandboxInfo, SandboxStatus, Version,
        VersionId,
    },
    tui::{app::action::Context, key::Key, keymap::Keymap, theme::Background},
};

/// Everything.
#[derive(Debug, Clone)]
pub struct Model {
    /// What doesn't change while the screen is open.
    pub place: Place,
    /// Which keys do what.
    pub keymap: Arc<Keymap>,
    /// Width and height of the terminal.
    pub size: Size,
    /// When the last event was taken.
    pub now: Timestamp,
    /// The terminal has the keyboard: what moves by itself may move.
    pub attended: bool,
    /// What the terminal said of its background.
    pub background: Option<Background>,
    /// Clicks and the wheel are ours.
    pub mouse: bool,
    /// A form that was closed, or whose sandbox is not there yet: what was typed comes back with the next one.
    pub kept_form: Option<dialog::CreateForm>,
    /// The connection to the server.
    pub link: Link,
    /// Which pane has the keys when no dialog is open.
    pub focus: Focus,
    /// The account's sandboxes, newest first.
    pub sandboxes: Listing<SandboxInfo>,
    /// Sandboxes that ended are shown too.
    pub show_ended: bool,
    /// The account's versions, newest first.
    pub versions: Listing<Version>,
    /// One for each sandbox that was looked at.
    pub chats: BTreeMap<SandboxId, Chat>,
    /// A draft while no sandbox is selected.
    pub draft: Prompt,
    /// Blocks that are being written in conversations which aren't known yet.
    pub unowned: Vec<OpenBlock>,
    /// Commands that are being done, ours and others'.
    pub tasks: Tasks,
    /// What is done to several sandboxes that were marked.
    pub jobs: Jobs,
    /// What lies over the panes; the last has the keys.
    pub dialogs: Vec<Dialog>,
    /// Messages.
    pub toasts: Toasts,
    /// Prompts of earlier days and of today.
    pub history: History,
    /// What the account has spent today.
    pub spent_today: Option<MicroDollars>,
    /// Keys of a sequence that isn't complete.
    pub chord: Vec<Key>,
    /// The sequence has waited long enough to show what could follow.
    pub chord_waited: bool,
    /// What the next press of the same key does.
    pub armed: Option<Armed>,
    /// The program ends.
    pub ended: bool,
    /// Orders that will be answered, and what for. An answer to anything else is too old.
    pub(super) asked: BTreeMap<EffectId, Asked>,
    /// Timers that are set.
    pub(super) timers: BTreeSet<Timer>,
    /// Commands that the event stream told of since they were asked for: the answer may be older than that.
    pub(super) told: BTreeSet<RequestId>,
    /// Whose conversation it is.
    pub(super) conversations: BTreeMap<ConversationId, SandboxId>,
    /// Commands under way that a person wants stopped: nobody has to say it twice. They stay until their end, also while
    /// the server doesn't have them or can't be told.
    pub(super) interrupted: BTreeSet<RequestId>,
    /// What of each draft is kept for the next screen; nothing is of an empty one.
    pub(super) kept: BTreeMap<Option<SandboxId>, Kept>,
    /// A draft may have changed since they were kept.
    pub(super) touched: bool,
    /// The person did something, or the first list was there: the focus is theirs.
    pub(super) settled: bool,
    /// Since when what was spent today counts.
    pub(super) spent_since: Option<Timestamp>,
    /// The first event was taken.
    pub(super) started: bool,
    pub(super) next_effect: u64,
    pub(super) next_request: u64,
}

/// A draft as it was last kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// Of its text.
    pub hash: u64,
    /// This screen kept it, and didn't only find it.
    pub ours: bool,
}

/// What doesn't change while the screen is open.
#[derive(Debug, Clone)]
pub struct Place {
    /// Whose things.
    pub account: AccountId,
    /// Where they are.
    pub profile: Profile,
    /// What times are shown in.
    pub zone: TimeZone,
    /// Request ids are made of this and a counter.
    pub seed: Uuid,
    /// Borders and marks are plain ASCII.
    pub ascii: bool,
    /// Nothing moves by itself: for screen readers and slow lines.
    pub still: bool,
}

/// A terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Width.
    pub columns: u16,
    /// Height.
    pub rows: u16,
}

/// The connection to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// It is being made for the first time.
    Starting,
    /// It stands.
    Connected,
    /// It broke, and is being made again.
    Lost {
        /// Why.
        error: ApiError,
        /// Since when.
        since: Timestamp,
    },
}

/// A pane with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Focus {
    /// The list of sandboxes.
    Sandboxes,
    /// The list of versions.
    Versions,
    /// The transcript.
    Transcript,
    /// The prompt.
    Prompt,
}

/// Seconds after which a server that has not taken a command is said not to answer; it takes milliseconds.
const PATIENCE: i64 = 3;

/// A command is on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Since a moment ago.
    Now,
    /// For longer than a server that works takes.
    Long,
}

impl Model {
    /// The model at the start: nothing is known, everything is asked for.
    pub fn new(place: Place, keymap: Arc<Keymap>, size: Size, now: Timestamp) -> Self {
        Self {
            place,
            keymap,
            size,
            now,
            attended: true,
            background: None,
            mouse: true,
            kept_form: None,
            link: Link::Starting,
            focus: Focus::Sandboxes,
            sandboxes: Listing::default(),
            show_ended: false,
            versions: Listing::default(),
            chats: BTreeMap::new(),
            draft: Prompt::default(),
            unowned: Vec::new(),
            tasks: Tasks::default(),
            jobs: Jobs::default(),
            dialogs: Vec::new(),
            toasts: Toasts::default(),
            history: History::default(),
            spent_today: None,
            chord: Vec::new(),
            chord_waited: false,
            armed: None,
            ended: false,
            asked: BTreeMap::new(),
            timers: BTreeSet::new(),
            told: BTreeSet::new(),
            conversations: BTreeMap::new(),
            interrupted: BTreeSet::new(),
            kept: BTreeMap::new(),
            touched: false,
            settled: false,
            spent_since: None,
            started: false,
            next_effect: 0,
            next_request: 0,
        }
    }

    /// The selected sandbox.
    pub fn sandbox(&self) -> Option<&SandboxInfo> {
        self.sandboxes.selected()
    }

    /// The selected version.
    pub fn version(&self) -> Option<&Version> {
        self.versions.selected()
    }

    /// The selected sandbox's conversation.
    pub fn chat(&self) -> Option<&Chat> {
        self.chats.get(&self.sandbox()?.sandbox_id)
    }

    /// The same, to be changed.
    pub fn chat_mut(&mut self) -> Option<&mut Chat> {
        let id = self.sandbox()?.sandbox_id.clone();
        self.chats.get_mut(&id)
    }

    /// The draft that the prompt shows: the selected sandbox's, or the one without a sandbox.
    pub fn prompt(&self) -> &Prompt {
        self.chat().map_or(&self.draft, |chat| &chat.prompt)
    }

    /// The same, to be changed.
    pub fn prompt_mut(&mut self) -> &mut Prompt {
        let id = self.sandbox().map(|sandbox| sandbox.sandbox_id.clone());
        match id.and_then(|id| self.chats.get_mut(&id)) {
            Some(chat) => &mut chat.prompt,
            None => &mut self.draft,
        }
    }

    /// A sandbox by its id.
    pub fn sandbox_by_id(&self, id: &SandboxId) -> Option<&SandboxInfo> {
        self.sandboxes.all().iter().find(|sandbox| sandbox.sandbox_id == *id)
    }

    /// A version by its seconds.
    pub fn version_by_id(&self, id: VersionId) -> Option<&Version> {
        self.versions.all().iter().find(|version| version.version == id)
    }

    /// Where keys are looked up.
    pub fn context(&self) -> Context {
        match self.dialogs.last() {
            Some(Dialog::Create(_)) => return Context::Form,
            Some(Dialog::Question(_)) => return Context::Question,
            Some(Dialog::Palette(_)) => return Context::Finder,
            Some(open) if open.filters() => return Context::Finder,
            Some(Dialog::Restore(_) | Dialog::Help(_) | Dialog::Toasts(_) | Dialog::Progress { .. }) => {
                return Context::Reader;
            }
            None => {}
        }
        match self.focus {
            _ if self.finding() => Context::Finder,
            Focus::Sandboxes => Context::Sandboxes,
            Focus::Versions => Context::Versions,
            Focus::Transcript => Context::Transcript,
            Focus::Prompt => Context::Prompt,
        }
    }

    /// The line of a filter or of a search has the keys.
    fn finding(&self) -> bool {
        match self.focus {
            Focus::Sandboxes => self.sandboxes.filter.as_ref().is_some_and(|filter| filter.typing),
            Focus::Versions => self.versions.filter.as_ref().is_some_and(|filter| filter.typing),
            Focus::Transcript => {
                let search = self.chat().and_then(|chat| chat.transcript.search.as_ref());
                search.is_some_and(|search| search.typing)
            }
            Focus::Prompt => false,
        }
    }

    /// How many sandboxes run.
    pub fn running(&self) -> usize {
        self.sandboxes.all().iter().filter(|sandbox| sandbox.status == SandboxStatus::Running).count()
    }

    /// The selected sandbox's turn.
    pub fn turn(&self) -> Option<RequestId> {
        self.chat()?.turn
    }

    /// A command of ours that the server doesn't have yet, as far as we know.
    pub fn unanswered(&self, task: &Task) -> Option<Sent> {
        let asked = task.asked.filter(|_| task.ours)?;
        matches!(self.asked.get(&asked), Some(Asked::Submit(_))).then(|| {
            let waited = self.now.duration_since(task.since).as_secs();
            if waited < PATIENCE { Sent::Now } else { Sent::Long }
        })
    }

    /// The pager's text is on its way.
    pub fn loads_transcript(&self) -> bool {
        self.asked.values().any(|asked| matches!(asked, Asked::Transcript(_)))
    }

    /// What an interrupt stops in the selected sandbox: the newest of what is under way and wasn't told yet.
    pub fn stoppable(&self) -> Option<RequestId> {
        let number = |request: &&RequestId| self.tasks.all.get(request).map(|task| task.number);
        let under_way = self.chat()?.under_way().filter(|request| !self.interrupted.contains(request));
        under_way.max_by_key(number).copied()
    }

    /// A command is under way and wasn't told to stop.
    pub fn can_stop(&self, request: RequestId) -> bool {
        let under_way = self.tasks.all.get(&request).is_some_and(|task| task.end.is_none());
        under_way && !self.interrupted.contains(&request)
    }

    /// A name for the next order, which will be answered.
    pub(super) fn ask(&mut self, what: Asked) -> EffectId {
        self.next_effect += 1;
        let id = EffectId(self.next_effect);
        self.asked.insert(id, what);
        id
    }

    /// An id for the next command.
    pub(super) fn request_id(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(Uuid::new_v5(&self.place.seed, &self.next_request.to_be_bytes()))
    }
}
