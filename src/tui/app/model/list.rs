//! Lists that come from the server, with a selection that stays on its row when the list changes.

mod marks;
mod rows;

use std::{cmp::Ordering, collections::BTreeSet, fmt::Debug};

use self::rows::SortKey;
use super::super::{effect::EffectId, fuzzy::fuzzy};
use crate::api::ApiError;

/// Characters from which on an id finds its row: fewer of them fit half the rows, and nobody sees why.
const MIN_HANDLE: usize = 4;

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote<T> {
    /// Not asked for yet.
    NotAsked,
    /// Asked for the first time.
    Loading {
        /// By this order; another's answer is too old.
        id: EffectId,
    },
    /// There.
    Ready {
        /// What came.
        data: T,
        /// It is being asked for again.
        refreshing: Option<EffectId>,
    },
    /// Can't be had.
    Failed {
        /// Why.
        error: ApiError,
        /// What was there before.
        last: Option<T>,
    },
}

/// A row of a list.
pub trait Row: Clone + 'static {
    /// What the selection stays on.
    type Id: Clone + Ord + Debug;

    /// Orders that a person may choose beside the list's own.
    const SORTS: &'static [Sort<Self>];

    /// The cursor stays on the newest row while it is there.
    const FOLLOWS: bool;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// What a filter looks at: clean text, no more of it than is shown. On a `wide` list that is more.
    fn text(&self, wide: bool) -> String;

    /// What finds a row although it isn't shown, when it begins with at least [`MIN_HANDLE`] typed characters.
    fn handles(&self) -> Vec<String>;

    /// There is something that can be done to several of its kind.
    fn can_be_marked(&self) -> bool;

    /// The list's order: newest first.
    fn order(&self, other: &Self) -> Ordering;
}

/// An order of a list; what is the same in it is newest first.
#[derive(Debug)]
pub struct Sort<T> {
    /// By what, for the title.
    pub by: &'static str,
    /// What it compares.
    key: fn(&T) -> SortKey,
}

/// A list with its selection and filter.
#[derive(Debug, Clone)]
pub struct Listing<T: Row> {
    /// What the server said.
    pub remote: Remote<Vec<T>>,
    /// The row with the cursor.
    pub cursor: Option<T::Id>,
    /// Rows that the next action is for, by their ids: whatever is sorted, filtered or asked for again, a mark stays on
    /// its row, and goes with it.
    pub marks: BTreeSet<T::Id>,
    /// How many of them are shown.
    marked_shown: usize,
    /// Which of them came last: where a range begins.
    marked_last: Option<T::Id>,
    /// Rows that fit the filter, by their place in the list, best first or in their order, each with the places (in
    /// characters of [`Row::text`]) that fit.
    pub shown: Vec<(usize, Vec<usize>)>,
    /// What is being filtered by.
    pub filter: Option<Filter>,
    /// The order that was chosen; without one, newest first.
    pub sort: Option<&'static Sort<T>>,
    /// The first row on the screen, by its place in `shown`.
    pub top: usize,
    /// How many rows there are without the filter.
    pub kept: usize,
    /// Where the cursor was before the filter's line had the keys: there it is again when the filter is given up.
    pub(in crate::tui::app) before: Option<T::Id>,
    /// Rows show all their columns, and a filter looks at all.
    wide: bool,
    /// Where the cursor was found last: a hint, so that finding it doesn't walk ten thousand rows for each key.
    pub at: usize,
    /// What a filter looks at, row by row; made when it is first needed.
    pub(super) texts: Vec<String>,
    /// Rows that the event stream brought while the list was being asked for: the answer may be older than they are.
    fresh: Vec<T>,
}

/// A filter's line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// What was typed.
    pub text: String,
    /// The line has the keys; else the filter only holds.
    pub typing: bool,
}

impl<T: Row> Default for Listing<T> {
    fn default() -> Self {
        Self {
            remote: Remote::NotAsked,
            cursor: None,
            marks: BTreeSet::new(),
            marked_shown: 0,
            marked_last: None,
            shown: Vec::new(),
            filter: None,
            sort: None,
            top: 0,
            kept: 0,
            before: None,
            wide: false,
            at: 0,
            texts: Vec::new(),
            fresh: Vec::new(),
        }
    }
}

impl<T: Row> Listing<T> {
    /// All rows, also those that the filter hides; the last known ones when they can't be asked for.
    pub fn all(&self) -> &[T] {
        match &self.remote {
            Remote::Ready { data, .. } | Remote::Failed { last: Some(data), .. } => data,
            _ => &[],
        }
    }

    /// Rows that are shown, in their order.
    pub fn rows(&self) -> impl Iterator<Item = (&T, &[usize])> {
        self.shown.iter().filter_map(|(place, fits)| Some((self.all().get(*place)?, fits.as_slice())))
    }

    /// A shown row by its place.
    pub fn row(&self, place: usize) -> Option<&T> {
        self.all().get(self.shown.get(place)?.0)
    }

    /// The cursor's place among the shown rows.
    pub fn place(&self) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        if self.row(self.at).is_some_and(|row| row.id() == *cursor) {
            return Some(self.at);
        }
        self.rows().position(|(row, _)| row.id() == *cursor)
    }

    /// The row with the cursor. It stays when the filter hides it.
    pub fn selected(&self) -> Option<&T> {
        let cursor = self.cursor.as_ref()?;
        match self.row(self.at) {
            Some(row) if row.id() == *cursor => Some(row),
            _ => self.all().iter().find(|row| row.id() == *cursor),
        }
    }

    /// Puts the cursor on a shown row, or on the last one.
    pub fn go(&mut self, place: usize) {
        let place = place.min(self.shown.len().saturating_sub(1));
        if let Some(id) = self.row(place).map(Row::id) {
            self.cursor = Some(id);
            self.at = place;
        }
    }

    /// Moves the cursor over shown rows.
    pub fn step(&mut self, rows: isize) {
        self.go(self.place().map_or(0, |place| place.saturating_add_signed(rows)));
    }

    /// Scrolls as little as needed to see the cursor in so many rows.
    pub fn reveal(&mut self, height: usize) {
        let place = self.place().unwrap_or(0);
        let last = self.shown.len().saturating_sub(height.max(1));
        self.top = self.top.min(place).max((place + 1).saturating_sub(height.max(1))).min(last.max(place.min(last)));
    }

    /// Takes what was asked for, in the order of [`Row::order`].
    pub fn set(&mut self, mut rows: Vec<T>, keep: impl Fn(&T) -> bool) {
        rows.sort_by(Row::order);
        for row in std::mem::take(&mut self.fresh) {
            put(&mut rows, row);
        }
        let follows = self.follows();
        self.remote = Remote::Ready { data: rows, refreshing: None };
        self.changed(follows, keep);
    }

    /// Takes a row that is new or changed.
    pub fn put(&mut self, row: T, keep: impl Fn(&T) -> bool) {
        if matches!(self.remote, Remote::Loading { .. } | Remote::Ready { refreshing: Some(_), .. }) {
            self.fresh.push(row.clone());
        }
        let follows = self.follows();
        if let Remote::Ready { data, .. } | Remote::Failed { last: Some(data), .. } = &mut self.remote {
            put(data, row);
            self.changed(follows, keep);
        }
    }

    /// The cursor goes to a newer row when one comes: it is on the newest, and nobody ordered or searched.
    fn follows(&self) -> bool {
        let newest = self.all().first().map(Row::id);
        T::FOLLOWS && self.sort.is_none() && self.filter.is_none() && newest == self.cursor
    }

    fn changed(&mut self, follows: bool, keep: impl Fn(&T) -> bool) {
        self.texts.clear();
        self.forget_marks();
        if follows {
            self.cursor = self.all().first().map(Row::id);
        }
        self.show(keep);
    }

    /// Finds anew which rows are shown: those to keep that fit the filter. The cursor stays on its row; when that is
    /// gone, on its place.
    pub fn show(&mut self, keep: impl Fn(&T) -> bool) {
        let place = self.place();
        let needle = self.filter.as_ref().map_or("", |filter| filter.text.as_str());
        let kept = self.all().iter().enumerate().filter(|(_, row)| keep(row));
        let mut kept: Vec<_> = kept.map(|(place, _)| (place, Vec::new())).collect();
        self.kept = kept.len();
        let shown = if needle.is_empty() {
            if let Some(sort) = self.sort {
                kept.sort_by_cached_key(|(place, _)| self.all().get(*place).map(sort.key));
            }
            kept
        } else {
            if self.texts.len() != self.all().len() {
                self.texts = self.all().iter().map(|row| row.text(self.wide)).collect();
            }
            let mut fits = fuzzy(needle, &self.texts);
            fits.extend(self.handled(needle));
            let mut seen = BTreeSet::new();
            fits.retain(|(place, _)| self.all().get(*place).is_some_and(&keep) && seen.insert(*place));
            fits
        };
        self.shown = shown;
        self.count_marks();
        match self.place() {
            Some(place) => self.at = place,
            // A filter that fits nothing takes nothing away: the cursor's row comes back with it.
            None if self.shown.is_empty() && self.selected().is_some_and(&keep) => {}
            None if self.shown.is_empty() => self.cursor = None,
            None => self.go(place.unwrap_or(0)),
        }
    }

    /// Rows whose id begins with what was typed.
    fn handled(&self, needle: &str) -> Vec<(usize, Vec<usize>)> {
        if needle.chars().count() < MIN_HANDLE {
            return Vec::new();
        }
        let begins = |handle: &String| {
            handle.get(..needle.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(needle))
        };
        let found = self.all().iter().enumerate().filter(|(_, row)| row.handles().iter().any(begins));
        found.map(|(place, _)| (place, Vec::new())).collect()
    }

    /// Puts the cursor where it was before the filter, if that row is still there.
    pub(in crate::tui::app) fn go_back(&mut self) {
        let place = self.rows().position(|(row, _)| self.before == Some(row.id()));
        if let Some(place) = place {
            self.go(place);
        }
    }

    /// How wide the list is drawn: a filter finds what is seen.
    pub(in crate::tui::app) fn drawn(&mut self, wide: bool, keep: impl Fn(&T) -> bool) {
        if self.wide != wide {
            self.wide = wide;
            self.texts.clear();
            if self.filter.is_some() {
                self.show(keep);
            }
        }
    }

    /// Chooses the next order, round to the list's own.
    pub fn sort_next(&mut self) {
        let next = match self.sort {
            None => 0,
            Some(sort) => 1 + T::SORTS.iter().position(|known| known.by == sort.by).unwrap_or(T::SORTS.len()),
        };
        self.sort = T::SORTS.get(next);
    }

    /// It is being asked for by this order.
    pub fn asking(&mut self, id: EffectId) {
        self.fresh.clear();
        self.remote = match std::mem::replace(&mut self.remote, Remote::NotAsked) {
            Remote::Ready { data, .. } | Remote::Failed { last: Some(data), .. } => {
                Remote::Ready { data, refreshing: Some(id) }
            }
            _ => Remote::Loading { id },
        };
    }

    /// It could not be had.
    pub fn fail(&mut self, error: ApiError) {
        let last = match std::mem::replace(&mut self.remote, Remote::NotAsked) {
            Remote::Ready { data, .. } => Some(data),
            Remote::Failed { last, .. } => last,
            _ => None,
        };
        self.remote = Remote::Failed { error, last };
    }
}

/// Puts a row in the place of its older state, or where it belongs.
fn put<T: Row>(rows: &mut Vec<T>, row: T) {
    let id = row.id();
    match rows.iter_mut().find(|known| known.id() == id) {
        Some(known) => *known = row,
        None => {
            let at = rows.partition_point(|other| other.order(&row) == Ordering::Less);
            rows.insert(at, row);
        }
    }
}
