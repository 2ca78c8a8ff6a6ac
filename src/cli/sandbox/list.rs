//! `sandbox list`

use jiff::Timestamp;

use crate::{
    api::Scope,
    cli::{context::Context, failure::Failure, out, show, table::Table},
};

pub(super) async fn run(context: &Context, all: bool) -> Result<(), Failure> {
    let sandboxes = context.client()?.sandboxes(&Scope { all, ..context.scope() }).await?;
    if context.json {
        return Ok(out::json(&sandboxes)?);
    }
    if sandboxes.is_empty() {
        out::note("no sandboxes; `sandbank sandbox create` starts one");
        return Ok(());
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["NAME", "STATUS", "AGE", "IMAGE", "ID"]);
    for s in &sandboxes {
        let (status, age) = (s.status.to_string(), show::age(s.created_at, now));
        table.row(&[&s.name, &status, &age, &s.image, s.sandbox_id.as_str()]);
    }
    Ok(table.print()?)
}
