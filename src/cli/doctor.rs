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

/// What the server sees, which is everything once it runs; what keeps it from running is the one wrong check.
async fn examine(global: &Global) -> Result<Doctor, Failure> {
    let mut report = Doctor::default();
    let reached = match Context::new(global) {
        Ok(context) => match context.client() {
            Ok(client) => client.doctor(&context.scope()).await.map_err(|error| ("server", error)),
            Err(Failure::Api(error)) => Err(("data dir", error)),
            Err(other) => return Err(other),
        },
        Err(Failure::Api(error)) => Err(("configuration", error)),
        Err(other) => return Err(other),
    };
    match reached {
        Ok(seen) => {
            report.add(right("server", "runs".to_owned()));
            seen.checks.into_iter().for_each(|check| report.add(check));
        }
        Err((name, error)) => report.add(wrong(name, error)),
    }
    Ok(report)
}

fn right(name: &str, detail: String) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: true, detail, remedy: String::new() }
}

fn wrong(name: &str, error: ApiError) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: false, detail: error.message, remedy: error.hint }
}
