//! `sandbox show`

use jiff::Timestamp;

use crate::{
    cli::{context::Context, failure::Failure, out, show},
    core::text::sanitize_line,
};

pub(super) async fn run(context: &Context, name: &str) -> Result<(), Failure> {
    let detail = context.client()?.sandbox(&context.scope(), name).await?;
    if context.json {
        return Ok(out::json(&detail)?);
    }
    let info = &detail.info;
    let line = |name: &str, value: &str| out::line(format_args!("{name:<11}{}", sanitize_line(value)));
    line("name", &info.name)?;
    line("id", info.sandbox_id.as_str())?;
    line("status", &info.status.to_string())?;
    if let Some(reason) = &info.reason {
        line("reason", reason)?;
    }
    line("image", &info.image)?;
    line("account", info.account_id.as_str())?;
    line("place", context.profile.as_str())?;
    line("created", &format!("{} ({} ago)", info.created_at, show::age(info.created_at, Timestamp::now())))?;
    if let Some(at) = info.ended_at {
        line("ended", &at.to_string())?;
    }
    let Some(config) = &detail.config else { return Ok(()) };
    line("workspace", &config.volume_mount_path)?;
    line("volume", &config.volume())?;
    line("workdir", config.workdir())?;
    for layer in &config.image.dockerfile_commands {
        line("layer", layer)?;
    }
    // Names only: people put keys into values.
    for name in config.environment_vars.keys() {
        line("variable", name)?;
    }
    config.secrets.iter().try_for_each(|name| line("secret", name))?;
    Ok(())
}
