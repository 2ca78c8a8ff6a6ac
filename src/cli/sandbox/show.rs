//! `sandbox show`

use jiff::Timestamp;

use crate::cli::{context::Context, failure::Failure, out, show};

pub(super) async fn run(context: &Context, name: &str) -> Result<(), Failure> {
    let detail = context.client()?.sandbox(&context.scope(), name).await?;
    if context.json {
        return Ok(out::json(&detail)?);
    }
    let info = &detail.info;
    out::field("name", &info.name)?;
    out::field("id", info.sandbox_id.as_str())?;
    out::field("status", &info.status.to_string())?;
    if let Some(reason) = &info.reason {
        out::field("reason", reason)?;
    }
    out::field("image", &info.image)?;
    out::field("account", info.account_id.as_str())?;
    out::field("place", context.profile.as_str())?;
    out::field("created", &format!("{} ({} ago)", info.created_at, show::age(info.created_at, Timestamp::now())))?;
    if let Some(at) = info.ended_at {
        out::field("ended", &at.to_string())?;
    }
    let Some(config) = &detail.config else { return Ok(()) };
    out::field("workspace", &config.volume_mount_path)?;
    out::field("volume", &config.volume())?;
    out::field("workdir", config.workdir())?;
    for layer in &config.image.dockerfile_commands {
        out::field("layer", layer)?;
    }
    // Names only: people put keys into values.
    for name in config.environment_vars.keys() {
        out::field("variable", name)?;
    }
    config.secrets.iter().try_for_each(|name| out::field("secret", name))?;
    Ok(())
}
