//! `sandbank doctor`: also when nothing else works.

use std::{env, io};

use super::{args::Global, context::Context, failure::Failure, out, screen};
use crate::{
    api::{ApiError, Doctor, DoctorCheck, ErrorCode},
    config,
    core::text::sanitize_line,
    tui::term::{self, Refused},
};

pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let report = examine(global).await?;
    if global.json {
        out::json(&report)?;
    } else {
        print(&report)?;
    }
    if report.ok { Ok(()) } else { Err(Failure::Exit(ErrorCode::NotConfigured.exit_code())) }
}

fn print(report: &Doctor) -> io::Result<()> {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in &report.checks {
        let mark = if check.ok { "ok" } else { "wrong" };
        let (name, detail) = (sanitize_line(&check.name), sanitize_line(&check.detail));
        out::line(format_args!("{mark:<5}  {name:<width$}  {detail}"))?;
        if !check.ok && !check.remedy.is_empty() {
            out::line(format_args!("       {}", sanitize_line(&check.remedy)))?;
        }
    }
    Ok(())
}

/// What can be seen without a server, then what the server sees. The first thing that keeps it from running ends the
/// list: nothing after it can be known.
async fn examine(global: &Global) -> Result<Doctor, Failure> {
    let mut report = Doctor::default();
    let context = match Context::new(global) {
        Ok(context) => context,
        Err(failure) => return stopped(report, "configuration", failure),
    };
    let file = context.named.clone().or_else(config::default_path).filter(|path| path.exists());
    let read = file.map_or("no file: defaults are in force".to_owned(), |path| path.display().to_string());
    report.add(right("configuration", read));
    for it in context.config.missing() {
        let error = ApiError::not_configured(format!("{}: {}", it.key, it.problem));
        report.add(wrong("configuration", error.hint("make what it names, or name another")));
    }
    report.add(match screen::own_looks(&context) {
        Ok(_) => right("keys and looks", "in order".to_owned()),
        Err(error) => wrong("keys and looks", error),
    });
    report.add(terminal());
    let client = match context.client() {
        Ok(client) => client,
        Err(failure) => return stopped(report, "data dir", failure),
    };
    report.add(right("data dir", context.data.path().display().to_string()));
    match client.doctor(&context.scope()).await {
        Ok(seen) => {
            report.add(right("server", "runs".to_owned()));
            seen.checks.into_iter().for_each(|check| report.add(check));
            Ok(report)
        }
        Err(error) => stopped(report, "server", error.into()),
    }
}

/// The report that ends with what went wrong.
fn stopped(mut report: Doctor, name: &str, failure: Failure) -> Result<Doctor, Failure> {
    let Failure::Api(error) = failure else { return Err(failure) };
    report.add(wrong(name, error));
    Ok(report)
}

/// What the screen would be drawn on. That there is none here is no fault: commands and scripts need none.
fn terminal() -> DoctorCheck {
    let is = |name: &str, words: &'static str| match env::var_os(name) {
        Some(value) if !value.is_empty() => words,
        _ => "",
    };
    match term::look() {
        Ok(size) => {
            let name = env::var("TERM").unwrap_or_default();
            let (tmux, ssh) = (is("TMUX", ", in tmux"), is("SSH_CONNECTION", ", over ssh"));
            let plain = is("NO_COLOR", ", without colours");
            right("terminal", format!("{name}, {} by {}{tmux}{ssh}{plain}", size.columns, size.rows))
        }
        Err(Refused::NoTerminal) => right("terminal", "none here; the screen needs one".to_owned()),
        Err(refused) => wrong("terminal", ApiError::usage(refused.to_string()).hint(refused.hint())),
    }
}

fn wrong(name: &str, error: ApiError) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: false, detail: error.message, remedy: error.hint }
}

fn right(name: &str, detail: String) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), ok: true, detail, remedy: String::new() }
}
