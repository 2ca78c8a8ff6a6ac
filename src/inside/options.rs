//! The arguments of `inside run` and `inside attach`. Only the service writes them, so they are read plainly.

use std::{ffi::OsString, io, path::PathBuf, time::Duration};

use super::spawn::Input;

/// Where spools lie in a sandbox.
pub const SPOOLS: &str = "/tmp/.sandbank";

/// Output that nobody has stored may fill this much of the sandbox's disk; then the command waits.
pub const UNREAD: u64 = 1 << 30;

/// `inside run ID [--pty ROWSxCOLUMNS] [--stdin pipe|pty|null] [--dir DIR] [--idle SECONDS] [--unread BYTES]
/// [--attach OFFSET] [--forget ID]… -- COMMAND…`
pub struct RunOptions {
    /// Names the command and its folder.
    pub id: String,
    /// Where the folder is.
    pub dir: PathBuf,
    /// Rows and columns, for a terminal.
    pub pty: Option<(u16, u16)>,
    /// Where standard input comes from.
    pub stdin: Input,
    /// Ended when nothing is said for so long.
    pub idle: Option<Duration>,
    /// Bytes that may wait to be stored.
    pub unread: u64,
    /// Once it is started, or was before, go on as [`super::attach`] from this offset: one process less to start.
    pub attach: Option<u64>,
    /// Commands that have ended and whose folders may go.
    pub forget: Vec<String>,
    /// argv.
    pub command: Vec<OsString>,
}

/// `inside attach ID --from OFFSET [--dir DIR]`
pub struct AttachOptions {
    /// Which command.
    pub id: String,
    /// Where the folder is.
    pub dir: PathBuf,
    /// First byte of output that is wanted.
    pub from: u64,
}

fn usage(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.to_owned())
}

/// An id becomes a file name: letters, digits and dashes.
fn id(words: &mut dyn Iterator<Item = OsString>) -> io::Result<String> {
    let id = words.next().and_then(|w| w.into_string().ok()).unwrap_or_default();
    let ok = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if ok { Ok(id) } else { Err(usage("the id must be 1 to 64 letters, digits or dashes")) }
}

fn number<T: std::str::FromStr>(value: Option<OsString>, what: &str) -> io::Result<T> {
    let text = value.and_then(|v| v.into_string().ok()).unwrap_or_default();
    text.parse().map_err(|_| usage(&format!("{what} needs a number")))
}

impl RunOptions {
    /// Reads the words after `run`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> io::Result<Self> {
        let mut words = words.into_iter();
        let mut options = Self {
            id: id(&mut words)?,
            dir: SPOOLS.into(),
            pty: None,
            stdin: Input::Null,
            idle: None,
            unread: UNREAD,
            attach: None,
            forget: Vec::new(),
            command: Vec::new(),
        };
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--") => {
                    options.command = words.collect();
                    break;
                }
                Some("--dir") => options.dir = words.next().ok_or_else(|| usage("--dir needs a folder"))?.into(),
                Some("--pty") => {
                    let size = words.next().and_then(|w| w.into_string().ok()).unwrap_or_default();
                    let parts = size.split_once('x').and_then(|(r, c)| Some((r.parse().ok()?, c.parse().ok()?)));
                    options.pty = Some(parts.ok_or_else(|| usage("--pty needs ROWSxCOLUMNS"))?);
                }
                Some("--stdin") => {
                    options.stdin = match words.next().as_deref().and_then(|w| w.to_str()) {
                        Some("pipe") => Input::Pipe,
                        Some("pty") => Input::Terminal,
                        Some("null") => Input::Null,
                        _ => return Err(usage("--stdin needs pipe, pty or null")),
                    }
                }
                Some("--idle") => options.idle = Some(Duration::from_secs(number(words.next(), "--idle")?)),
                Some("--attach") => options.attach = Some(number(words.next(), "--attach")?),
                Some("--forget") => options.forget.push(id(&mut words)?),
                Some("--unread") => options.unread = number(words.next(), "--unread")?,
                _ => return Err(usage(&format!("unknown option {}", word.display()))),
            }
        }
        if options.command.is_empty() {
            return Err(usage("a command is needed after --"));
        }
        Ok(options)
    }

    /// The command's folder.
    pub fn folder(&self) -> PathBuf {
        self.dir.join(&self.id)
    }
}

impl AttachOptions {
    /// Reads the words after `attach`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> io::Result<Self> {
        let mut words = words.into_iter();
        let mut options = Self { id: id(&mut words)?, dir: SPOOLS.into(), from: 0 };
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--dir") => options.dir = words.next().ok_or_else(|| usage("--dir needs a folder"))?.into(),
                Some("--from") => options.from = number(words.next(), "--from")?,
                _ => return Err(usage(&format!("unknown option {}", word.display()))),
            }
        }
        Ok(options)
    }

    /// The command's folder.
    pub fn folder(&self) -> PathBuf {
        self.dir.join(&self.id)
    }
}
