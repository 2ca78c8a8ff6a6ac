//! `sandbank` without a subcommand: the screen.

use std::{env, fs, io::ErrorKind, path::PathBuf};

use super::{args::Global, context::Context, failure::Failure, screen_log};
use crate::{
    api::ApiError,
    config::{self, Background as Configured},
    tui::{
        keymap::Keymap,
        runtime::{self, Clipboard, Options, Themes},
        term::{self, Manners, Refused, Term},
        theme::{Background, Colors},
    },
};

/// Opens it.
pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let context = Context::new(global)?;
    let settings = &context.config.screen;
    let (keymap, themes) = own_looks(&context)?;
    let options = Options {
        scope: context.scope(),
        keymap,
        themes,
        mouse: settings.mouse,
        ascii: settings.ascii,
        still: settings.still,
        far: set("SSH_CONNECTION") || set("SSH_TTY"),
        data: context.data.path().to_owned(),
        clipboard: Clipboard {
            tmux: env::var_os("TMUX").filter(|value| !value.is_empty()),
            folder: context.data.path().to_owned(),
        },
    };
    let log = context.data.log_dir();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        term::restore_on_panic();
        let mut term = Term::open(Manners { mouse: options.mouse }).map_err(refused)?;
        // In the first moment that the screen has nothing to do, which is after its first frame.
        let log = tokio::spawn(async { screen_log::start(log) });
        let ended = runtime::run(&mut term, || context.client(), options).await;
        let signal = term.signal().and_then(|signal| u8::try_from(signal).ok());
        term.close()?;
        drop(log.await);
        match signal {
            Some(signal) => Err(Failure::Exit(128_u8.saturating_add(signal))),
            None => ended,
        }
    });
    // A call may still wait for the server; it ends with the process.
    runtime.shutdown_background();
    ended
}

/// Keys and looks: ours, with the user's files over them.
///
/// # Errors
/// One of the files is broken: where, and what is allowed.
pub(super) fn own_looks(context: &Context) -> Result<(Keymap, Themes), ApiError> {
    let keymap = own_file(context, "keymap.toml")?;
    let of = keymap.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
    let keymap = Keymap::load(of).map_err(|e| ApiError::not_configured(e.to_string()))?;
    let background = match context.config.screen.background {
        Configured::Auto => None,
        Configured::Dark => Some(Background::Dark),
        Configured::Light => Some(Background::Light),
    };
    let colors = if set("NO_COLOR") { Colors::None } else { Colors::Ansi };
    let themes = Themes::new(own_file(context, "theme.toml")?, background, colors)
        .map_err(|e| ApiError::not_configured(e.to_string()))?;
    Ok((keymap, themes))
}

/// Where there is no screen there are the commands.
fn refused(refused: Refused) -> ApiError {
    ApiError::usage(refused.to_string()).hint(refused.hint())
}

/// A file of the user's own beside their configuration, if there is one: where it is, and its text.
fn own_file(context: &Context, name: &str) -> Result<Option<(PathBuf, String)>, ApiError> {
    let Some(config) = context.named.clone().or_else(config::default_path) else { return Ok(None) };
    let path = config.with_file_name(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(ApiError::not_configured(format!("{} can't be read: {e}", path.display()))),
    }
}

fn set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}
