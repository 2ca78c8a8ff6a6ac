//! A window of a conversation's items, and where in it the screen is.
//!
//! The window holds what surrounds the viewport; older and newer items are asked for when it comes near their end.
//! The place is (item, row in it), never a sum of heights: only items that are seen are laid out.

use std::collections::VecDeque;

use super::super::effect::EffectId;
use crate::{
    api::{ApiError, OpenBlock, PlacedItem},
    tui::text::Laid,
};

/// Items in the window: some dozens of screens.
pub const MAX_ITEMS: usize = 500;

/// Bytes of text in the window.
pub const MAX_BYTES: usize = 2 << 20;

/// What of a conversation is here.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    /// Oldest first.
    pub entries: VecDeque<Entry>,
    /// The conversation has older items than these.
    pub more_before: bool,
    /// The conversation has newer items than these.
    pub more_after: bool,
    /// What is being asked for.
    pub loading: Option<EffectId>,
    /// Why the last part could not be had.
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
    /// The width and height that all this was laid out for: columns and rows of the pane.
    pub pane: (u16, u16),
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
}

/// A block that is being written, laid out.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The block.
    pub block: OpenBlock,
    /// Its lines.
    pub laid: Option<Laid>,
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
}
