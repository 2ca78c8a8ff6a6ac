//! The two lists: moving, filtering, opening.

use super::Step;
use crate::{
    core::{SandboxId, SandboxInfo, Version},
    tui::{
        app::{
            action::Action,
            layout,
            model::{Focus, list::Filter},
        },
        key::{Code, Key},
    },
};

/// Whether a sandbox is in the list.
pub(super) fn kept(show_ended: bool) -> impl Fn(&SandboxInfo) -> bool + Copy {
    move |sandbox| show_ended || !sandbox.status.is_over()
}

/// All versions are in their list.
pub(super) fn every(_: &Version) -> bool {
    true
}

/// The list that has the focus, with something done to it that is the same for both.
macro_rules! focused {
    ($self:ident, $list:ident => $body:expr) => {
        match $self.model.focus {
            Focus::Versions => {
                let $list = &mut $self.model.versions;
                $body
            }
            _ => {
                let $list = &mut $self.model.sandboxes;
                $body
            }
        }
    };
}
pub(super) use focused;

impl Step<'_> {
    pub(super) fn act_in_list(&mut self, action: Action) {
        match (action, rows(action, self.list_height())) {
            (_, Some(rows)) => self.move_in_list(rows),
            (Action::Open, _) => self.open_selected(),
            (Action::Filter, _) => self.begin_filter(),
            (other, _) => self.act_anywhere(other),
        }
    }

    pub(super) fn move_in_list(&mut self, rows: isize) {
        focused!(self, list => list.step(rows));
    }

    fn open_selected(&mut self) {
        match self.model.focus {
            Focus::Versions => self.restore_selected(),
            _ if self.model.sandbox().is_none() => self.open_create(""),
            _ if self.runs() => self.focus(Focus::Prompt),
            _ => self.focus(Focus::Transcript),
        }
    }

    pub(super) fn begin_filter(&mut self) {
        self.focus_list();
        focused!(self, list => {
            if list.filter.as_ref().is_none_or(|filter| !filter.typing) {
                list.before.clone_from(&list.cursor);
            }
            list.filter.get_or_insert_with(Filter::default).typing = true;
        });
    }

    /// A list has the keys: that of sandboxes, if none had them.
    pub(super) fn focus_list(&mut self) {
        if !matches!(self.model.focus, Focus::Sandboxes | Focus::Versions) {
            self.focus(Focus::Sandboxes);
        }
    }

    /// A key in a filter's line.
    pub(super) fn type_in_filter(&mut self, key: Key) {
        let changed = focused!(self, list => {
            list.filter.as_mut().is_some_and(|filter| edit_line(&mut filter.text, key))
        });
        if changed {
            self.refilter();
        }
    }

    /// The filter holds, and the list has the keys again; an empty one is none.
    pub(super) fn end_filter(&mut self) {
        focused!(self, list => {
            list.before = None;
            match &mut list.filter {
                Some(filter) if !filter.text.is_empty() => filter.typing = false,
                filter => *filter = None,
            }
        });
    }

    /// Takes the focused list's filter away. Whether there was one. What was looked at before its line had the keys is
    /// selected again: Esc never leaves another one under the next key.
    pub(super) fn drop_filter(&mut self) -> bool {
        if !matches!(self.model.focus, Focus::Sandboxes | Focus::Versions) {
            return false;
        }
        let had = focused!(self, list => list.filter.take().is_some());
        if had {
            self.reshow();
            focused!(self, list => {
                list.go_back();
                list.before = None;
            });
        }
        had
    }

    fn reshow(&mut self) {
        let kept = kept(self.model.show_ended);
        match self.model.focus {
            Focus::Versions => self.model.versions.show(every),
            _ => self.model.sandboxes.show(kept),
        }
    }

    /// What was typed changed: the best row has the cursor; of an empty line, the row from before.
    fn refilter(&mut self) {
        self.reshow();
        focused!(self, list => {
            list.go(0);
            if list.filter.as_ref().is_none_or(|filter| filter.text.is_empty()) {
                list.go_back();
            }
        });
    }

    /// Another order. The cursor stays on its row.
    pub(super) fn sort(&mut self) {
        focused!(self, list => list.sort_next());
        self.reshow();
    }

    pub(super) fn toggle_ended(&mut self) {
        self.model.show_ended = !self.model.show_ended;
        self.model.sandboxes.show(kept(self.model.show_ended));
    }

    /// Puts the cursor on a sandbox, and takes away what would hide it.
    pub(super) fn select(&mut self, id: &SandboxId) {
        let Some(sandbox) = self.model.sandbox_by_id(id) else { return };
        self.model.show_ended |= sandbox.status.is_over();
        (self.model.sandboxes.filter, self.model.sandboxes.before) = (None, None);
        self.model.sandboxes.cursor = Some(id.clone());
        self.model.sandboxes.show(kept(self.model.show_ended));
    }

    /// Scrolls both lists to their cursors.
    pub(super) fn settle_lists(&mut self) {
        let areas = layout::areas(self.model);
        // A list that isn't drawn keeps what it shows.
        if areas.sandboxes.width > 0 {
            self.model.sandboxes.drawn(areas.sandboxes.width >= layout::WIDE_LIST, kept(self.model.show_ended));
        }
        let (sandboxes, versions) = (layout::list_rows(areas.sandboxes), layout::list_rows(areas.versions));
        self.model.sandboxes.reveal(usize::from(sandboxes.height));
        self.model.versions.reveal(usize::from(versions.height));
    }

    fn list_height(&self) -> usize {
        let areas = layout::areas(self.model);
        let area = if self.model.focus == Focus::Versions { areas.versions } else { areas.sandboxes };
        usize::from(layout::list_rows(area).height)
    }
}

/// How far an action moves in what shows `height` rows; nothing when it is no move.
pub(super) fn rows(action: Action, height: usize) -> Option<isize> {
    let page = isize::try_from(height.max(1)).unwrap_or(1);
    Some(match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::HalfPageUp => -(page / 2).max(1),
        Action::HalfPageDown => (page / 2).max(1),
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::Top => isize::MIN,
        Action::Bottom => isize::MAX,
        _ => return None,
    })
}

/// Whether an action is a move.
pub(super) fn moves(action: Action) -> bool {
    rows(action, 1).is_some()
}

/// Edits a line at its end. Whether it changed.
pub(super) fn edit_line(text: &mut String, key: Key) -> bool {
    use unicode_segmentation::UnicodeSegmentation;
    match key.code {
        Code::Char('u') if key.ctrl => {
            text.clear();
            true
        }
        Code::Char('w') if key.ctrl => {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
            true
        }
        Code::Backspace => {
            let last = text.grapheme_indices(true).next_back().map(|(at, _)| at);
            text.truncate(last.unwrap_or(0));
            last.is_some()
        }
        _ => match key.typed() {
            Some(c) => {
                text.push(c);
                true
            }
            None => false,
        },
    }
}
