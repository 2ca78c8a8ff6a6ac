//! The form for a new sandbox.

use tui_textarea::TextArea;

use super::{Step, Tone, typing};
use crate::{
    api::Command,
    core::{SandboxConfig, ids, sandbox::ImageConfig},
    tui::{
        app::{
            action::Action,
            model::{
                Dialog, Link,
                dialog::{CreateForm, Field},
            },
        },
        key::Key,
    },
};

/// The longest name of a sandbox: as of Modal's objects.
const MAX_NAME: usize = 64;

impl CreateForm {
    fn area(&mut self, field: Field) -> &mut TextArea<'static> {
        match field {
            Field::Name => &mut self.name,
            Field::Image => &mut self.image,
            Field::Commands => &mut self.commands,
            Field::Secrets => &mut self.secrets,
        }
    }

    /// What is asked for, or what is wrong with which field.
    fn command(&mut self, account: crate::core::AccountId) -> Option<Command> {
        let line = |area: &TextArea<'static>| area.lines().join(" ").trim().to_owned();
        let (name, image, secrets) = (line(&self.name), line(&self.image), line(&self.secrets));
        let mut config = SandboxConfig::new(account);
        let commands = self.commands.lines().iter().map(|line| line.trim()).filter(|line| !line.is_empty());
        let commands: Vec<_> = commands.map(str::to_owned).collect();
        let secrets = secrets.split([',', ' ']).filter(|secret| !secret.is_empty());
        config.secrets = secrets.map(str::to_owned).collect();
        config.image.dockerfile_commands = commands;
        if !image.is_empty() {
            config.image.base_image = image.clone();
        }
        self.problems.clear();
        if !name.is_empty()
            && let Err(problem) = ids::name(&name, MAX_NAME)
        {
            self.problems.push((Field::Name, problem));
        }
        if let Err(problems) = config.validate() {
            for problem in problems.0 {
                let field = match problem.field.as_str() {
                    f if f.starts_with("image.base_image") => Field::Image,
                    f if f.starts_with("secrets") => Field::Secrets,
                    _ => Field::Commands,
                };
                let problem = crate::core::text::sanitize_line(&problem.problem);
                self.problems.push((field, problem.as_str().to_owned()));
            }
        }
        if let Some((field, _)) = self.problems.first() {
            self.field = *field;
            return None;
        }
        // The server knows the profile's default.
        config.image = ImageConfig { base_image: image, ..config.image };
        Some(Command::SandboxCreate { name: (!name.is_empty()).then_some(name), config, timeout_secs: None })
    }

    fn next(&mut self, forward: bool) {
        let at = Field::ALL.iter().position(|field| *field == self.field).unwrap_or(0);
        let next = (at + if forward { 1 } else { Field::ALL.len() - 1 }) % Field::ALL.len();
        self.field = Field::ALL.get(next).copied().unwrap_or_default();
    }
}

impl Step<'_> {
    /// An empty form, or the one that was closed or came to nothing.
    pub(super) fn open_create(&mut self, name: &str) {
        let mut form = self.model.kept_form.take().unwrap_or_default();
        if !name.is_empty() {
            form.name = TextArea::new(vec![name.to_owned()]);
        }
        form.name.move_cursor(tui_textarea::CursorMove::End);
        self.open(Dialog::Create(form));
    }

    fn form(&mut self) -> Option<&mut CreateForm> {
        match self.model.dialogs.last_mut() {
            Some(Dialog::Create(form)) => Some(form),
            _ => None,
        }
    }

    pub(super) fn act_in_form(&mut self, action: Action) {
        let Some(form) = self.form() else { return };
        let field = form.field;
        match action {
            Action::NextField => form.next(true),
            Action::PreviousField => form.next(false),
            Action::NewLine if field == Field::Commands => form.commands.insert_newline(),
            Action::NewLine => {}
            Action::Undo => drop(form.area(field).undo()),
            Action::Redo => drop(form.area(field).redo()),
            Action::Accept => self.create(),
            other => self.act_over_dialog(other),
        }
    }

    pub(super) fn type_in_form(&mut self, key: Key) {
        if let Some(form) = self.form() {
            let field = form.field;
            typing::edit(form.area(field), key);
        }
    }

    pub(super) fn paste_in_form(&mut self, text: &str) {
        if let Some(form) = self.form() {
            let field = form.field;
            match field {
                Field::Commands => form.commands.insert_str(text),
                _ => form.area(field).insert_str(text.trim().replace('\n', " ")),
            };
        }
    }

    fn create(&mut self) {
        let account = self.model.place.account.clone();
        let connected = self.model.link == Link::Connected;
        let Some(form) = self.form() else { return };
        let Some(command) = form.command(account) else { return };
        if !connected {
            let said = "There is no connection to the server yet; the form is kept";
            return self.say(Tone::Warning, said, "");
        }
        self.model.kept_form = Some(form.clone());
        self.model.dialogs.pop();
        let request = self.submit(command, None);
        self.open_progress(request);
    }
}
