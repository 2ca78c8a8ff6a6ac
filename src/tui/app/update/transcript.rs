//! The transcript of the selected sandbox.

use super::{
    Step, Tone,
    lists::{edit_line, moves},
};
use crate::{
    api::ApiError,
    core::SandboxId,
    tui::{
        app::{
            Effect, EffectId,
            action::Action,
            layout,
            model::{
                Asked, Focus, Link,
                transcript::{Pane, Search},
            },
        },
        key::Key,
    },
};

impl Step<'_> {
    pub(super) fn act_in_transcript(&mut self, action: Action) {
        match action {
            Action::Open => self.in_transcript(Action::ToggleFold),
            step if moves(step) => self.in_transcript(step),
            other => self.act_anywhere(other),
        }
    }

    /// What moves in the transcript or changes how it is shown.
    pub(super) fn in_transcript(&mut self, action: Action) {
        let Some(transcript) = self.model.chat_mut().map(|chat| &mut chat.transcript) else { return };
        match action {
            Action::Up => transcript.scroll(-1),
            Action::Down => transcript.scroll(1),
            Action::HalfPageUp => transcript.half_page(false),
            Action::HalfPageDown => transcript.half_page(true),
            Action::PageUp => transcript.page(false),
            Action::PageDown => transcript.page(true),
            Action::Top => transcript.go_top(),
            Action::Bottom => transcript.go_bottom(),
            Action::NextItem => transcript.next_item(),
            Action::PreviousItem => transcript.previous_item(),
            Action::ToggleFold => transcript.toggle_fold(),
            Action::ToggleFolds => transcript.toggle_folds(),
            Action::SelectRange => transcript.select_range(),
            Action::NextMatch => self.next_match(true),
            Action::PreviousMatch => self.next_match(false),
            _ => {}
        }
    }

    /// Copies, or shows all in the pager.
    pub(super) fn take_out(&mut self, action: Action) {
        let Some(sandbox) = self.model.sandbox().map(|sandbox| sandbox.sandbox_id.clone()) else { return };
        let Some(transcript) = self.model.chat().map(|chat| &chat.transcript) else { return };
        let text = match action {
            Action::CopyItem => transcript.selected_text(),
            Action::CopyCode => transcript.selected_code(),
            _ => return self.load_transcript(sandbox),
        };
        match text {
            Some(text) => {
                let id = self.model.ask(Asked::Copy);
                self.order(Effect::Copy { id, text });
            }
            None => self.say(Tone::Note, "There is nothing to copy", ""),
        }
    }

    /// Asks for what the pager is to show. The screen goes on meanwhile: a server may stand still.
    fn load_transcript(&mut self, sandbox: SandboxId) {
        // Where the status row is not shown nobody would see that it comes.
        if layout::areas(self.model).status.is_empty() {
            self.focus(Focus::Transcript);
        }
        self.leave_pager();
        let id = self.model.ask(Asked::Transcript(sandbox.clone()));
        self.order(Effect::LoadTranscript { id, sandbox });
    }

    /// What was asked for the pager is not wanted any longer; whether there was something.
    pub(super) fn leave_pager(&mut self) -> bool {
        let before = self.model.asked.len();
        self.model.asked.retain(|_, asked| !matches!(asked, Asked::Transcript(_)));
        self.model.asked.len() < before
    }

    /// Shows it in the pager. Who has gone to another sandbox meanwhile isn't taken away from it.
    pub(super) fn take_transcript(&mut self, sandbox: &SandboxId, text: Result<String, ApiError>) {
        match text {
            Ok(text) if self.model.sandbox().is_some_and(|shown| shown.sandbox_id == *sandbox) => {
                let id = self.model.ask(Asked::Page);
                self.order(Effect::Page { id, text });
            }
            Ok(_) => {}
            Err(error) => self.say_error(&error),
        }
    }

    pub(super) fn begin_search(&mut self) {
        if let Some(chat) = self.model.chat_mut() {
            chat.transcript.search = Some(Search { typing: true, ..Search::default() });
            self.focus(Focus::Transcript);
        }
    }

    pub(super) fn type_in_search(&mut self, key: Key) {
        if let Some(search) = self.model.chat_mut().and_then(|chat| chat.transcript.search.as_mut()) {
            edit_line(&mut search.text, key);
        }
    }

    /// Asks where the typed text stands; an empty line ends the search.
    pub(super) fn search(&mut self) {
        let search = self.model.chat().and_then(|chat| chat.transcript.search.as_ref());
        let text = search.map(|search| search.text.trim().to_owned()).unwrap_or_default();
        if text.is_empty() {
            self.drop_search();
        } else {
            self.search_for(&text);
        }
    }

    pub(super) fn search_for(&mut self, text: &str) {
        let Some(sandbox) = self.model.sandbox().map(|sandbox| sandbox.sandbox_id.clone()) else { return };
        self.forget(&Asked::Search(sandbox.clone()));
        let id = self.model.ask(Asked::Search(sandbox.clone()));
        if let Some(chat) = self.model.chat_mut() {
            let search = Search { text: text.to_owned(), asked: Some(id), ..Search::default() };
            chat.transcript.search = Some(search);
        }
        self.focus(Focus::Transcript);
        self.order(Effect::Search { id, sandbox, text: text.to_owned() });
    }

    pub(super) fn take_found(&mut self, id: EffectId, sandbox: &SandboxId, found: Result<Vec<u64>, ApiError>) {
        let Some(chat) = self.model.chats.get_mut(sandbox) else { return };
        let Some(search) = chat.transcript.search.as_mut().filter(|search| search.asked == Some(id)) else { return };
        match found {
            // The line of the search says it.
            Ok(found) if found.is_empty() => search.asked = None,
            Ok(found) => chat.transcript.take_found(found),
            Err(error) => {
                search.asked = None;
                self.say_error(&error);
            }
        }
    }

    fn next_match(&mut self, forward: bool) {
        let Some(chat) = self.model.chat_mut() else { return };
        if chat.transcript.next_match(forward) {
            let said =
                if forward { "Behind the last match comes the first" } else { "Before the first comes the last" };
            self.say(Tone::Note, said, "");
        }
    }

    /// Ends search and selection. Whether there was one.
    pub(super) fn drop_search(&mut self) -> bool {
        let Some(sandbox) = self.model.sandbox().map(|sandbox| sandbox.sandbox_id.clone()) else { return false };
        let Some(chat) = self.model.chats.get_mut(&sandbox) else { return false };
        let searched = chat.transcript.search.take().is_some();
        let selected = chat.transcript.deselect();
        self.forget(&Asked::Search(sandbox));
        searched || selected
    }

    /// Lays out what is seen, and asks for what is missing.
    pub(super) fn settle_transcript(&mut self) {
        let area = layout::areas(self.model).transcript;
        let (size, now) = (self.model.size, self.model.now);
        // Behind a list on a narrow screen it is as wide as the screen will show it.
        let (columns, rows) = if area.is_empty() {
            (size.columns.saturating_sub(2), size.rows.saturating_sub(5))
        } else {
            (area.width, area.height)
        };
        let pane = Pane { columns, rows, ascii: self.model.place.ascii, zone: self.model.place.zone.clone(), now };
        let Some(sandbox) = self.model.sandbox().map(|sandbox| sandbox.sandbox_id.clone()) else { return };
        let Some(chat) = self.model.chats.get_mut(&sandbox) else { return };
        let wants = chat.transcript.settle(pane);
        if let Some(window) = wants.part
            && self.model.link == Link::Connected
        {
            self.forget(&Asked::Items(sandbox.clone()));
            let id = self.model.ask(Asked::Items(sandbox.clone()));
            if let Some(chat) = self.model.chats.get_mut(&sandbox) {
                chat.transcript.asking(id, window);
            }
            self.order(Effect::LoadItems { id, sandbox: sandbox.clone(), window });
        }
        for code in wants.code {
            let id = self.model.ask(Asked::Highlight(sandbox.clone()));
            self.order(Effect::Highlight { id, language: code.language, code: code.code });
        }
    }
}
