//! `sandbox terminate`

use crate::{
    api::{Command, command::Terminated},
    cli::{args::Terminate, ask, context::Context, failure::Failure, out, version, work::Work},
    core::text::sanitize_line,
};

pub(super) async fn run(context: &Context, args: Terminate) -> Result<(), Failure> {
    if !args.yes {
        ask::possible("ending a sandbox")?;
    }
    let work = Work::begin(context, "sandbox_terminate").await?;
    let mut save = args.save;
    let mut sandbox = args.sandbox;
    if !args.yes && !work.known() {
        // By id from here on: another sandbox could get the name while the user thinks.
        let info = work.client().sandbox(&context.scope(), &sandbox).await?.info;
        let name = sanitize_line(&info.name);
        sandbox = info.sandbox_id.to_string();
        if args.save || args.no_save {
            ask::yes(&format!("End {name}?")).await?;
        } else {
            let question = format!("End {name}: save its workspace first, end it unsaved, or cancel?");
            save = match ask::choose(&question, "[s/u/C]", &["save", "unsaved", "cancel"]).await? {
                Some(0) => true,
                Some(1) => false,
                _ => return Err(ask::declined()),
            };
        }
    }
    let ended: Terminated = work.finish("ending the sandbox", Command::SandboxTerminate { sandbox, save }).await?;
    if context.json {
        return Ok(out::json(&ended)?);
    }
    if let Some(saved) = &ended.saved {
        version::save::told(saved)?;
    }
    Ok(out::line(format_args!("{} has ended", sanitize_line(&ended.sandbox.name)))?)
}
