//! `inside run ID [options] -- COMMAND…`: starts a shim for a command, once.
//!
//! Whoever starts it gets an answer at once and may go away; the command doesn't notice.
//!
//! The folder `DIR/ID/` holds `lock` (held while the shim lives), `sock` (for [`super::attach`]), the spool, and at
//! the end `exit` with the exit code.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use super::{
    attach,
    options::{AttachOptions, RunOptions},
    shim::{Shim, write_exit},
    spawn::{self, Side},
    spool,
    words::Stream,
};

/// Starts the command unless it was started before; says `started` or `running` on standard output, or goes on as
/// `attach`.
pub fn run(options: &RunOptions) -> io::Result<()> {
    let dir = options.folder();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    let lock = File::create(dir.join("lock"))?;
    let held = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok();
    if !held || dir.join("sock").exists() || dir.join("exit").exists() {
        return go_on(options, "running\n");
    }
    match spawn::detach()? {
        Side::Parent { mut ready } => {
            drop(lock);
            let mut trouble = String::new();
            ready.read_to_string(&mut trouble)?;
            if trouble.is_empty() { go_on(options, "started\n") } else { Err(io::Error::other(trouble)) }
        }
        Side::Child { mut ready } => {
            let ended = match Shim::start(&dir, options) {
                Ok(mut shim) => {
                    drop(ready);
                    options.forget.iter().for_each(|id| forget(&options.dir.join(id)));
                    shim.serve()
                }
                Err(e) => {
                    // A command that can't be started has an exit code like a shell's.
                    let code = if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
                    let _ = spool::Writer::create(&dir).and_then(|mut s| {
                        s.append(Stream::Err, format!("{}: {e}\n", options.command[0].display()).as_bytes())
                    });
                    let _ = write_exit(&dir, code);
                    if code == 126 {
                        let _ = write!(ready, "the command could not be started: {e}");
                    }
                    Ok(())
                }
            };
            drop(lock);
            ended
        }
    }
}

/// What the starting process does once the command is there.
fn go_on(options: &RunOptions, word: &str) -> io::Result<()> {
    match options.attach {
        Some(from) => attach::attach(&AttachOptions { id: options.id.clone(), dir: options.dir.clone(), from }),
        None => say(word),
    }
}

/// Removes what a command left, unless its shim still lives.
fn forget(dir: &Path) {
    let ended = File::open(dir.join("lock"))
        .is_ok_and(|lock| rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok());
    if ended {
        // What can't be removed only costs room.
        let _ = fs::remove_dir_all(dir);
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}
