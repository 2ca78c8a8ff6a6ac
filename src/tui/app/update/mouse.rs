//! Clicks and the wheel, by what is drawn where.

use ratatui::layout::{Position, Rect};

use super::Step;
use crate::tui::app::{
    action::Action,
    event::Mouse,
    layout,
    model::{
        Dialog, Focus, Remote,
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
                Mouse::Click | Mouse::CtrlClick => {
                    self.model.settled = true;
                    self.click_dialog(at);
                }
                Mouse::WheelUp => self.wheel_dialog(false),
                Mouse::WheelDown => self.wheel_dialog(true),
            }
            return;
        }
        match what {
            Mouse::Click | Mouse::CtrlClick => {
                self.model.settled = true;
                self.click(at, what == Mouse::CtrlClick);
            }
            Mouse::WheelUp => self.wheel(at, -NOTCH),
            Mouse::WheelDown => self.wheel(at, NOTCH),
        }
    }

    fn click(&mut self, at: Position, ctrl: bool) {
        let areas = layout::areas(self.model);
        if let Some(tab) = layout::tabs(self.model).into_iter().find(|tab| tab.area.contains(at)) {
            // Who comes to a running sandbox wants to talk to it.
            self.focus(if tab.pane == Focus::Transcript && self.runs() { Focus::Prompt } else { tab.pane });
        } else if areas.sandboxes.contains(at) {
            self.focus(Focus::Sandboxes);
            let rows = layout::list_rows(areas.sandboxes);
            if pick(&mut self.model.sandboxes, rows, at) && (ctrl || marks(rows, at)) {
                self.mark_clicked();
            }
        } else if areas.versions.contains(at) {
            self.focus(Focus::Versions);
            let rows = layout::list_rows(areas.versions);
            if pick(&mut self.model.versions, rows, at) && (ctrl || marks(rows, at)) {
                self.mark_clicked();
            }
        } else if areas.prompt.contains(at) {
            self.focus(Focus::Prompt);
        } else if areas.transcript.contains(at) {
            self.focus(Focus::Transcript);
            if let Some(chat) = self.model.chat_mut() {
                chat.transcript.select_at(at.y - areas.transcript.y);
            }
        } else if areas.status.contains(at)
            && let Some(chat) = self.model.chat_mut()
            // All of the row that says so: its words are small.
            && chat.transcript.new_below() > 0
        {
            chat.transcript.go_bottom();
        }
    }

    /// In a dialog a click goes where it points; on the choice that has the cursor, and on a command, it is Enter.
    fn click_dialog(&mut self, at: Position) {
        let Some(open) = self.model.dialogs.last() else { return };
        let inside = layout::inside(layout::dialog(self.model, open));
        match self.model.dialogs.last_mut() {
            Some(Dialog::Question(question)) => {
                let rows = layout::choices(inside, question);
                if rows.contains(at) {
                    let place = usize::from(at.y - rows.y);
                    if std::mem::replace(&mut question.cursor, place) == place {
                        self.act_in_question(Action::Accept);
                    }
                }
            }
            Some(Dialog::Restore(preview)) => {
                let offered = matches!(&preview.changes, Remote::Ready { data, .. } if !data.is_empty());
                let [cancel, restore] = layout::offers(inside).map(|offer| offer.contains(at));
                if (cancel || (restore && offered)) && std::mem::replace(&mut preview.confirmed, restore) == restore {
                    self.act_in_reader(Action::Accept);
                }
            }
            Some(Dialog::Palette(palette)) => {
                let (rows, first) = layout::palette_rows(inside, palette);
                let place = first + usize::from(at.y.saturating_sub(rows.y));
                if rows.contains(at) && place < palette.found.len() {
                    palette.cursor = place;
                    self.act_in_finder(Action::Accept);
                }
            }
            Some(Dialog::Create(form)) => {
                let field = layout::fields(inside, form).into_iter().find(|(_, row)| row.contains(at));
                form.field = field.map_or(form.field, |(field, _)| field);
            }
            _ => {}
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

/// Puts the cursor on the row that was pointed at. Whether there is one.
fn pick<T: Row>(list: &mut Listing<T>, rows: Rect, at: Position) -> bool {
    let place = list.top + usize::from(at.y.saturating_sub(rows.y));
    let some = rows.contains(at) && place < list.shown.len();
    if some {
        list.go(place);
    }
    some
}

/// The column of the marks was pointed at.
fn marks(rows: Rect, at: Position) -> bool {
    at.x < rows.x + layout::MARKS
}
