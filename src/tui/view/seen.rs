//! What is seen of a transcript, from its fields.

use std::ops::Range;

use crate::tui::{
    app::model::{Transcript, transcript::Place},
    text::Line,
};

/// One row on the screen.
pub(super) struct Row<'a> {
    pub line: &'a Line,
    pub cursor: bool,
    pub selected: bool,
}

pub(super) trait Seen {
    fn is_empty(&self) -> bool;
    fn is_loading(&self) -> bool;
    fn visible(&self) -> impl Iterator<Item = Row<'_>>;
    fn matches(&self, line: &Line) -> Vec<Range<usize>>;
}

pub(super) trait Text {
    fn text(&self) -> String;
}

impl Text for Line {
    fn text(&self) -> String {
        self.spans.iter().map(|span| span.text()).collect()
    }
}

impl Seen for Transcript {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.open.is_empty()
    }

    fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    fn visible(&self) -> impl Iterator<Item = Row<'_>> {
        let Place { entry: first, row } = self.top;
        self.entries.iter().enumerate().skip(first).flat_map(move |(n, entry)| {
            let lines = entry.laid.as_ref().map_or(&[][..], |laid| &laid.lines);
            let cursor = self.cursor.as_deref() == Some(entry.item.item.key.as_str());
            let skip = if n == first { row } else { 0 };
            lines.iter().skip(skip).map(move |line| Row { line, cursor, selected: cursor })
        })
    }

    fn matches(&self, _line: &Line) -> Vec<Range<usize>> {
        Vec::new()
    }
}
