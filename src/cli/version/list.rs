//! `version list`

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
