//! Lists that come from the server, with a selection that stays on its row when the list changes.

use std::fmt::Debug;

use super::super::effect::EffectId;
use crate::{
    api::ApiError,
    core::{SandboxId, SandboxInfo, Version, VersionId},
};

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
pub trait Row {
    /// What the selection stays on.
    type Id: Clone + PartialEq + Debug;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// What a filter looks at: clean text.
    fn text(&self) -> String;
}

impl Row for SandboxInfo {
    type Id = SandboxId;

    fn id(&self) -> SandboxId {
        self.sandbox_id.clone()
    }

    fn text(&self) -> String {
        let line = format!("{} {} {} {}", self.name, self.sandbox_id, self.image, self.status);
        crate::core::text::sanitize_line(&line).as_str().to_owned()
    }
}

impl Row for Version {
    type Id = VersionId;

    fn id(&self) -> VersionId {
        self.version
    }

    fn text(&self) -> String {
        crate::core::text::sanitize_line(&format!("{} {} {}", self.version, self.created_at, self.note))
            .as_str()
            .to_owned()
    }
}

/// A list with its selection and filter.
#[derive(Debug, Clone)]
pub struct Listing<T: Row> {
    /// What the server said.
    pub remote: Remote<Vec<T>>,
    /// The row with the cursor.
    pub cursor: Option<T::Id>,
    /// Rows that fit the filter, by their place in the list, best or newest first, each with the places (in characters
    /// of [`Row::text`]) that fit.
    pub shown: Vec<(usize, Vec<usize>)>,
    /// What is being filtered by.
    pub filter: Option<Filter>,
    /// The first row on the screen, by its place in `shown`.
    pub top: usize,
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
        Self { remote: Remote::NotAsked, cursor: None, shown: Vec::new(), filter: None, top: 0 }
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

    /// The cursor's place among the shown rows.
    pub fn place(&self) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        self.rows().position(|(row, _)| row.id() == *cursor)
    }

    /// The row with the cursor.
    pub fn selected(&self) -> Option<&T> {
        let cursor = self.cursor.as_ref()?;
        self.all().iter().find(|row| row.id() == *cursor)
    }
}
