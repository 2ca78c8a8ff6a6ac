//! The list of sandboxes: name, what it does, for how long.

use ratatui::layout::Rect;

use super::{
    list::{List, column, from_right},
    paint::{Paint, columns},
    words,
};
use crate::{
    core::{SandboxInfo, SandboxStatus, text::sanitize_line},
    tui::{
        app::{
            Action,
            action::Context,
            layout,
            model::{Focus, Model},
        },
        theme::Part,
    },
};

/// Columns of the state: the longest is `starting`.
const STATE: u16 = 8;

/// The state that most are in.
const RUNNING: &str = "running";

/// Columns of the age: `23h`, `999d`.
const AGE: u16 = 4;

/// From this width on a row says that a sandbox runs; below it a mark does, and the name has the room.
const WITH_RUNNING: u16 = 36;

/// Columns of the image: `python:3.12-slim` and some more.
const IMAGE: u16 = 22;

pub(super) fn draw(paint: &mut Paint<'_>, area: Rect) {
    let model = paint.model;
    let key = |action| paint.key(Context::Sandboxes, action).unwrap_or_default();
    let empty = if model.sandboxes.all().is_empty() {
        ("No sandbox yet.", format!("{} creates a sandbox", key(Action::CreateSandbox)))
    } else {
        let create = key(Action::CreateSandbox);
        ("None is running.", format!("{create} creates one, {} shows those that ended", key(Action::ToggleEnded)))
    };
    let list = List {
        listing: &model.sandboxes,
        context: Context::Sandboxes,
        title: "Sandboxes",
        focused: model.focus == Focus::Sandboxes,
        about: String::new(),
        empty,
    };
    let with_image = area.width >= layout::WIDE_LIST;
    list.draw(paint, area, |paint, at, sandbox, fits| row(paint, at, sandbox, fits, with_image));
}

fn row(paint: &mut Paint<'_>, row: Rect, sandbox: &SandboxInfo, fits: &[usize], with_image: bool) {
    let name = sanitize_line(&sandbox.name);
    let since = sandbox.ended_at.unwrap_or(sandbox.created_at);
    let age = words::age(since, paint.model.now);
    let (state, part) = state(paint.model, sandbox);
    let mut left = from_right(paint, row, &[(age, AGE, Part::Dim)]);
    let style = paint.part(part);
    if row.width < WITH_RUNNING {
        // That it runs is the rule and is worth a column; what else it does has its word.
        let state = if state == RUNNING { paint.marks.runs } else { state };
        let x = left.right().saturating_sub(columns(state));
        paint.text((x, row.y), STATE, state, style);
        left.width = left.width.saturating_sub(columns(state) + 1);
    } else {
        // The state stands in a column of its own: the eye goes down it.
        let x = left.right().saturating_sub(STATE);
        paint.text((x, row.y), STATE, state, style);
        left.width = left.width.saturating_sub(STATE + 1);
    }
    if with_image {
        let image = sanitize_line(&sandbox.image);
        let at = Rect { x: left.right().saturating_sub(IMAGE), width: IMAGE, ..left };
        // The searched text is the name, a blank, the image.
        column(paint, at, image.as_str(), Some(Part::Dim), (fits, name.as_str().chars().count() + 1));
        left.width = left.width.saturating_sub(IMAGE + 1);
    }
    let look = matches!(sandbox.status, SandboxStatus::Terminated).then_some(Part::Ended);
    column(paint, left, name.as_str(), look, (fits, 0));
}

/// What it does, in a word that is told apart by its look too.
fn state(model: &Model, sandbox: &SandboxInfo) -> (&'static str, Part) {
    let works = model.chats.get(&sandbox.sandbox_id).is_some_and(|chat| chat.under_way().next().is_some());
    match sandbox.status {
        SandboxStatus::Running if works => ("working", Part::Accent),
        SandboxStatus::Running => (RUNNING, Part::Running),
        SandboxStatus::Pending => ("starting", Part::Pending),
        SandboxStatus::Terminated => ("ended", Part::Ended),
        SandboxStatus::Error => ("failed", Part::Error),
    }
}
