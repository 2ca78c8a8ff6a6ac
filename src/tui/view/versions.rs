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
        app::{Action, action::Context, model::Focus},
        theme::Part,
    },
};

/// Columns of the time, and one more: `Nov 26`, `2025-11`.
const WHEN: u16 = 8;

/// Columns of a note that are left when its size is said too: two words.
const NOTE: u16 = 10;

/// From this width on there is room for note, files, bytes and age.
const WITH_ALL: u16 = 56;

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect) {
    let model = paint.model;
    let selected = model.version().filter(|_| area.width < WITH_ALL);
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
    list.draw(paint, area, row);
}

fn row(paint: &mut Paint<'_>, row: Rect, version: &Version, fits: &[usize]) {
    let model = paint.model;
    let when = words::when(version.created_at, model.now, &model.place.zone);
    let style = paint.part(Part::Dim);
    paint.text((row.x, row.y), WHEN - 1, &when, style);
    let rest = Rect { x: row.x + WHEN, width: row.width.saturating_sub(WHEN), ..row };
    let (size, files) = figures(version);
    let note = sanitize_line(&version.note);
    // The searched text begins with seconds and time.
    let before = format!("{} {} ", version.version, version.created_at).chars().count();
    let (remark, part) = remark(version);
    if row.width < WITH_ALL {
        let rest = if remark.is_empty() {
            rest
        } else {
            from_right(paint, rest, &[(remark.to_owned(), columns(remark), part)])
        };
        if note.as_str().is_empty() {
            let what = format!("{files} {size}");
            column(paint, rest, &what, Some(Part::Dim), (&[], 0));
        } else {
            let room = rest.width >= NOTE + 8;
            let wide = columns(&size);
            let rest = if room { from_right(paint, rest, &[(size, wide, Part::Dim)]) } else { rest };
            column(paint, rest, note.as_str(), None, (fits, before));
        }
        return;
    }
    let age = words::age(version.created_at, model.now);
    let texts = [(age, 5, Part::Dim), (size, 7, Part::Dim), (files, 13, Part::Dim), (remark.to_owned(), 7, part)];
    let rest = from_right(paint, rest, &texts);
    column(paint, rest, note.as_str(), None, (fits, before));
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
