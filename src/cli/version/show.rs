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
    let marks = [
        (version.legacy, "made by another tool"),
        (!version.complete && !version.legacy, "files changed while it was saved"),
    ];
    for (_, mark) in marks.iter().filter(|(is, _)| *is) {
        text = if text.is_empty() { format!("({mark})") } else { format!("{text} ({mark})") };
    }
    text
}
