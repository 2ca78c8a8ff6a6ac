//! `sandbank engine status` and `engine env`; `engine run` is in `serve`.

use std::collections::BTreeMap;

use super::{args::EngineCommand, context::Context, failure::Failure, out};
use crate::{api::EngineStatus, client};

pub(super) async fn run(context: &Context, command: EngineCommand) -> Result<(), Failure> {
    match command {
        // Handled where servers are started.
        EngineCommand::Run => Ok(()),
        EngineCommand::Status => status(context).await,
        EngineCommand::Env => env(context).await,
    }
}

/// Starts nothing: an engine that doesn't run is an answer.
async fn status(context: &Context) -> Result<(), Failure> {
    let status = client::engine_status(&context.data).await?;
    if context.json {
        return Ok(out::json(&status)?);
    }
    let EngineStatus { running, pid, version, modal_url, s3_url } = status;
    if !running {
        return Ok(out::line("the engine does not run")?);
    }
    let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    out::line(format_args!("the engine {} runs in process {}", text(version), text(pid.map(|pid| pid.to_string()))))?;
    out::field("Modal", &text(modal_url))?;
    Ok(out::field("S3", &text(s3_url))?)
}

async fn env(context: &Context) -> Result<(), Failure> {
    let access = context.client()?.engine_access().await?;
    if context.json {
        return Ok(out::json(&access.variables.into_iter().collect::<BTreeMap<_, _>>())?);
    }
    for (name, value) in &access.variables {
        out::line(format_args!("export {name}={}", quoted(value)))?;
    }
    Ok(())
}

/// As a word of the shell, as it is when it needs nothing.
fn quoted(value: &str) -> String {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@%+,=".contains(&b)) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("http://127.0.0.1:9000", "http://127.0.0.1:9000")]
    #[case("", "''")]
    #[case("a b'c", "'a b'\\''c'")]
    #[case("$(x)", "'$(x)'")]
    fn values_are_one_word(#[case] value: &str, #[case] word: &str) {
        assert_eq!(quoted(value), word);
    }
}
