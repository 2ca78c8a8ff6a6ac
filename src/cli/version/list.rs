//! `version list`, of versions and of saves that have not ended

use jiff::Timestamp;

use super::show::remarks;
use crate::cli::{context::Context, failure::Failure, out, show, table::Table};

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let versions = context.client()?.versions(&context.scope()).await?;
    if context.json {
        return Ok(out::json(&versions)?);
    }
    if versions.is_empty() {
        out::note("no versions; `sandbank version save SANDBOX` makes one");
        return Ok(());
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["VERSION", "AGE", "FILES", "SIZE", "NOTE"]);
    for v in &versions {
        let cells =
            [v.version.to_string(), show::age(v.created_at, now), v.files.to_string(), show::size(v.bytes), remarks(v)];
        table.row(&cells.each_ref().map(String::as_str));
    }
    Ok(table.print()?)
}

pub(super) async fn unfinished(context: &Context) -> Result<(), Failure> {
    let saves = context.client()?.unfinished_saves(&context.scope()).await?;
    if context.json {
        return Ok(out::json(&saves)?);
    }
    if saves.is_empty() {
        out::note("no unfinished saves");
        return Ok(());
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["VERSION", "AGE", "SANDBOX", "SAVER"]);
    for save in &saves {
        let sandbox = save.sandbox_id.as_ref().map_or("-", |id| id.as_str()).to_owned();
        let saver = save.saver.map_or_else(|| "-".to_owned(), |saver| saver.to_string());
        let cells = [save.version.to_string(), show::age(save.created_at, now), sandbox, saver];
        table.row(&cells.each_ref().map(String::as_str));
    }
    Ok(table.print()?)
}
