//! `version save`

use std::time::Duration;

use super::show::lack;
use crate::{
    api::{Command, command::Saved},
    cli::{context::Context, failure::Failure, out, show, work::Work},
    core::text::sanitize_line,
};

pub(super) async fn run(context: &Context, sandbox: String, note: String) -> Result<(), Failure> {
    let work = Work::begin(context, "version_save").await?;
    let saved: Saved = work.finish("saving", Command::VersionSave { sandbox, note }).await?;
    if context.json {
        return Ok(out::json(&saved)?);
    }
    told(&saved)
}

/// A version that was made: also by `sandbox terminate --save`.
pub(in crate::cli) fn told(saved: &Saved) -> Result<(), Failure> {
    let v = &saved.version;
    out::line(format_args!(
        "saved as version {}: {}, {} in {}",
        v.version,
        show::count(v.files, "file", "files"),
        show::size(v.bytes),
        show::duration(millis(saved.stats.duration))
    ))?;
    if let Some(lack) = lack(v) {
        out::note(format_args!("the version is {lack}"));
    }
    list_errors(&saved.stats.errors);
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What could not be done. A tree of many unreadable files must not fill the screen.
pub(super) fn list_errors(errors: &[String]) {
    const SHOWN: usize = 20;
    for error in errors.iter().take(SHOWN) {
        out::note(format_args!("  {}", sanitize_line(error)));
    }
    if errors.len() > SHOWN {
        out::note(format_args!("  and {} more; --json has them all", errors.len() - SHOWN));
    }
}
