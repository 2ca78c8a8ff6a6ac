//! `sandbox exec` and `sandbox shell`: a command's streams are ours.

use std::{
    io::{self, IsTerminal, Read, Write},
    thread,
};

use bytes::Bytes;
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::tty::{self, RawMode};
use crate::{
    api::{ApiError, ExecStart},
    cli::{args::Exec, context::Context, failure::Failure, out, signals::Interrupts},
    client::{ExecControl, ExecIo, ExecOutput},
    core::RequestId,
    tui::pty::Guard,
};

/// Bytes read from our input at once; what pipes hold.
const PIECE: usize = 64 << 10;

/// What `--json` keeps of each stream. A document above it is better had as a stream: without `--json`.
const MAX_COLLECTED: usize = 256 << 20;

const SIGINT: u8 = 2;

/// The user's shell if the sandbox has it, else bash, else sh.
const SHELL: &str =
    "for shell in \"$SHELL\" bash sh; do command -v \"$shell\" >/dev/null 2>&1 && exec \"$shell\"; done";

/// `sandbox shell`
pub(super) async fn shell(context: &Context, sandbox: String) -> Result<(), Failure> {
    let command = ["/bin/sh", "-c", SHELL].map(str::to_owned).to_vec();
    run(context, Exec { sandbox, tty: true, workdir: None, command }).await
}

/// `sandbox exec`
pub(super) async fn run(context: &Context, args: Exec) -> Result<(), Failure> {
    if args.tty && (context.json || !io::stdin().is_terminal() || !io::stdout().is_terminal()) {
        return Err(ApiError::usage("a command can only get a terminal where there is one")
            .hint("leave out -t")
            .into());
    }
    let client = context.client()?;
    let start = ExecStart {
        request_id: context.request_id.unwrap_or_else(RequestId::new),
        account: context.account.clone(),
        profile: context.profile,
        command: args.command,
        workdir: args.workdir,
        pty: args.tty.then(tty::pty),
        stdout_from: 0,
        stderr_from: 0,
    };
    let id = start.request_id;
    let (control, controls) = mpsc::channel(4);
    // A few pieces each way: enough to keep both sides busy, and a command that floods us waits.
    let (output, outputs) = mpsc::channel(4);
    let writer = Writer::start(outputs, context.json, args.tty.then(Guard::default));

    let raw = args.tty.then(RawMode::enter).transpose()?;
    let io = ExecIo { stdin: read_input(), control: controls, output };
    let ended = tokio::select! {
        ended = client.exec(&args.sandbox, start, io) => ended.map_err(Failure::from),
        left = steer(control, args.tty, id) => Err(left),
    };
    drop(raw);
    // What was written is told first: a reader who has enough is no failure of the command.
    let collected = match &ended {
        Err(Failure::Api(error)) if error.code == crate::api::ErrorCode::Interrupted => writer.finished(),
        _ => writer.wait(),
    }?;
    let code = ended?;
    if context.json {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&collected.stdout), text(&collected.stderr));
        return Ok(out::json(&json!({ "exit_code": code, "stdout": stdout, "stderr": stderr }))?);
    }
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Failure::Exit(code)),
        // No process ends with such a code; it must still not look like success.
        Err(_) => Err(Failure::Exit(1)),
    }
}

/// Passes on what comes from outside the streams: the terminal's size, ctrl-c. Ends when following does.
async fn steer(control: mpsc::Sender<ExecControl>, tty: bool, id: RequestId) -> Failure {
    let mut interrupts = Interrupts::take();
    let listen = |kind| signal(kind);
    let (Ok(mut resized), Ok(mut term), Ok(mut hup)) =
        (listen(SignalKind::window_change()), listen(SignalKind::terminate()), listen(SignalKind::hangup()))
    else {
        return io::Error::other("signals can't be caught").into();
    };
    let mut asked = false;
    loop {
        let frame = tokio::select! {
            _ = resized.recv(), if tty => {
                let (rows, cols) = tty::size();
                ExecControl::Resize(rows, cols)
            }
            () = interrupts.next() => {
                if asked {
                    return ApiError::interrupted("left; the command goes on in the sandbox")
                        .hint(format!("follow it again with --request-id {id}"))
                        .into();
                }
                asked = true;
                ExecControl::Signal(SIGINT)
            }
            // The terminal's mode is restored on the way out.
            _ = term.recv() => return Failure::Exit(128 + 15),
            _ = hup.recv() => return Failure::Exit(128 + 1),
        };
        if control.send(frame).await.is_err() {
            // Following has ended or is about to; what it says counts.
            return std::future::pending().await;
        }
    }
}

/// Our input, read by a thread of its own: a read of a terminal can't be given up.
fn read_input() -> mpsc::Receiver<Bytes> {
    let (send, receive) = mpsc::channel(4);
    thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        let mut stdin = io::stdin().lock();
        loop {
            match stdin.read(&mut buffer) {
                Ok(n) if n > 0 => {
                    if send.blocking_send(Bytes::copy_from_slice(&buffer[..n])).is_err() {
                        return;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // An input that can't be read (closed by the shell) is an empty one.
                _ => return,
            }
        }
    });
    receive
}

/// Writes or keeps the command's output in a thread of its own, so that a reader who waits doesn't keep ctrl-c from
/// being heard.
struct Writer(thread::JoinHandle<Result<Collected, Failure>>);

#[derive(Default)]
struct Collected {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Writer {
    /// The guard stands before a terminal: a stream for a program goes through byte by byte as it is.
    fn start(mut outputs: mpsc::Receiver<ExecOutput>, collect: bool, mut guard: Option<Guard>) -> Self {
        Self(thread::spawn(move || {
            let mut collected = Collected::default();
            while let Some(output) = outputs.blocking_recv() {
                if collect {
                    collected.add(output)?;
                } else {
                    write(&output, guard.as_mut())?;
                }
            }
            Ok(collected)
        }))
    }

    /// Waits until everything is written.
    fn wait(self) -> Result<Collected, Failure> {
        self.0.join().unwrap_or_else(|_| Err(io::Error::other("output could not be written").into()))
    }

    /// The same for one whose reader may never take the rest.
    fn finished(self) -> Result<Collected, Failure> {
        if self.0.is_finished() { self.wait() } else { Ok(Collected::default()) }
    }
}

impl Collected {
    fn add(&mut self, output: ExecOutput) -> Result<(), Failure> {
        let (kept, bytes) = match output {
            ExecOutput::Stdout(bytes) => (&mut self.stdout, bytes),
            ExecOutput::Stderr(bytes) => (&mut self.stderr, bytes),
        };
        if kept.len() + bytes.len() > MAX_COLLECTED {
            return Err(ApiError::failed("the command wrote more than 256 MiB, too much for one document")
                .hint("leave out --json")
                .into());
        }
        kept.extend_from_slice(&bytes);
        Ok(())
    }
}

fn write(output: &ExecOutput, guard: Option<&mut Guard>) -> io::Result<()> {
    match output {
        ExecOutput::Stdout(bytes) => match guard {
            Some(guard) => out::raw(&guard.pass(bytes)),
            None => out::raw(bytes),
        },
        ExecOutput::Stderr(bytes) => {
            let mut err = io::stderr().lock();
            err.write_all(bytes)?;
            err.flush()
        }
    }
}
