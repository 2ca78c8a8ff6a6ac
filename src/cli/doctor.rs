//! `sandbank doctor`: also when nothing else works.

use super::{args::Global, context::Context, failure::Failure, out};
use crate::{
    api::{ApiError, Doctor, DoctorCheck},
    core::text::sanitize_line,
};

pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let report = examine(global).await?;
    if global.json {
        out::json(&report)?;
    } else {
        for check in &report.checks {
            let mark = if check.ok { "ok     " } else { "wrong  " };
            out::line(format_args!("{mark}{}: {}", sanitize_line(&check.name), sanitize_line(&check.detail)))?;
            if !check.ok && !check.remedy.is_empty() {
                out::line(format_args!("       {}", sanitize_line(&check.remedy)))?;
            }
        }
    }
    if report.ok { Ok(()) } else { Err(Failure::Exit(1)) }
}

/// First what can be seen without a server, then what the server sees. What the server needs and hasn't is one wrong
/// check among the others.
async fn examine(global: &Global) -> Result<Doctor, Failure> {
    let mut report = Doctor::default();
    let context = match Context::new(global) {
        Ok(context) => context,
        Err(Failure::Api(error)) => {
            report.add(wrong("configuration", error));
            return Ok(report);
        }
        Err(other) => return Err(other),
    };
    let file = context.named.clone().or_else(crate::config::default_path).filter(|path| path.exists());
    report.add(right(
        "configuration",
        file.map_or_else(|| "none: defaults are in force".to_owned(), |path| path.display().to_string()),
    ));
    let client = match context.client() {
        Ok(client) => client,
        Err(Failure::Api(error)) => {
            report.add(wrong("data dir", error));
            return Ok(report);
        }
        Err(other) => return Err(other),
    };
    report.add(right("data dir", context.data.path().display().to_string()));
    match client.doctor(&context.scope()).await {
        Ok(seen) => {
            report.add(right("server", "runs".to_owned()));
            seen.checks.into_iter().for_each(|check| report.add(check));
        }
        Err(error) => report.add(wrong("server", error)),
    }
    Ok(report)
}

fn right(name: &str, detail: String) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: true, detail, remedy: String::new() }
}

fn wrong(name: &str, error: ApiError) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: false, detail: error.message, remedy: error.hint }
}
