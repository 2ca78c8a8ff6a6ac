//! Keys: sequences first, then actions, then text.

use super::Step;
use crate::tui::{
    app::{
        action::{Action, Context},
        model::{Dialog, Focus},
    },
    key::{Code, Key},
    keymap::Meaning,
};

impl Step<'_> {
    pub(super) fn pressed(&mut self, key: Key) {
        self.model.settled = true;
        self.forget_old_errors();
        let begun = !self.model.chord.is_empty();
        if begun && key == Key::plain(Code::Esc) {
            self.end_chord();
            return;
        }
        self.model.chord.push(key);
        let context = self.model.context();
        // A choice's own letter goes before what the keymap says of that letter.
        if !begun && self.chose(key) {
            self.end_chord();
            return;
        }
        let meaning = self.model.keymap.meaning(context, &self.model.chord);
        match meaning {
            Meaning::Begins => {}
            Meaning::Action(action) => {
                self.end_chord();
                self.act(action);
            }
            Meaning::Nothing => {
                self.end_chord();
                if !begun {
                    self.model.armed = None;
                    self.typed(key);
                }
            }
        }
    }

    fn end_chord(&mut self) {
        self.model.chord.clear();
        self.model.chord_waited = false;
    }

    /// A key that is no action: text, or a move in a text.
    fn typed(&mut self, key: Key) {
        match self.model.dialogs.last() {
            Some(Dialog::Create(_)) => self.type_in_form(key),
            Some(Dialog::Palette(_)) => self.type_in_palette(key),
            Some(open) if open.filters() => self.type_in_reader(key),
            Some(_) => {}
            None if self.model.context() == Context::Finder => self.type_in_finder(key),
            None if self.model.focus == Focus::Prompt => self.type_in_prompt(key),
            None => {}
        }
    }

    pub(super) fn pasted(&mut self, text: &str) {
        self.model.settled = true;
        self.end_chord();
        match self.model.dialogs.last() {
            Some(Dialog::Create(_)) => self.paste_in_form(text),
            Some(Dialog::Palette(_)) => self.each_character(text, Self::type_in_palette),
            Some(open) if open.filters() => self.each_character(text, Self::type_in_reader),
            Some(_) => {}
            None if self.model.context() == Context::Finder => {
                self.each_character(text, Self::type_in_finder);
            }
            None if self.model.focus == Focus::Prompt => self.paste_in_prompt(text),
            // Letters are commands in lists and transcript; a paste means the prompt.
            None => {
                self.act(Action::FocusPrompt);
                self.paste_in_prompt(text);
            }
        }
    }

    /// A paste into a line: what a person searches for is short.
    fn each_character(&mut self, text: &str, mut take: impl FnMut(&mut Self, Key)) {
        const MOST: usize = 200;
        let line = text.lines().next().unwrap_or_default();
        for c in line.chars().filter(|c| !c.is_control()).take(MOST) {
            take(self, Key::plain(Code::Char(c)));
        }
    }
}
