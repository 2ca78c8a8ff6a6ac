//! A key or password, and where it comes from: as it is, from a file, or from a command's output.
//!
//! The command runs once for each process and key; its output without the last line end is the key.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use secrecy::SecretString;

/// Password managers that ask a person need some seconds; one that takes longer than this hangs.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// No key is longer; a file or output above it is a mistake (a wrong path, a log).
const MAX_LEN: usize = 64 << 10;

/// Why a key could not be had. Names the key and its source, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SecretError {
    /// The key in the configuration.
    pub key: String,
    /// What went wrong.
    pub problem: String,
}

/// One key of the configuration with its three spellings.
#[derive(Clone)]
pub struct Secret {
    name: &'static str,
    source: Source,
    cached: std::sync::Arc<OnceLock<Result<SecretString, SecretError>>>,
}

#[derive(Clone)]
enum Source {
    Unset,
    Value(SecretString),
    File(PathBuf),
    Command(String),
}

impl Secret {
    /// The first that is set of value, file, command.
    pub(super) fn new(
        name: &'static str,
        value: &Option<SecretString>,
        file: &Option<PathBuf>,
        command: &Option<String>,
    ) -> Self {
        let source = match (value, file, command) {
            (Some(value), _, _) => Source::Value(value.clone()),
            (None, Some(file), _) => Source::File(file.clone()),
            (None, None, Some(command)) => Source::Command(command.clone()),
            (None, None, None) => Source::Unset,
        };
        Self { name, source, cached: std::sync::Arc::default() }
    }

    /// Whether the configuration names one.
    pub fn is_set(&self) -> bool {
        !matches!(self.source, Source::Unset)
    }

    /// The key in the configuration that names it (`claude.api_key_file`); for `doctor`.
    pub fn source(&self) -> Option<String> {
        match self.source {
            Source::Unset => None,
            Source::Value(_) => Some(self.name.to_owned()),
            Source::File(_) => Some(format!("{}_file", self.name)),
            Source::Command(_) => Some(format!("{}_command", self.name)),
        }
    }

    /// Whether its file can be read. A command is not run for that: it may ask a person.
    ///
    /// # Errors
    /// A file that gives no key.
    pub(super) fn look(&self) -> Result<(), SecretError> {
        match self.source {
            Source::File(_) => self.get().map(drop),
            _ => Ok(()),
        }
    }

    /// The key itself; `None` when the configuration doesn't name one. Blocks while a file or command is read.
    ///
    /// # Errors
    /// A file that can't be read; a command that fails, prints nothing or takes more than 30 s.
    pub fn get(&self) -> Result<Option<SecretString>, SecretError> {
        let fail = |problem: String| SecretError { key: self.source().unwrap_or_default(), problem };
        match &self.source {
            Source::Unset => Ok(None),
            Source::Value(value) => Ok(Some(value.clone())),
            Source::File(path) => self.cached.get_or_init(|| from_file(path).map_err(fail)).clone().map(Some),
            Source::Command(line) => self.cached.get_or_init(|| from_command(line).map_err(fail)).clone().map(Some),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.source().as_deref().unwrap_or("not set"))
    }
}

fn from_file(path: &Path) -> Result<SecretString, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{} can't be read: {e}", path.display()))?;
    checked(text, &format!("the file {}", path.display()))
}

fn from_command(line: &str) -> Result<SecretString, String> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("the command can't be started: {e}"))?;
    let output = child.stdout.take();
    // A thread reads, so that a command which prints and then hangs is still ended in time.
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.map(|out| out.take(MAX_LEN as u64 + 1).read_to_string(&mut text)).transpose().map(|_| text)
    });
    let status = wait(&mut child).ok_or("the command took more than 30 s and was ended")?;
    if !status.success() {
        return Err(format!("the command ended with {status}"));
    }
    match reader.join() {
        Ok(Ok(text)) => checked(text, "the command's output"),
        _ => Err("the command's output is not text".to_owned()),
    }
}

fn wait(child: &mut Child) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + COMMAND_TIMEOUT;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            // Both only fail for a child that is gone already.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn checked(text: String, what: &str) -> Result<SecretString, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if trimmed.len() > MAX_LEN {
        return Err(format!("{what} is longer than any key"));
    }
    Ok(SecretString::from(trimmed.to_owned()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn get(file: Option<PathBuf>, command: Option<&str>) -> Result<String, String> {
        Secret::new("claude.api_key", &None, &file, &command.map(str::to_owned))
            .get()
            .map(|s| s.unwrap().expose_secret().to_owned())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_file_or_a_commands_output_is_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "heron\n").unwrap();
        assert_eq!(get(Some(path), None).unwrap(), "heron");
        assert_eq!(get(None, Some("printf 'heron\\n'")).unwrap(), "heron");
    }

    #[test]
    fn what_fails_names_the_key_and_not_its_value() {
        assert_eq!(
            get(None, Some("echo heron; exit 3")).unwrap_err(),
            "claude.api_key_command: the command ended with exit status: 3"
        );
        assert_eq!(get(None, Some("true")).unwrap_err(), "claude.api_key_command: the command's output is empty");
        assert!(get(Some("/nonexistent".into()), None).unwrap_err().starts_with("claude.api_key_file: /nonexistent"));
    }

    #[test]
    fn a_command_runs_once() {
        let dir = tempfile::tempdir().unwrap();
        let count = dir.path().join("count");
        let line = format!("echo x >> {0}; wc -l < {0}", count.display());
        let secret = Secret::new("k", &None, &None, &Some(line));
        assert_eq!(secret.get().unwrap().unwrap().expose_secret(), "1");
        assert_eq!(secret.clone().get().unwrap().unwrap().expose_secret(), "1");
    }

    #[test]
    fn debug_output_tells_the_source_only() {
        let secret = Secret::new("claude.api_key", &Some(SecretString::from("hunter2")), &None, &None);
        assert_eq!(format!("{secret:?}"), "Secret(claude.api_key)");
    }
}
