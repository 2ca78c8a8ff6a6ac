//! A window of a conversation's items, and where in it the screen is.
//!
//! The window holds what surrounds the viewport; older and newer items are asked for when it comes near their end.
//! The place is (item, row in it), never a sum of heights: only items that are seen are laid out.
//!
//! The cursor is always on an item that is seen: scrolled off the screen it goes to the nearest one that is.
//!
//! How it is used: facts go in ([`Transcript::take`], [`Transcript::take_items`], [`Transcript::take_delta`], …), the
//! person moves ([`Transcript::scroll`], [`Transcript::next_item`], …), then [`Transcript::settle`] lays out what is
//! seen and says what is missing; views read [`Transcript::visible`].

mod fold;
mod scroll;
mod search;
mod select;
mod settle;
#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;

use jiff::{Timestamp, tz::TimeZone};

pub use self::settle::{Row, Wants};
use super::super::effect::EffectId;
use crate::{
    api::{ApiError, OpenBlock, PlacedItem, Window},
    core::Item,
    tui::text::{Growing, Highlights, Laid, Line},
};

/// Items in the window: some dozens of screens.
pub const MAX_ITEMS: usize = 500;

/// Bytes of text in the window.
pub const MAX_BYTES: usize = 2 << 20;

/// Items beyond the viewport that are there before they are needed, and that no limit takes away: about what a person
/// scrolls through while the next part comes.
const NEAR: usize = 16;

/// What of a conversation is here.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Oldest first.
    pub entries: VecDeque<Entry>,
    /// The conversation has older items than these.
    pub more_before: bool,
    /// The conversation has newer items than these.
    pub more_after: bool,
    /// What is being asked for.
    pub loading: Option<EffectId>,
    /// Why the last part could not be had. Nothing is asked for until the person moves or [`Self::refresh`].
    pub error: Option<ApiError>,
    /// Blocks that are being written; shown behind the entries when the window reaches the end.
    pub open: Vec<Opening>,
    /// What the first row on the screen is.
    pub top: Place,
    /// The end is shown, and stays shown as it grows.
    pub follow: bool,
    /// Items that came since the end was left.
    pub unseen: usize,
    /// The selected item, by its key; with a second one the selection reaches from one to the other.
    pub cursor: Option<String>,
    /// Where the selection began.
    pub anchor: Option<String>,
    /// What is being searched.
    pub search: Option<Search>,
    /// Everything is unfolded, else everything is as its kind is by default.
    pub unfolded: bool,
    /// What all this was laid out for.
    pub pane: Pane,
    /// Code in colours.
    highlights: Highlights,
    /// What of the conversation is being asked for.
    asked: Option<Window>,
    /// Items that came while a part was being asked for, which may be older than they are.
    fresh: VecDeque<PlacedItem>,
    /// A part was there at least once.
    loaded: bool,
    /// What is here may be out of date.
    stale: bool,
    /// The position to go to when it is there.
    jump: Option<u64>,
    /// Bytes of all entries.
    bytes: usize,
    /// How often an item was laid out.
    #[cfg(test)]
    layouts: usize,
}

/// What a transcript is laid out for.
#[derive(Debug, Clone, PartialEq)]
pub struct Pane {
    /// Width.
    pub columns: u16,
    /// Height.
    pub rows: u16,
    /// Marks are plain ASCII.
    pub ascii: bool,
    /// What times are shown in.
    pub zone: TimeZone,
    /// What running tools count their seconds to.
    pub now: Timestamp,
}

impl Default for Pane {
    fn default() -> Self {
        Self { columns: 80, rows: 24, ascii: false, zone: TimeZone::UTC, now: Timestamp::UNIX_EPOCH }
    }
}

/// An item, laid out when it was seen.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The item.
    pub item: PlacedItem,
    /// Folded or unfolded by hand.
    pub unfolded: Option<bool>,
    /// Its lines.
    pub laid: Option<Laid>,
    /// What it counts in [`MAX_BYTES`].
    bytes: usize,
    /// Of a shell command's output, what has come and isn't stored.
    live: Option<Live>,
}

/// Output that isn't stored, behind what is.
#[derive(Debug, Clone, Copy)]
struct Live {
    /// Bytes that are stored.
    stored: usize,
    /// Bytes that came after them.
    len: usize,
}

/// A block that is being written, laid out.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The block; its text is in `growing`.
    pub block: OpenBlock,
    /// Its text and lines.
    pub growing: Growing,
}

/// A row: the entry's place in the window (open blocks behind the entries) and the row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Which entry.
    pub entry: usize,
    /// Which of its rows.
    pub row: usize,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// What was typed.
    pub text: String,
    /// The line has the keys.
    pub typing: bool,
    /// It is being asked for.
    pub asked: Option<EffectId>,
    /// Positions of items that hold it, oldest first.
    pub found: Vec<u64>,
    /// Which of them is shown.
    pub at: Option<usize>,
    /// Where in it, when that is here.
    pub spot: Option<Spot>,
    /// It is gone to from below: the last of its places is the first to be shown.
    pub back: bool,
}

/// Where in an item a searched text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// In this row, as the item is laid out.
    Row(usize),
    /// In nothing that can be unfolded: in the middle of what is too long.
    LeftOut,
}

/// One that shows its end as soon as it is there.
impl Default for Transcript {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            more_before: false,
            more_after: false,
            loading: None,
            error: None,
            open: Vec::new(),
            top: Place::default(),
            follow: true,
            unseen: 0,
            cursor: None,
            anchor: None,
            search: None,
            unfolded: false,
            pane: Pane::default(),
            highlights: Highlights::default(),
            asked: None,
            fresh: VecDeque::new(),
            loaded: false,
            stale: false,
            jump: None,
            bytes: 0,
            #[cfg(test)]
            layouts: 0,
        }
    }
}

impl Transcript {
    /// Items and open blocks that can be scrolled to.
    pub fn len(&self) -> usize {
        self.entries.len() + if self.more_after { 0 } else { self.open.len() }
    }

    /// There is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first part isn't there yet.
    pub fn is_loading(&self) -> bool {
        !self.loaded
    }

    /// The last item of the conversation, if the window reaches that far.
    pub fn last_item(&self) -> Option<&Item> {
        self.entries.back().filter(|_| !self.more_after).map(|entry| &entry.item.item)
    }

    /// The key of an entry or open block.
    pub fn key(&self, entry: usize) -> Option<&str> {
        match self.entries.get(entry) {
            Some(entry) => Some(&entry.item.item.key),
            None => self.open.get(entry - self.entries.len()).map(|open| open.block.item.as_str()),
        }
    }

    /// Where the entry or open block of a key is.
    pub fn index(&self, key: &str) -> Option<usize> {
        (0..self.len()).find(|entry| self.key(*entry) == Some(key))
    }

    /// Lines of an entry or open block as they were last laid out.
    fn lines(&self, entry: usize) -> &[Line] {
        match self.entries.get(entry) {
            Some(entry) => entry.laid.as_ref().map_or(&[], |laid| &laid.lines),
            None => self.open.get(entry - self.entries.len()).map_or(&[], |open| open.growing.lines()),
        }
    }
}
