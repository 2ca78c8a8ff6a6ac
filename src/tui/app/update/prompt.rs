//! The prompt: writing, sending, the prompts before it.

use super::{Step, Tone, typing};
use crate::{
    api::Command,
    core::SandboxId,
    tui::{
        app::{
            Effect,
            action::Action,
            model::{Asked, Focus, History, Link, Prompt},
            slash,
        },
        key::{Code, Key},
    },
};

/// The longest prompt: what the server takes, so that a longer one is told here and stays typed.
const MAX_PROMPT: usize = 7 << 20;

impl Step<'_> {
    pub(super) fn act_in_prompt(&mut self, action: Action) {
        match action {
            Action::Send if self.continues() => {
                let prompt = self.model.prompt_mut();
                prompt.area.delete_char();
                prompt.area.insert_newline();
            }
            Action::Send => self.send(),
            Action::NewLine => self.model.prompt_mut().area.insert_newline(),
            Action::OlderPrompt => {
                if self.model.prompt().area.cursor().0 == 0 {
                    self.recall(Prompt::older);
                } else {
                    self.type_in_prompt(Key::plain(Code::Up));
                }
            }
            Action::NewerPrompt => {
                let area = &self.model.prompt().area;
                if area.cursor().0 + 1 == area.lines().len() {
                    self.recall(Prompt::newer);
                } else {
                    self.type_in_prompt(Key::plain(Code::Down));
                }
            }
            Action::Undo => drop(self.model.prompt_mut().area.undo()),
            Action::Redo => drop(self.model.prompt_mut().area.redo()),
            // Looking back while writing.
            Action::PageUp | Action::PageDown => self.in_transcript(action),
            other => self.act_anywhere(other),
        }
    }

    fn recall(&mut self, show: fn(&mut Prompt, &History) -> bool) {
        let history = std::mem::take(&mut self.model.history);
        show(self.model.prompt_mut(), &history);
        self.model.history = history;
    }

    pub(super) fn type_in_prompt(&mut self, key: Key) {
        typing::edit_prompt(self.model.prompt_mut(), key);
    }

    pub(super) fn paste_in_prompt(&mut self, text: &str) {
        if self.model.prompt().bytes() + text.len() > MAX_PROMPT {
            return self.too_long();
        }
        self.model.prompt_mut().paste(text);
    }

    fn too_long(&mut self) {
        self.say(
            Tone::Error,
            "A prompt has at most 7 MiB",
            "Put the text into a file of the sandbox and name the file in the prompt",
        );
    }

    /// A `\` before the cursor at the line's end: Enter makes a line.
    fn continues(&self) -> bool {
        let area = &self.model.prompt().area;
        let cursor = area.cursor();
        area.lines().get(cursor.0).is_some_and(|line| line.ends_with('\\') && line.chars().count() == cursor.1)
    }

    /// Sends what is typed: a prompt, a shell command, or a command of the screen's own.
    pub(super) fn send(&mut self) {
        let draft = self.model.prompt().expanded();
        if draft.trim().is_empty() {
            return;
        }
        if draft.len() > MAX_PROMPT {
            return self.too_long();
        }
        if let Some((command, rest)) = slash::find(&draft) {
            self.taken();
            self.keep_prompt(&draft);
            return self.run(command, rest);
        }
        let Some(id) = self.target() else { return };
        let sandbox = id.as_str().to_owned();
        let command = match draft.strip_prefix('!') {
            Some(rest) if !rest.starts_with('!') => {
                let command = rest.trim().to_owned();
                if command.is_empty() {
                    return self.say(Tone::Warning, "Type a shell command behind the !", "");
                }
                Command::Shell { sandbox, command }
            }
            _ if self.model.turn().is_some() => {
                let hint = "Send it when the turn has ended, or interrupt the turn with Esc Esc";
                return self.say(Tone::Warning, "Claude is at work; your text is kept", hint);
            }
            _ => Command::Chat { sandbox, conversation: None, prompt: slash::undoubled(&draft).to_owned() },
        };
        self.taken();
        self.keep_prompt(&draft);
        if let Some(chat) = self.model.chat_mut() {
            chat.transcript.go_bottom();
            chat.refused = None;
        }
        self.submit(command, Some(draft));
    }

    /// The sandbox that something is sent to; without one, says what to do.
    pub(super) fn target(&mut self) -> Option<SandboxId> {
        if self.model.link != Link::Connected {
            self.say(Tone::Warning, "There is no connection to the server yet; your text is kept", "");
            return None;
        }
        match self.model.sandbox().map(|sandbox| (sandbox.sandbox_id.clone(), sandbox.name.clone())) {
            Some((id, _)) if self.runs() => return Some(id),
            Some((_, name)) => {
                self.say(Tone::Warning, &format!("{name} does not run"), "Create a sandbox: ctrl-x n, or n in a list");
            }
            None => self.say(Tone::Warning, "There is no sandbox yet", "Create one: ctrl-x n, or n in a list"),
        }
        None
    }

    fn taken(&mut self) {
        *self.model.prompt_mut() = Prompt::default();
    }

    pub(super) fn keep_prompt(&mut self, text: &str) {
        if self.model.history.add(text) {
            self.order(Effect::KeepPrompt { text: text.to_owned() });
        }
    }

    pub(super) fn edit_prompt(&mut self) {
        let text = self.model.prompt().expanded();
        let sandbox = self.model.sandbox().map(|sandbox| sandbox.sandbox_id.clone());
        self.focus(Focus::Prompt);
        let id = self.model.ask(Asked::Edit(sandbox));
        self.order(Effect::Edit { id, text });
    }

    /// The editor's text is its sandbox's draft, whichever is selected by now.
    pub(super) fn take_edited(&mut self, sandbox: Option<SandboxId>, text: &str) {
        self.model.touched = true;
        let prompt = match sandbox.and_then(|id| self.model.chats.get_mut(&id)) {
            Some(chat) => &mut chat.prompt,
            None => &mut self.model.draft,
        };
        prompt.take_edited(text.strip_suffix('\n').unwrap_or(text));
        if self.model.prompt().bytes() > MAX_PROMPT {
            self.too_long();
        }
    }
}
