//! Finding by a few letters: filters, the search's line, the palette.

use super::{
    Step,
    lists::{edit_line, moves},
};
use crate::tui::{
    app::{
        action::Action,
        fuzzy::fuzzy,
        model::{Dialog, Focus, dialog::Palette},
    },
    key::Key,
};

impl Step<'_> {
    pub(super) fn act_in_finder(&mut self, action: Action) {
        match self.model.dialogs.last() {
            Some(Dialog::Palette(_)) => return self.act_in_palette(action),
            Some(_) => return self.act_in_reader_filter(action),
            None => {}
        }
        match (action, self.model.focus) {
            (Action::Accept, Focus::Transcript) => self.search(),
            (Action::Accept, _) => self.end_filter(),
            (Action::Up | Action::Down | Action::PageUp | Action::PageDown, Focus::Transcript) => {}
            (Action::Up | Action::Down | Action::PageUp | Action::PageDown, _) => self.act_in_list(action),
            (other, _) => self.act_anywhere(other),
        }
    }

    pub(super) fn type_in_finder(&mut self, key: Key) {
        match self.model.focus {
            Focus::Transcript => self.type_in_search(key),
            _ => self.type_in_filter(key),
        }
    }

    /// Closes the focused pane's filter or search. Whether there was one.
    pub(super) fn close_finders(&mut self) -> bool {
        self.drop_filter() || (self.model.focus == Focus::Transcript && self.drop_search())
    }

    pub(super) fn open_palette(&mut self) {
        let mut palette = Palette::default();
        self.find_actions(&mut palette);
        self.open(Dialog::Palette(palette));
    }

    /// With nothing typed, all actions, the most useful ones first.
    fn find_actions(&self, palette: &mut Palette) {
        palette.cursor = 0;
        let mut all = self.model.useful();
        all.extend(Action::ALL.iter().filter(|action| palette_has(**action)));
        let mut actions: Vec<Action> = Vec::new();
        for action in all {
            if palette_has(action) && !actions.contains(&action) {
                actions.push(action);
            }
        }
        palette.found = if palette.text.trim().is_empty() {
            actions.into_iter().map(|action| (action, Vec::new())).collect()
        } else {
            let texts: Vec<_> = actions.iter().map(|action| self.model.help(*action)).collect();
            let found = fuzzy(&palette.text, &texts).into_iter();
            found.filter_map(|(place, fits)| Some((*actions.get(place)?, fits))).collect()
        };
    }

    pub(super) fn type_in_palette(&mut self, key: Key) {
        let Some(Dialog::Palette(palette)) = self.model.dialogs.last() else { return };
        let mut palette = palette.clone();
        if edit_line(&mut palette.text, key) {
            self.find_actions(&mut palette);
            if let Some(top) = self.model.dialogs.last_mut() {
                *top = Dialog::Palette(palette);
            }
        }
    }

    fn act_in_palette(&mut self, action: Action) {
        const PAGE: usize = 10;
        let Some(Dialog::Palette(palette)) = self.model.dialogs.last_mut() else { return };
        let last = palette.found.len().saturating_sub(1);
        match action {
            Action::Up => palette.cursor = palette.cursor.saturating_sub(1),
            Action::Down => palette.cursor = (palette.cursor + 1).min(last),
            Action::PageUp => palette.cursor = palette.cursor.saturating_sub(PAGE),
            Action::PageDown => palette.cursor = (palette.cursor + PAGE).min(last),
            Action::Accept => {
                let chosen = palette.found.get(palette.cursor).map(|(action, _)| *action);
                self.model.dialogs.pop();
                match chosen {
                    Some(action) if self.model.dialogs.is_empty() => self.act(action),
                    Some(action) => self.act_over_dialog(action),
                    None => {}
                }
            }
            Action::Palette => {}
            other => self.act_over_dialog(other),
        }
    }
}

/// Actions that mean something without a key's own place: not moves, and not what only a dialog or a line has.
fn palette_has(action: Action) -> bool {
    !moves(action)
        && !matches!(
            action,
            Action::Palette
                | Action::Back
                | Action::Open
                | Action::NewLine
                | Action::OlderPrompt
                | Action::NewerPrompt
                | Action::Undo
                | Action::Redo
                | Action::NextField
                | Action::PreviousField
                | Action::Accept
                | Action::Yes
                | Action::No
        )
}
