//! From an action to what it does, by what has the keys.

use super::{Step, Tone, tasks::progress_of};
use crate::tui::app::{
    Effect,
    action::{Action, Context},
    model::{ArmedFor, Dialog, Focus, dialog::Reader},
};

impl Step<'_> {
    pub(super) fn act(&mut self, action: Action) {
        // "Again" means the same key at once: anything else takes it back.
        let armed = self.model.armed.take().filter(|armed| self.model.now <= armed.until).map(|armed| armed.what);
        match action {
            Action::Back => return self.back(armed),
            Action::Interrupt => return self.interrupt(armed),
            _ => {}
        }
        match self.model.context() {
            Context::Form => self.act_in_form(action),
            Context::Question => self.act_in_question(action),
            Context::Reader => self.act_in_reader(action),
            Context::Finder => self.act_in_finder(action),
            Context::Sandboxes | Context::Versions => self.act_in_list(action),
            Context::Transcript => self.act_in_transcript(action),
            Context::Prompt => self.act_in_prompt(action),
            Context::Global => self.act_anywhere(action),
        }
    }

    /// What may be done over a dialog: nothing that would open another piece of work behind it.
    pub(super) fn act_over_dialog(&mut self, action: Action) {
        match action {
            Action::Quit
            | Action::Help
            | Action::Palette
            | Action::Toasts
            | Action::Suspend
            | Action::Redraw
            | Action::ToggleMouse => self.act_anywhere(action),
            _ => {}
        }
    }

    /// What an action does wherever the keys are.
    pub(super) fn act_anywhere(&mut self, action: Action) {
        match action {
            Action::Quit => self.ask_quit(),
            Action::Help => self.open(Dialog::Help(Reader::default())),
            Action::Toasts => self.open(Dialog::Toasts(Reader::default())),
            Action::Palette => self.open_palette(),
            Action::Suspend => self.order(Effect::Suspend),
            Action::Redraw => self.order(Effect::Redraw),
            Action::ToggleMouse => self.toggle_mouse(),
            Action::Refresh => self.refresh(),
            Action::NextPane => self.next_pane(true),
            Action::PreviousPane => self.next_pane(false),
            Action::FocusSandboxes => self.focus(Focus::Sandboxes),
            Action::FocusVersions => self.focus(Focus::Versions),
            Action::FocusTranscript => self.focus(Focus::Transcript),
            Action::FocusPrompt => self.focus(Focus::Prompt),
            Action::CreateSandbox => self.open_create(""),
            Action::TerminateSandbox => self.ask_terminate(),
            Action::Save => self.save(""),
            Action::Restore => self.restore_selected(),
            Action::ShowProgress => self.show_progress(),
            Action::ToggleEnded => self.toggle_ended(),
            Action::EditPrompt => self.edit_prompt(),
            Action::Search => self.begin_search(),
            Action::CopyItem | Action::CopyCode | Action::PageTranscript => self.take_out(action),
            Action::ToggleFold
            | Action::ToggleFolds
            | Action::NextItem
            | Action::PreviousItem
            | Action::NextMatch
            | Action::PreviousMatch
            | Action::SelectRange => self.in_transcript(action),
            Action::Send => self.send(),
            Action::Filter => self.begin_filter(),
            Action::Sort => self.sort(),
            Action::Mark | Action::MarkRange | Action::MarkAll => self.mark(action),
            Action::CopyIds => self.copy_ids(),
            _ => {}
        }
    }

    fn toggle_mouse(&mut self) {
        self.model.mouse = !self.model.mouse;
        let on = self.model.mouse;
        self.order(Effect::SetMouse { on });
        let said =
            if on { "The mouse is ours: click and wheel" } else { "The mouse is the terminal's: select and copy" };
        self.say(Tone::Note, said, "");
    }

    /// Esc: the filter of what is read goes; the top thing closes; a list's marks go, and then its filter; the second
    /// press stops what is under way; else back to the lists.
    fn back(&mut self, armed: Option<ArmedFor>) {
        let told = self.dismiss_errors();
        if self.drop_reader_filter()
            || self.close_top()
            || self.drop_marks(told)
            || self.close_finders()
            || self.leave_pager()
        {
            return;
        }
        match self.model.focus {
            Focus::Sandboxes | Focus::Versions => {}
            Focus::Transcript | Focus::Prompt => match self.model.stoppable() {
                Some(request) if armed == Some(ArmedFor::Interrupt { request }) => self.stop(request),
                Some(request) => self.arm(ArmedFor::Interrupt { request }),
                None => self.focus(Focus::Sandboxes),
            },
        }
    }

    /// Ctrl-C: stops what the top dialog shows, or closes it; stops what is under way; clears the draft; quits at the
    /// second press.
    fn interrupt(&mut self, armed: Option<ArmedFor>) {
        let shown = self.model.dialogs.last().and_then(progress_of);
        if let Some(request) = shown.filter(|request| self.model.can_stop(*request)) {
            return self.stop(request);
        }
        if self.close_top() || self.leave_pager() {
            return;
        }
        if let Some(request) = self.model.stoppable() {
            self.stop(request);
        } else if !self.model.prompt().is_empty() {
            let draft = self.model.prompt_mut().take();
            self.keep_prompt(&draft);
        } else if armed == Some(ArmedFor::Quit) {
            self.quit();
        } else {
            self.arm(ArmedFor::Quit);
        }
    }
}
