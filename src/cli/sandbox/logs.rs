//! `sandbox logs`

use std::io::{self, IsTerminal};

use futures::StreamExt;
use serde_json::json;

use crate::{
    api::LogsQuery,
    cli::{context::Context, failure::Failure, out},
    core::text::sanitize,
};

pub(super) async fn run(context: &Context, name: &str, follow: bool) -> Result<(), Failure> {
    let query = LogsQuery { account: context.account.clone(), profile: context.profile, follow };
    let mut log = context.client()?.logs(&query, name).await?;
    let terminal = io::stdout().is_terminal();
    let mut kept = Vec::new();
    while let Some(piece) = log.next().await {
        let piece = piece?;
        if context.json {
            kept.extend_from_slice(&piece);
        } else if terminal {
            kept.extend_from_slice(&piece);
            let end = whole_lines(&kept);
            show(&kept[..end])?;
            kept.drain(..end);
        } else {
            out::raw(&piece)?;
        }
    }
    if context.json {
        return Ok(out::json(&json!({ "output": String::from_utf8_lossy(&kept) }))?);
    }
    show(&kept)
}

/// A log is shown when its lines are whole, so that a sequence cut in two can't pass. One that never ends a line is
/// shown in pieces of this size.
const MAX_LINE: usize = 64 << 10;

fn whole_lines(bytes: &[u8]) -> usize {
    match bytes.iter().rposition(|b| *b == b'\n') {
        Some(at) => at + 1,
        None if bytes.len() > MAX_LINE => bytes.len(),
        None => 0,
    }
}

/// What a sandbox wrote must not control the terminal that shows it.
fn show(bytes: &[u8]) -> Result<(), Failure> {
    Ok(out::raw(sanitize(&String::from_utf8_lossy(bytes)).as_str().as_bytes())?)
}
