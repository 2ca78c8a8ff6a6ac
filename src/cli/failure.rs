//! How a command ends when it doesn't end well.

use std::{io, process::ExitCode};

use super::out;
use crate::{
    api::{ApiError, ErrorBody},
    config::ConfigError,
    core::text::{sanitize, sanitize_line},
};

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// For a reason that is told.
    Api(ApiError),
    /// Its own input or output broke.
    Io(io::Error),
    /// With this exit code; everything is told already.
    Exit(u8),
}

impl Failure {
    /// By ctrl-c.
    pub fn interrupted() -> Self {
        Self::Api(ApiError::interrupted("interrupted"))
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Api(ApiError::not_configured(error.to_string()))
    }
}

/// Tells a failure and gives the exit code that scripts rely on.
pub(super) fn exit(result: Result<(), Failure>, json: bool) -> ExitCode {
    let error = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Exit(code)) => return ExitCode::from(code),
        // Whoever read our output has enough (`| head`).
        Err(Failure::Io(e)) if e.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Failure::Io(e)) => ApiError::failed(e.to_string()),
        Err(Failure::Api(error)) => error,
    };
    tell(&error, json);
    ExitCode::from(error.code.exit_code())
}

/// Tells an error: a document on stdout, or a sentence on stderr and what to do next.
pub(super) fn tell(error: &ApiError, json: bool) {
    if json {
        // When nobody reads it there is nobody to tell; the exit code remains.
        let _ = out::json(&ErrorBody { error: error.clone() });
        return;
    }
    out::note(format_args!("sandbank: {}", sanitize(&error.message)));
    if !error.hint.is_empty() {
        out::note(format_args!("  {}", sanitize_line(&error.hint)));
    }
}
