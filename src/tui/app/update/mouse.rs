//! Clicks and the wheel, by what is drawn where.

use ratatui::layout::{Position, Rect};

use super::Step;
use crate::tui::app::{
    event::Mouse,
    layout,
    model::{
        Focus,
        list::{Listing, Row},
    },
};

/// Rows of one notch.
const NOTCH: isize = 3;

impl Step<'_> {
    pub(super) fn mouse(&mut self, what: Mouse, column: u16, row: u16) {
        if !self.model.mouse {
            return;
        }
        let at = Position::new(column, row);
        if !self.model.dialogs.is_empty() {
            match what {
                Mouse::Click => {}
                Mouse::WheelUp => self.wheel_dialog(false),
                Mouse::WheelDown => self.wheel_dialog(true),
            }
            return;
        }
        match what {
            Mouse::Click => {
                self.model.settled = true;
                self.click(at);
            }
            Mouse::WheelUp => self.wheel(at, -NOTCH),
            Mouse::WheelDown => self.wheel(at, NOTCH),
        }
    }

    fn click(&mut self, at: Position) {
        let areas = layout::areas(self.model);
        if areas.sandboxes.contains(at) {
            self.focus(Focus::Sandboxes);
            pick(&mut self.model.sandboxes, layout::list_rows(areas.sandboxes), at);
        } else if areas.versions.contains(at) {
            self.focus(Focus::Versions);
            pick(&mut self.model.versions, layout::list_rows(areas.versions), at);
        } else if areas.prompt.contains(at) {
            self.focus(Focus::Prompt);
        } else if areas.transcript.contains(at) {
            self.focus(Focus::Transcript);
            if let Some(chat) = self.model.chat_mut() {
                chat.transcript.select_at(at.y - areas.transcript.y);
            }
        }
    }

    fn wheel(&mut self, at: Position, rows: isize) {
        let areas = layout::areas(self.model);
        if areas.sandboxes.contains(at) {
            self.model.sandboxes.step(rows.signum());
        } else if areas.versions.contains(at) {
            self.model.versions.step(rows.signum());
        } else if let Some(chat) = self.model.chat_mut() {
            chat.transcript.scroll(rows);
        }
    }
}

fn pick<T: Row>(list: &mut Listing<T>, rows: Rect, at: Position) {
    let place = list.top + usize::from(at.y.saturating_sub(rows.y));
    if rows.contains(at) && place < list.shown.len() {
        list.go(place);
    }
}
