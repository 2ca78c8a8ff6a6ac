//! The screen's log: what it warns of goes to a file, never to the terminal that it draws on.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

/// A log of this length becomes the old one, in the place of the one before: some thousands of warnings, and together
/// with the old one not more than anybody reads.
const MAX: u64 = 1 << 20;

/// Lines that may wait for the disk; a flood of them says nothing new. Room for all is made at once: the crate's own
/// 128,000 are four megabytes and two milliseconds of a start.
const WAITING: usize = 256;

/// Writes warnings and panics to `screen.log` in a folder, on a thread of its own: a disk that stands still holds nothing
/// up. The file is opened by the first of them, so that no start waits for it. What is on its way is written when the
/// guard goes.
pub(super) fn start(folder: PathBuf) -> Option<WorkerGuard> {
    let log = NonBlockingBuilder::default().buffered_lines_limit(WAITING);
    let (writer, guard) = log.finish(Log { folder, file: None });
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(writer)
        .with_ansi(false)
        // They would go to the terminal.
        .log_internal_errors(false)
        .try_init()
        .ok()?;
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "panic");
        before(panic);
    }));
    Some(guard)
}

struct Log {
    folder: PathBuf,
    /// With the bytes in it.
    file: Option<(File, u64)>,
}

impl Log {
    fn open(&mut self) -> io::Result<&mut (File, u64)> {
        let path = self.folder.join("screen.log");
        if self.file.as_ref().is_some_and(|(_, bytes)| *bytes >= MAX) {
            // Two screens may do so at once; at worst the old log is short.
            fs::rename(&path, self.folder.join("screen.log.old"))?;
            self.file = None;
        }
        match &mut self.file {
            Some(open) => Ok(open),
            none => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
                let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
                let bytes = file.metadata()?.len();
                Ok(none.insert((file, bytes)))
            }
        }
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let (file, bytes) = self.open()?;
        file.write_all(line)?;
        *bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_by_the_first_line_for_its_user_and_does_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("log");
        let mut log = Log { folder: folder.clone(), file: None };
        assert!(!folder.exists());
        let line = [b'x'; 1 << 10];
        for _ in 0..(3 * MAX) >> 10 {
            log.write_all(&line).unwrap();
        }
        let sizes: Vec<_> = ["screen.log", "screen.log.old"]
            .iter()
            .map(|name| fs::metadata(folder.join(name)).unwrap())
            .inspect(|meta| assert_eq!(meta.permissions().mode() & 0o777, 0o600))
            .map(|meta| meta.len())
            .collect();
        assert_eq!(sizes, [MAX, MAX]);
    }
}
