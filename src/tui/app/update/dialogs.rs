//! What lies over the panes: opening, closing, and moving in it.

use super::{
    Step, Tone,
    lists::{edit_line, rows},
    tasks::progress_of,
};
use crate::{
    api::{ApiError, ErrorCode},
    core::{RequestId, text::sanitize_line},
    tui::{
        app::{
            action::Action,
            layout,
            model::{
                Asked, Dialog, Remote,
                dialog::{Field, Question, Reader},
            },
            reader,
        },
        key::Key,
    },
};

/// Dialogs that only one of can be open: a text to read, the palette, or a piece of work.
#[derive(PartialEq, Eq)]
enum Kind {
    Work,
    Text,
    Palette,
}

fn kind(dialog: &Dialog) -> Kind {
    match dialog {
        Dialog::Create(_) | Dialog::Question(_) | Dialog::Restore(_) => Kind::Work,
        Dialog::Help(_) | Dialog::Toasts(_) | Dialog::Progress { .. } => Kind::Text,
        Dialog::Palette(_) => Kind::Palette,
    }
}

impl Step<'_> {
    /// Opens a dialog in the place of one of its kind, so that a few presses of Esc close all.
    pub(super) fn open(&mut self, dialog: Dialog) {
        for replaced in self.model.dialogs.extract_if(.., |open| kind(open) == kind(&dialog)) {
            if let Dialog::Create(form) = replaced {
                self.model.kept_form = Some(form);
            }
        }
        self.model.dialogs.push(dialog);
        self.forget_previews();
        self.forget_tasks();
    }

    pub(super) fn open_progress(&mut self, request: RequestId) {
        self.open(Dialog::Progress { request, reader: Reader { follow: true, ..Reader::default() } });
    }

    /// Shows what is being done: the newest command, our own first.
    pub(super) fn show_progress(&mut self) {
        let tasks = self.model.tasks.all.iter().filter(|(_, task)| !task.converses());
        let newest = tasks.max_by_key(|(_, task)| (task.end.is_none(), task.ours, task.number));
        match newest.map(|(request, _)| *request) {
            Some(request) => self.open_progress(request),
            None => self.say(Tone::Note, "Nothing is being done", ""),
        }
    }

    /// What is done is no news behind its own dialog.
    pub(super) fn close_progress(&mut self, request: RequestId) {
        self.model.dialogs.retain(|dialog| progress_of(dialog) != Some(request));
        self.forget_tasks();
    }

    /// Closes the top dialog, or the line in it. Whether there was one.
    pub(super) fn close_top(&mut self) -> bool {
        if let Some(reader) = self.reader()
            && std::mem::take(&mut reader.typing)
        {
            reader.filter.clear();
            return true;
        }
        let closed = self.model.dialogs.pop();
        let failed = closed.as_ref().and_then(progress_of).and_then(|request| self.failed_creation(request));
        self.forget_previews();
        self.forget_tasks();
        let some = closed.is_some();
        if let Some(Dialog::Create(form)) = closed {
            self.model.kept_form = Some(form);
        }
        // Whoever has read why goes back to what they asked for.
        if let Some(error) = failed {
            self.open_create("");
            if error.code == ErrorCode::Conflict
                && let Some(Dialog::Create(form)) = self.model.dialogs.last_mut()
            {
                form.problems = vec![(Field::Name, sanitize_line(&error.message).as_str().to_owned())];
                form.field = Field::Name;
            }
        }
        some
    }

    /// Takes the filter of the text on top away, as Esc does in a list. Whether there was one.
    pub(super) fn drop_reader_filter(&mut self) -> bool {
        let Some(reader) = self.reader() else { return false };
        let had = std::mem::take(&mut reader.typing) || !reader.filter.is_empty();
        reader.filter.clear();
        had
    }

    /// Why a sandbox that was asked for here didn't come, while its form is kept.
    fn failed_creation(&self, request: RequestId) -> Option<ApiError> {
        let task = self.model.tasks.all.get(&request).filter(|task| task.ours && task.kind == "sandbox_create")?;
        let error = task.end.as_ref()?.as_ref().err()?;
        (self.model.kept_form.is_some() && error.code != ErrorCode::Interrupted).then(|| error.clone())
    }

    /// A preview that nobody looks at any more needs no answer.
    fn forget_previews(&mut self) {
        let shown = self.model.dialogs.iter().filter_map(|dialog| match dialog {
            Dialog::Restore(open) => match open.changes {
                Remote::Loading { id } => Some(id),
                _ => None,
            },
            _ => None,
        });
        let shown: Vec<_> = shown.collect();
        self.model.asked.retain(|id, asked| !matches!(asked, Asked::Preview(..)) || shown.contains(id));
    }

    fn question(&mut self) -> Option<&mut Question> {
        match self.model.dialogs.last_mut() {
            Some(Dialog::Question(question)) => Some(question),
            _ => None,
        }
    }

    pub(super) fn act_in_question(&mut self, action: Action) {
        let Some(question) = self.question() else { return };
        let last = question.choices.len().saturating_sub(1);
        match action {
            Action::Up => question.cursor = question.cursor.saturating_sub(1),
            Action::Down => question.cursor = (question.cursor + 1).min(last),
            Action::Accept => {
                let place = question.cursor;
                self.choose_at(place);
            }
            // The first is the safe one, the second does what was asked for.
            Action::No => self.choose_at(0),
            Action::Yes => self.choose_at(1),
            other => self.act_over_dialog(other),
        }
    }

    fn choose_at(&mut self, place: usize) {
        let Some(choice) = self.question().and_then(|question| question.choices.get(place).cloned()) else { return };
        self.close_top();
        self.choose(choice.then);
    }

    /// A choice's letter. Whether it was one.
    pub(super) fn chose(&mut self, key: Key) -> bool {
        let Some(c) = key.typed() else { return false };
        let place = self.question().and_then(|question| question.choices.iter().position(|choice| choice.key == c));
        if let Some(place) = place {
            self.choose_at(place);
        }
        place.is_some()
    }

    fn reader(&mut self) -> Option<&mut Reader> {
        self.model.dialogs.last_mut()?.reader_mut()
    }

    pub(super) fn act_in_reader(&mut self, action: Action) {
        let Some(dialog) = self.model.dialogs.last() else { return };
        let height = usize::from(layout::reader_rows(self.model, dialog).height);
        if let Some(rows) = rows(action, height) {
            return self.scroll_reader(rows);
        }
        match (action, self.model.dialogs.last_mut()) {
            (Action::Accept, _) => self.accept_reader(),
            (Action::NextField | Action::PreviousField, Some(Dialog::Restore(open))) => {
                open.confirmed = !open.confirmed;
            }
            (Action::Filter, Some(open)) => {
                if let Some(reader) = open.reader_mut() {
                    reader.typing = true;
                }
            }
            (other, _) => self.act_over_dialog(other),
        }
    }

    pub(super) fn scroll_reader(&mut self, rows: isize) {
        let Some(dialog) = self.model.dialogs.last() else { return };
        let rows_seen = layout::reader_rows(self.model, dialog);
        let last = reader::len(self.model, dialog, rows_seen.width).saturating_sub(usize::from(rows_seen.height));
        let Some(reader) = self.reader() else { return };
        let top = if reader.follow { last } else { reader.top };
        reader.top = top.saturating_add_signed(rows).min(last);
        reader.follow = rows > 0 && reader.top == last;
    }

    fn accept_reader(&mut self) {
        match self.model.dialogs.last() {
            Some(Dialog::Restore(_)) => self.accept_restore(),
            Some(_) => drop(self.close_top()),
            None => {}
        }
    }

    pub(super) fn type_in_reader(&mut self, key: Key) {
        if let Some(reader) = self.reader()
            && edit_line(&mut reader.filter, key)
        {
            reader.top = 0;
        }
    }

    /// In a reader's filter: moves scroll what fits, Enter leaves the line.
    pub(super) fn act_in_reader_filter(&mut self, action: Action) {
        match action {
            Action::Accept => {
                if let Some(reader) = self.reader() {
                    reader.typing = false;
                }
            }
            other => self.act_in_reader(other),
        }
    }

    /// The wheel over an open dialog.
    pub(super) fn wheel_dialog(&mut self, down: bool) {
        let key = if down { Action::Down } else { Action::Up };
        match self.model.dialogs.last() {
            Some(Dialog::Palette(_)) => self.act_in_finder(key),
            Some(_) => self.scroll_reader(if down { 3 } else { -3 }),
            None => {}
        }
    }
}
