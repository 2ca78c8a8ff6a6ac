//! `version restore`: shows what would change, asks, does exactly that.

use super::show::lack;
use crate::{
    api::{
        Command,
        command::{Changes, PathSize},
    },
    cli::{ask, context::Context, failure::Failure, out, show, work::Work},
    core::text::sanitize_line,
};

pub(super) async fn run(context: &Context, sandbox: String, version: String, yes: bool) -> Result<(), Failure> {
    if !yes {
        ask::possible("restoring a workspace")?;
    }
    let what = if version == "latest" { "the latest version".to_owned() } else { format!("version {version}") };
    let work = Work::begin(context, "version_restore").await?;
    let mut command = Command::VersionRestore { sandbox, version, dry_run: false };
    if !yes && !work.known() {
        command = match preview(context, &work, command).await? {
            Some(command) => command,
            None => return Ok(()),
        };
    }
    let changes: Changes = work.finish("restoring", command).await?;
    if context.json {
        return Ok(out::json(&changes)?);
    }
    if changes.is_empty() {
        return Ok(out::line(format_args!("the workspace is {} already", sanitize_line(&what)))?);
    }
    Ok(out::line(format_args!("restored {}: {}", sanitize_line(&what), summary(&changes)))?)
}

/// Shows and asks; gives what to do, with names made fast: another version could become the latest, or another
/// sandbox get the name, while the user thinks. Nothing when there is nothing to do.
async fn preview(context: &Context, work: &Work<'_>, command: Command) -> Result<Option<Command>, Failure> {
    let Command::VersionRestore { sandbox, version, .. } = command else { return Ok(Some(command)) };
    let info = work.client().sandbox(&context.scope(), &sandbox).await?.info;
    let found = work.client().version(&context.scope(), &version).await?;
    let version = found.version;
    let restore = |dry_run| Command::VersionRestore {
        sandbox: info.sandbox_id.to_string(),
        version: version.to_string(),
        dry_run,
    };
    let dry = Work::begin_other(context, work.client().clone(), "version_restore");
    let changes: Changes = dry.finish("comparing", restore(true)).await?;
    if changes.is_empty() {
        if context.json {
            out::json(&changes)?;
        } else {
            out::line(format_args!("the workspace is version {version} already"))?;
        }
        return Ok(None);
    }
    list("+", &changes.added);
    list("~", &changes.changed);
    list("-", &changes.deleted);
    if let Some(lack) = lack(&found) {
        out::note(format_args!("version {version} is {lack}; what is in their place now stays"));
    }
    let running = work.client().sandboxes(&context.scope()).await?;
    let others =
        running.iter().filter(|other| other.sandbox_id != info.sandbox_id && other.account_id == info.account_id);
    for other in others {
        out::note(format_args!("{} has the same workspace: it changes there too", sanitize_line(&other.name)));
    }
    let name = sanitize_line(&info.name);
    out::note(summary(&changes));
    ask::yes(&format!("Restore version {version} into {name}?")).await?;
    Ok(Some(restore(false)))
}

/// Lines of one kind: a screen's worth, and how many more.
fn list(mark: &str, paths: &[PathSize]) {
    const SHOWN: usize = 20;
    for path in paths.iter().take(SHOWN) {
        out::note(format_args!("{mark} {}  {}", sanitize_line(&path.path), show::size(path.size)));
    }
    if paths.len() > SHOWN {
        out::note(format_args!("{mark} and {} more", paths.len() - SHOWN));
    }
}

fn summary(changes: &Changes) -> String {
    format!("{} added, {} changed, {} deleted", changes.added.len(), changes.changed.len(), changes.deleted.len())
}
