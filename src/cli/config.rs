//! `sandbank config …`: nothing but the user's files and the environment is looked at.

use serde_json::json;

use super::{
    args::{ConfigCommand, Global},
    context::{Context, named_config},
    failure::Failure,
    out, screen,
};
use crate::{api::ApiError, config};

pub(super) fn run(global: &Global, command: &ConfigCommand) -> Result<(), Failure> {
    let path = named_config(global)?.or_else(config::default_path);
    let shown = path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
    let exists = path.as_ref().is_some_and(|p| p.exists());
    match command {
        ConfigCommand::Path if global.json => Ok(out::json(&json!({ "path": shown, "exists": exists }))?),
        ConfigCommand::Path => Ok(out::line(shown)?),
        ConfigCommand::Check => {
            let context = Context::new(global)?;
            // What keeps the screen from opening is broken too.
            screen::own_looks(&context)?;
            let missing = context.config.missing();
            if !missing.is_empty() {
                let told: Vec<_> = missing.iter().map(|it| format!("{}: {}", it.key, it.problem)).collect();
                let error = ApiError::not_configured(format!("{shown}: {}", told.join("; ")));
                return Err(error.hint("make what it names, or name another").into());
            }
            if global.json {
                return Ok(out::json(&json!({ "ok": true, "path": shown, "exists": exists }))?);
            }
            let found = if exists { "is in order" } else { "is not there: defaults are in force" };
            Ok(out::line(format_args!("{shown} {found}"))?)
        }
        ConfigCommand::Show => {
            let context = Context::new(global)?;
            let config = config::Config { account: context.account, profile: context.profile, ..context.config };
            if global.json {
                return Ok(out::json(&config)?);
            }
            let text = toml::to_string(&config)
                .map_err(|e| ApiError::failed(format!("the settings can't be written as TOML: {e}")))?;
            Ok(out::raw(text.as_bytes())?)
        }
    }
}
