//! `sandbox create`

use crate::{
    api::{ApiError, Command, command::Created},
    cli::{args::Create, context::Context, failure::Failure, out, work::Work},
    core::{ImageConfig, SandboxConfig, text::sanitize_line},
};

pub(super) async fn run(context: &Context, args: Create) -> Result<(), Failure> {
    let (name, timeout_secs) = (args.name.clone(), args.timeout);
    let config = config(context, args)?;
    let work = Work::begin(context, "sandbox_create").await?;
    let created: Created =
        work.finish("starting a sandbox", Command::SandboxCreate { name, config, timeout_secs }).await?;
    if context.json {
        return Ok(out::json(&created)?);
    }
    let sandbox = &created.sandbox;
    out::line(format_args!("{} is {} ({})", sanitize_line(&sandbox.name), sandbox.status, sandbox.sandbox_id))?;
    for notice in &created.notices {
        out::note(sanitize_line(notice));
    }
    Ok(())
}

/// Checked here already: what can't be taken is told without a server.
fn config(context: &Context, args: Create) -> Result<SandboxConfig, Failure> {
    let place_default = match context.profile {
        crate::core::Profile::Local => &context.config.local.image,
        crate::core::Profile::Modal => &context.config.modal.image,
    };
    let config = SandboxConfig {
        image: ImageConfig {
            base_image: args.image.unwrap_or_else(|| place_default.clone()),
            dockerfile_commands: args.run.iter().map(|line| format!("RUN {line}")).collect(),
        },
        workdir: args.workdir,
        secrets: args.secret,
        environment_vars: args.env.into_iter().collect(),
        ..SandboxConfig::new(context.account.clone())
    };
    config.validate().map_err(ApiError::from)?;
    Ok(config)
}
