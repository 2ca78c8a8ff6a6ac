//! `version restore`: shows what would change, asks, does exactly that.

use super::{save::list_errors, show::lack};
use crate::{
    api::{
        Command, ErrorCode,
        command::{Changes, PathSize},
    },
    cli::{ask, context::Context, failure::Failure, out, show, work::Work},
    core::{
        SandboxInfo, Version,
        text::{reveal_line, sanitize_line},
    },
};

const KIND: &str = "version_restore";

/// So many paths that would be lost are shown one by one before the question: what somebody may still read. Of more, a
/// part and how to see them all.
const READABLE: usize = 300;

/// Paths of a kind that is shown in part: a screen's worth.
const PART: usize = 20;

pub(super) async fn run(context: &Context, sandbox: String, version: String, yes: bool) -> Result<(), Failure> {
    if !yes {
        ask::possible("restoring a workspace")?;
    }
    let what = if version == "latest" { "the latest version".to_owned() } else { format!("version {version}") };
    let work = Work::begin(context, KIND).await?;
    let changes = if yes || work.known() {
        let command = Command::VersionRestore { sandbox, version, dry_run: false, expected: None };
        work.finish("restoring", command).await?
    } else {
        match agreed(context, work, &sandbox, &version).await? {
            Some(changes) => changes,
            None => return Ok(()),
        }
    };
    if context.json {
        return Ok(out::json(&changes)?);
    }
    match changes.is_empty() {
        true => out::line(format_args!("the workspace is {} already", sanitize_line(&what)))?,
        false => out::line(format_args!("restored {}: {}", sanitize_line(&what), summary(&changes)))?,
    }
    if yes {
        changes.shared_with.iter().for_each(|name| shares(name, "changed"));
    }
    told_errors(&changes);
    Ok(())
}

/// `--dry-run`: all that would change, for people and scripts.
pub(super) async fn dry_run(context: &Context, sandbox: String, version: String) -> Result<(), Failure> {
    let work = Work::begin(context, KIND).await?;
    let command = Command::VersionRestore { sandbox, version, dry_run: true, expected: None };
    let changes: Changes = work.finish("comparing", command).await?;
    if context.json {
        return Ok(out::json(&changes)?);
    }
    for (mark, paths) in [("+", &changes.added), ("~", &changes.changed), ("-", &changes.deleted)] {
        paths.iter().try_for_each(|path| out::line(row(mark, path)))?;
    }
    out::note(if changes.is_empty() { "nothing would change".to_owned() } else { summary(&changes) });
    told_errors(&changes);
    Ok(())
}

/// Shows, asks and restores; nothing when there is nothing to do. What has changed since it was shown is shown again.
/// Names are made fast first: another version could become the latest, or another sandbox get the name, while the user
/// thinks.
async fn agreed(
    context: &Context,
    mut work: Work<'_>,
    sandbox: &str,
    version: &str,
) -> Result<Option<Changes>, Failure> {
    let info = work.client().sandbox(&context.scope(), sandbox).await?.info;
    let found = work.client().version(&context.scope(), version).await?;
    loop {
        let Some(command) = preview(context, &work, &info, &found).await? else { return Ok(None) };
        match work.finish("restoring", command).await {
            // Who has given an id asks for the end of this very command by it.
            Err(Failure::Api(error)) if error.code == ErrorCode::Conflict && context.request_id.is_none() => {
                out::note(sanitize_line(&error.message));
                work = Work::begin_other(context, work.client().clone(), KIND);
            }
            done => return done.map(Some),
        }
    }
}

/// Shows and asks; gives what to do.
async fn preview(
    context: &Context,
    work: &Work<'_>,
    info: &SandboxInfo,
    found: &Version,
) -> Result<Option<Command>, Failure> {
    let version = found.version;
    let restore = |dry_run, expected| Command::VersionRestore {
        sandbox: info.sandbox_id.to_string(),
        version: version.to_string(),
        dry_run,
        expected,
    };
    let dry = Work::begin_other(context, work.client().clone(), KIND);
    let changes: Changes = dry.finish("comparing", restore(true, None)).await?;
    if changes.is_empty() {
        if context.json {
            out::json(&changes)?;
        } else {
            out::line(format_args!("the workspace is version {version} already"))?;
        }
        return Ok(None);
    }
    let lost = changes.changed.len() + changes.deleted.len();
    let shown = if lost > READABLE { PART } else { READABLE };
    list("+", &changes.added, PART);
    list("~", &changes.changed, shown);
    list("-", &changes.deleted, shown);
    if lost > READABLE {
        out::note(format_args!("`sandbank version restore --dry-run {} {version}` lists them all", info.sandbox_id));
    }
    if let Some(lack) = lack(found) {
        out::note(format_args!("version {version} is {lack}; what is in their place now stays"));
    }
    told_errors(&changes);
    changes.shared_with.iter().for_each(|name| shares(name, "changes"));
    let name = sanitize_line(&info.name);
    out::note(summary(&changes));
    ask::yes(&format!("Restore version {version} into {name}?")).await?;
    Ok(Some(restore(false, changes.digest)))
}

/// Lines of one kind, and how many more there are.
fn list(mark: &str, paths: &[PathSize], shown: usize) {
    paths.iter().take(shown).for_each(|path| out::note(row(mark, path)));
    if paths.len() > shown {
        out::note(format_args!("{mark} and {} more", paths.len() - shown));
    }
}

fn row(mark: &str, path: &PathSize) -> String {
    format!("{mark} {}  {}", reveal_line(&path.path), show::size(path.size))
}

fn shares(name: &str, changes: &str) {
    out::note(format_args!("{} has the same workspace: it {changes} there too", sanitize_line(name)));
}

fn told_errors(changes: &Changes) {
    if !changes.errors.is_empty() {
        out::note("not all of it went well:");
        list_errors(&changes.errors);
    }
}

fn summary(changes: &Changes) -> String {
    format!("{} added, {} changed, {} deleted", changes.added.len(), changes.changed.len(), changes.deleted.len())
}
