//! `version show` and `version latest`

use jiff::Timestamp;

use crate::{
    cli::{context::Context, failure::Failure, out, show},
    core::Version,
};

/// `version latest`: its number, so that a script can take it as it is.
pub(super) async fn latest(context: &Context) -> Result<(), Failure> {
    let version = context.client()?.version(&context.scope(), "latest").await?;
    if context.json {
        return Ok(out::json(&version)?);
    }
    Ok(out::line(version.version)?)
}

/// `version show`
pub(super) async fn run(context: &Context, name: &str) -> Result<(), Failure> {
    let v = context.client()?.version(&context.scope(), name).await?;
    if context.json {
        return Ok(out::json(&v)?);
    }
    out::field("version", &v.version.to_string())?;
    out::field("account", v.account_id.as_str())?;
    out::field("saved", &format!("{} ({} ago)", v.created_at, show::age(v.created_at, Timestamp::now())))?;
    out::field("files", &v.files.to_string())?;
    out::field("size", &show::size(v.bytes))?;
    if !remarks(&v).is_empty() {
        out::field("note", &remarks(&v))?;
    }
    Ok(())
}

/// The note, and what is special about a version.
pub(super) fn remarks(version: &Version) -> String {
    let mut text = version.note.clone();
    let marks = [version.legacy.then(|| "made by another tool".to_owned()), lack(version)];
    for mark in marks.into_iter().flatten() {
        text = if text.is_empty() { format!("({mark})") } else { format!("{text} ({mark})") };
    }
    text
}

/// What an incomplete version lacks.
pub(super) fn lack(version: &Version) -> Option<String> {
    (!version.complete).then(|| match version.left_out {
        0 => "incomplete".to_owned(),
        n => format!("incomplete: {} left out", show::count(n, "path", "paths")),
    })
}
