//! `version save`

use super::show::lack;
use crate::{
    api::{Command, command::Saved},
    cli::{context::Context, failure::Failure, out, show, work::Work},
    core::{SyncStats, text::sanitize_line},
};

pub(super) async fn run(context: &Context, sandbox: String, note: String) -> Result<(), Failure> {
    let work = Work::begin(context, "version_save").await?;
    let saved: Saved = work.finish("saving", Command::VersionSave { sandbox, note }).await?;
    if context.json {
        return Ok(out::json(&saved)?);
    }
    let v = &saved.version;
    out::line(format_args!(
        "saved as version {}: {}, {}",
        v.version,
        show::count(v.files, "file", "files"),
        show::size(v.bytes)
    ))?;
    if let Some(lack) = lack(v) {
        out::note(format_args!("the version is {lack}"));
    }
    errors(&saved.stats);
    Ok(())
}

/// What could not be taken along. A tree of many unreadable files must not fill the screen.
fn errors(stats: &SyncStats) {
    const SHOWN: usize = 20;
    for error in stats.errors.iter().take(SHOWN) {
        out::note(format_args!("  {}", sanitize_line(error)));
    }
    if stats.errors.len() > SHOWN {
        out::note(format_args!("  and {} more; --json has them all", stats.errors.len() - SHOWN));
    }
}
