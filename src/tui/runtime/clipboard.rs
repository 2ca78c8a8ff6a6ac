//! The clipboard beyond OSC 52: tmux's buffer, and a file for what no terminal takes.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::whole;
use crate::{core::figures, tui::term::MAX_CLIPBOARD};

/// How long tmux may take; it answers within milliseconds or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where copies go beside the terminal.
#[derive(Debug, Clone)]
pub struct Clipboard {
    /// `$TMUX`, if we are inside one.
    pub tmux: Option<OsString>,
    /// Folder for what is too long for a terminal.
    pub folder: PathBuf,
}

impl Clipboard {
    /// Takes a text that the terminal was sent, or was too long for; says for people where it is.
    pub(super) async fn take(self, text: String, sent: bool) -> Result<String, String> {
        let loaded = match &self.tmux {
            Some(tmux) => loaded("tmux".as_ref(), tmux, &text).await,
            None => false,
        };
        let size = figures::size(text.len() as u64);
        match (sent, loaded) {
            (true, true) => Ok("sent to your terminal (OSC 52) and to tmux's buffer".to_owned()),
            (true, false) => Ok("sent to your terminal (OSC 52)".to_owned()),
            (false, true) => Ok(format!("{size} sent to tmux's buffer; a terminal's clipboard takes less")),
            (false, false) => {
                let most = figures::size((MAX_CLIPBOARD / 4 * 3) as u64);
                // The next long copy replaces it, so that they don't pile up.
                let path = self.folder.join("copied");
                let put = path.clone();
                let written = tokio::task::spawn_blocking(move || whole::write(&put, text.as_bytes())).await;
                match written.map_err(io::Error::other).and_then(|written| written) {
                    Ok(()) => Ok(format!("{size} written to {}; a terminal's clipboard takes {most}", path.display())),
                    Err(error) => Err(format!(
                        "{size} are too long for a terminal's clipboard ({most}), and {} can't be written: {error}",
                        path.display()
                    )),
                }
            }
        }
    }
}

/// Has tmux take a text and send it on to its terminal; before 3.2 it could only take it. By default it takes nothing
/// from a program's own OSC 52 (`set-clipboard external`).
async fn loaded(program: &Path, tmux: &OsString, text: &str) -> bool {
    load(program, tmux, &["load-buffer", "-w", "-"], text).await
        || load(program, tmux, &["load-buffer", "-"], text).await
}

async fn load(program: &Path, tmux: &OsString, args: &[&str], text: &str) -> bool {
    let child = Command::new(program)
        .args(args)
        .env("TMUX", tmux)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // One that takes too long is not left behind.
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = child else { return false };
    let input = child.stdin.take();
    let done = timeout(PATIENCE, async {
        if let Some(mut input) = input {
            // What it doesn't read it answers for.
            let _ = input.write_all(text.as_bytes()).await;
        }
        child.wait().await
    });
    matches!(done.await, Ok(Ok(status)) if status.success())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn without_tmux(folder: &Path) -> Clipboard {
        Clipboard { tmux: None, folder: folder.to_owned() }
    }

    #[tokio::test]
    async fn what_no_terminal_takes_is_in_a_file_that_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(100_000);
        let said = without_tmux(dir.path()).take(long.clone(), false).await.unwrap();
        let path = dir.path().join("copied");
        assert!(said.contains(path.to_str().unwrap()), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), long);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let gone = dir.path().join("gone");
        assert!(without_tmux(&gone).take(long, false).await.unwrap_err().contains("can't be written"));
    }

    /// A program in the place of tmux, which leaves what it was told and given.
    fn in_place_of_tmux(folder: &Path, script: &str) -> PathBuf {
        let program = folder.join("tmux");
        fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}", folder.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        program
    }

    #[tokio::test]
    async fn an_older_tmux_is_asked_without_what_it_does_not_know() {
        let dir = tempfile::tempdir().unwrap();
        let program = in_place_of_tmux(dir.path(), "[ \"$2\" = -w ] && exit 1\necho \"$TMUX $@\" > asked; cat > given");
        let text = "a copy\n".repeat(30_000);
        assert!(loaded(&program, &"/tmp/socket,1,0".into(), &text).await);
        assert_eq!(fs::read_to_string(dir.path().join("asked")).unwrap(), "/tmp/socket,1,0 load-buffer -\n");
        assert_eq!(fs::read_to_string(dir.path().join("given")).unwrap(), text);
    }

    #[tokio::test]
    async fn a_tmux_that_is_gone_or_stands_still_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!loaded(&dir.path().join("none"), &"x".into(), "a copy").await);
        let program = in_place_of_tmux(dir.path(), "exec sleep 600");
        let begin = std::time::Instant::now();
        assert!(!loaded(&program, &"x".into(), &"a copy".repeat(100_000)).await);
        assert!(begin.elapsed() < 10 * PATIENCE);
    }

    /// The real one, where there is one.
    #[tokio::test]
    async fn tmux_has_the_text_in_its_buffer() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let tmux = |args: &[&str]| {
            std::process::Command::new("tmux").arg("-S").arg(&socket).args(["-f", "/dev/null"]).args(args).output()
        };
        if !tmux(&["new-session", "-d", "cat"]).is_ok_and(|out| out.status.success()) {
            return;
        }
        let inside = format!("{},1,0", socket.display()).into();
        let taken = loaded("tmux".as_ref(), &inside, "a copy").await;
        let shown = tmux(&["show-buffer"]).unwrap();
        tmux(&["kill-server"]).unwrap();
        assert!(taken);
        assert_eq!(shown.stdout, b"a copy");
    }
}
