//! The list of versions: when, why, how much.

use jiff::Timestamp;
use ratatui::layout::Rect;

use super::{
    list::{List, column, from_right},
    paint::{Paint, columns},
    words,
};
use crate::{
    core::{Version, figures, text::sanitize_line},
    tui::{
        app::{
            Action,
            action::Context,
            layout,
            model::{Focus, Model, list::Row as _},
        },
        theme::Part,
    },
};

/// Columns of the time: `Nov 26`, `2025-11`.
const WHEN: u16 = 7;

/// Columns of a time of today with its seconds.
const SECONDS: u16 = 8;

/// Columns of a note that are left when something else is said too: two words.
const NOTE: u16 = 9;

/// Columns of bytes: `4.2 MB`, `999 kB`.
const SIZE: u16 = 7;

/// Columns of files: `128 files`, `10000 files`.
const FILES: u16 = 11;

/// Columns of what is to be known before a restore.
const REMARK: u16 = 7;

/// From this width on there is room for the files beside a note too.
const WITH_FILES: u16 = 40;

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect) {
    let model = paint.model;
    let wide = area.width >= layout::WIDE_LIST;
    let selected = model.version().filter(|_| !wide);
    let about = selected.map(|version| about(version, model.now)).unwrap_or_default();
    let save = paint.key(Context::Sandboxes, Action::Save).unwrap_or_default();
    let list = List {
        listing: &model.versions,
        context: Context::Versions,
        title: "Versions",
        focused: model.focus == Focus::Versions,
        about,
        empty: ("No version yet.", format!("{save} saves the workspace")),
    };
    let height = usize::from(layout::list_rows(area).height);
    let labels: Vec<_> = list.visible(height).map(|version| label(model, version, wide)).collect();
    let when = labels.iter().map(|label| columns(label)).max().unwrap_or(0).max(WHEN);
    let mut labels = labels.into_iter();
    list.draw(paint, area, |paint, at, version, fits| {
        let label = labels.next().unwrap_or_default();
        row(paint, at, version, fits, (&label, when, wide));
    });
}

fn row(paint: &mut Paint<'_>, row: Rect, version: &Version, fits: &[usize], (label, when, wide): (&str, u16, bool)) {
    let model = paint.model;
    let style = paint.part(Part::Dim);
    paint.text((row.x, row.y), when, label, style);
    let rest = Rect { x: row.x + when + 1, width: row.width.saturating_sub(when + 1), ..row };
    let (size, files) = figures(version);
    let note = sanitize_line(&version.note);
    let (remark, part) = remark(version);
    let (size, files) = ((size, SIZE, Part::Dim), (files, FILES, Part::Dim));
    let remark = (remark.to_owned(), REMARK, part);
    // The same columns in every row; only a remark, which few have, makes room for itself or takes the size's.
    let texts = if wide {
        let age = words::age(version.created_at, model.now);
        vec![(age, 5, Part::Dim), size, files, remark]
    } else if row.width >= WITH_FILES {
        if remark.0.is_empty() { vec![size, files] } else { vec![size, files, remark] }
    } else {
        // Where only one of them has room, files stand in the place of a note that isn't there.
        let texts = match (remark.0.is_empty(), rest.width > NOTE + SIZE) {
            (false, _) => vec![remark],
            (true, true) => vec![size],
            (true, false) => Vec::new(),
        };
        let rest = from_right(paint, rest, &texts);
        match note.as_str() {
            "" => column(paint, rest, &files.0, Some(Part::Dim), (&[], 0)),
            note => column(paint, rest, note, None, (fits, 0)),
        };
        return;
    };
    let rest = from_right(paint, rest, &texts);
    column(paint, rest, note.as_str(), None, (fits, 0));
}

/// When, in as many words as tell it from its neighbours.
fn label(model: &Model, version: &Version, wide: bool) -> String {
    let zone = &model.place.zone;
    let short = |of: &Version| words::when(of.created_at, model.now, zone);
    let said = short(version);
    let all = model.versions.all();
    let place = all.partition_point(|other| other.order(version).is_lt());
    let neighbours = [place.checked_sub(1), Some(place + 1)].into_iter().flatten();
    if !neighbours.filter_map(|place| all.get(place)).any(|other| short(other) == said) {
        return said;
    }
    let exactly = words::exactly(version.created_at, model.now, zone);
    // A day with its time is too long beside a chat: the title has the selected one's age.
    if wide || columns(&exactly) <= SECONDS { exactly } else { said }
}

/// Bytes and files in words. Of another tool's version nothing is known before it is listed in full.
fn figures(version: &Version) -> (String, String) {
    match (version.files, version.legacy) {
        (0, true) => (String::new(), String::new()),
        (files, _) => (figures::size(version.bytes), figures::count(files, "file", "files")),
    }
}

/// Files and age, where rows have no room for them.
fn about(version: &Version, now: Timestamp) -> String {
    let (_, files) = figures(version);
    let age = words::age(version.created_at, now);
    if files.is_empty() { age } else { format!("{files}, {age}") }
}

/// What is to be known before it is restored.
fn remark(version: &Version) -> (&'static str, Part) {
    if version.legacy {
        ("legacy", Part::Dim)
    } else if !version.complete || version.left_out > 0 {
        ("partial", Part::Warning)
    } else {
        ("", Part::Dim)
    }
}
