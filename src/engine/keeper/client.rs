//! The engine's handle on a keeper: every call is one short connection, so nothing has to be mended when an engine or
//! a connection dies. Output is read from the log files; the keeper only says how far they reach.
//!
//! All calls go on working after the sandbox's end as far as the folder answers them.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    net::TcpListener,
    os::{
        fd::OwnedFd,
        unix::{fs::DirBuilderExt, net::UnixListener},
    },
    path::Path,
    process::Stdio,
    sync::Arc,
};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    task::spawn_blocking,
};

use super::{
    connection::Connection,
    error::KeeperError,
    files::{self, Folder},
    logs::{ReadError, Reader},
    reap,
    wire::{Ask, OutputFd, Reply, Started, Stats},
};
use crate::engine::{
    frames::DATA_MAX,
    json_file,
    spec::{End, ExecEnd, ExecSpec, ListenerName, SandboxSpec},
};

/// Bytes of output in one piece: large enough to hide the cost of a call, small enough to stream.
const PIECE: usize = 128 << 10;

/// How far a standard input got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StdinStatus {
    /// Bytes taken.
    pub written: u64,
    /// No more are taken.
    pub closed: bool,
}

/// A listening socket inside the sandbox's network, nonblocking. Each call hands out another descriptor of the same
/// socket; connections wait in its backlog while no engine accepts.
#[derive(Debug)]
pub enum Listener {
    /// The HTTP proxy.
    Proxy(TcpListener),
    /// To this port of the host's loopback.
    Forward(u16, TcpListener),
    /// The keys of this exec.
    Keys(String, UnixListener),
}

/// A sandbox's keeper.
#[derive(Debug, Clone)]
pub struct KeeperHandle {
    folder: Arc<Folder>,
}

impl KeeperHandle {
    /// Starts `program engine keep DIR` and waits until the jail stands. `dir` is made if missing (its parent is not)
    /// and must not have been used. The environment is the entrypoint's; it travels by a pipe and touches no disk.
    ///
    /// # Errors
    /// [`KeeperError::Refused`] with what to do when the jail can't be made; nothing runs then.
    pub async fn start(
        program: &Path,
        dir: &Path,
        spec: &SandboxSpec,
        env: &BTreeMap<String, String>,
    ) -> Result<Self, KeeperError> {
        match std::fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e.into()),
            _ => {}
        }
        json_file::write(&dir.join(files::SPEC), spec)?;
        let env = serde_json::to_vec(env).map_err(io::Error::from)?;
        let mut child = Command::new(program)
            .args([OsStr::new("engine"), OsStr::new("keep"), dir.as_os_str()])
            // The engine's own environment may hold keys, and a keeper lives long.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A keeper that ended already says why on its standard output.
            let _ = stdin.write_all(&env).await;
        }
        let mut said = Vec::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_end(&mut said).await?;
        }
        match serde_json::from_slice(&said) {
            Ok(Started::Ready) => Self::open(dir),
            Ok(Started::Failed(why)) => Err(KeeperError::Refused(why)),
            Err(_) => Err(KeeperError::Protocol(format!("{} engine keep ended without a word", program.display()))),
        }
    }

    /// The live keeper of a folder; [`KeeperError::Gone`] if none serves it. Waits for one that is just starting.
    pub async fn attach(dir: &Path) -> Result<Self, KeeperError> {
        let handle = Self::open(dir)?;
        let mut wait = std::time::Duration::from_millis(1);
        loop {
            match handle.connect().await {
                Ok(_) => return Ok(handle),
                Err(KeeperError::Gone) if reap::lock_is_held(dir)? && !dir.join(files::END).exists() => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(std::time::Duration::from_millis(50));
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// How the sandbox of a folder without a live keeper ended, after waiting for the last of its processes and
    /// removing its control groups and sockets. [`End::Lost`] when its keeper left no word.
    pub async fn reap(dir: &Path) -> End {
        let dir = dir.to_path_buf();
        spawn_blocking(move || reap::reap(&dir)).await.unwrap_or(End::Lost)
    }

    /// Starts a command. The same id again is a success without a second start.
    pub async fn exec(&self, spec: &ExecSpec) -> Result<(), KeeperError> {
        self.ask(Ask::Exec(Box::new(spec.clone())), &[]).await.map(|_| ())
    }

    /// What a command wrote, from `offset` on. Ends when every process that could write has closed that descriptor and
    /// all was read; after the sandbox's end, with the log. Never an empty chunk. Any number of readers at any time.
    pub fn output(
        &self,
        exec_id: &str,
        fd: OutputFd,
        offset: u64,
    ) -> impl Stream<Item = Result<Bytes, KeeperError>> + Send + use<> {
        let valid = files::valid_id(exec_id);
        let reader = Reader::new(self.folder.exec(exec_id), fd);
        let follow =
            Follow { handle: self.clone(), exec: exec_id.to_string(), fd, offset, end: 0, over: false, line: None };
        stream::try_unfold((follow, Some(reader)), move |(mut follow, reader)| async move {
            let Some(reader) = reader.filter(|_| valid) else { return Err(KeeperError::NoSuchExec) };
            Ok(follow.next(reader).await?.map(|(bytes, reader)| (bytes, (follow, Some(reader)))))
        })
    }

    /// Writes to a command's standard input at `offset`. Bytes below what was taken already are skipped; returns when
    /// the process's pipe has taken the rest. `eof` closes it (a terminal gets ^D, there is nothing better).
    pub async fn write_stdin(&self, exec_id: &str, offset: u64, data: &[u8], eof: bool) -> Result<(), KeeperError> {
        let mut line = self.connect().await?;
        let mut at = offset;
        let mut rest = data;
        loop {
            let (now, later) = rest.split_at(rest.len().min(DATA_MAX));
            let ask = Ask::Stdin { exec: exec_id.to_string(), offset: at, eof: eof && later.is_empty() };
            line.ask(ask, now).await?;
            at += now.len() as u64;
            rest = later;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// How far a command's standard input got.
    pub async fn stdin_status(&self, exec_id: &str) -> Result<StdinStatus, KeeperError> {
        match self.ask(Ask::StdinStatus { exec: exec_id.to_string() }, &[]).await? {
            Reply::Stdin { written, closed } => Ok(StdinStatus { written, closed }),
            other => Err(unexpected(&other)),
        }
    }

    /// How a command ended, if it did.
    pub async fn poll(&self, exec_id: &str) -> Result<Option<ExecEnd>, KeeperError> {
        self.exit(Ask::Poll { exec: exec_id.to_string() }, exec_id).await
    }

    /// How a command ended, when it does.
    pub async fn wait(&self, exec_id: &str) -> Result<ExecEnd, KeeperError> {
        self.exit(Ask::Wait { exec: exec_id.to_string() }, exec_id).await?.ok_or(KeeperError::Gone)
    }

    /// Ends the sandbox: every process in it is killed. Returns when that was accepted; [`Self::ended`] waits for it.
    /// One that has ended is fine.
    pub async fn terminate(&self) -> Result<(), KeeperError> {
        match self.ask(Ask::Terminate, &[]).await {
            Ok(_) | Err(KeeperError::Gone) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Waits for the sandbox's end, whoever causes it, and for its clean-up.
    pub async fn ended(&self) -> End {
        // Whatever the keeper answers, or if its line breaks, the folder has the last word once its lock is free.
        let _ = self.ask(Ask::Ended, &[]).await;
        Self::reap(self.folder.path()).await
    }

    /// All listening sockets made so far; more appear with execs that have a key socket.
    pub async fn listeners(&self) -> Result<Vec<Listener>, KeeperError> {
        let mut line = self.connect().await?;
        let Reply::Listeners(names) = line.ask(Ask::Listeners, &[]).await? else {
            return Err(KeeperError::Protocol("no list of listeners".to_string()));
        };
        let fds = line.take_fds();
        if names.len() != fds.len() {
            return Err(KeeperError::Protocol(format!("{} listeners, {} descriptors", names.len(), fds.len())));
        }
        Ok(names.into_iter().zip(fds).map(|(name, fd)| listener(name, fd)).collect())
    }

    /// What the sandbox uses now.
    pub async fn stats(&self) -> Result<Stats, KeeperError> {
        match self.ask(Ask::Stats, &[]).await? {
            Reply::Stats(stats) => Ok(stats),
            other => Err(unexpected(&other)),
        }
    }

    /// The folder of a sandbox, whether or not its keeper still lives: calls then answer from the files.
    /// [`KeeperError::Gone`] if there is none.
    pub fn open(dir: &Path) -> Result<Self, KeeperError> {
        match Folder::open(dir) {
            Ok(folder) => Ok(Self { folder: Arc::new(folder) }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(KeeperError::Gone),
            Err(e) => Err(e.into()),
        }
    }

    async fn connect(&self) -> Result<Connection, KeeperError> {
        Connection::open(&self.folder.socket(files::SOCKET)).await
    }

    async fn ask(&self, ask: Ask, data: &[u8]) -> Result<Reply, KeeperError> {
        self.connect().await?.ask(ask, data).await
    }

    async fn exit(&self, ask: Ask, exec_id: &str) -> Result<Option<ExecEnd>, KeeperError> {
        match self.ask(ask, &[]).await {
            Ok(Reply::Exit(exit)) => Ok(exit),
            Ok(other) => Err(unexpected(&other)),
            Err(KeeperError::Gone) => reap::exit(self.folder.path(), exec_id).map(Some),
            Err(e) => Err(e),
        }
    }
}

/// One reader's place in a log.
struct Follow {
    handle: KeeperHandle,
    exec: String,
    fd: OutputFd,
    offset: u64,
    /// How far the log reached when last asked.
    end: u64,
    /// Nothing comes after `end`.
    over: bool,
    line: Option<Connection>,
}

impl Follow {
    async fn next(&mut self, mut reader: Reader) -> Result<Option<(Bytes, Reader)>, KeeperError> {
        loop {
            if self.offset < self.end {
                let offset = self.offset;
                let max = usize::try_from(self.end - offset).unwrap_or(PIECE).min(PIECE);
                let (piece, back) = spawn_blocking(move || (reader.read(offset, max), reader))
                    .await
                    .map_err(|e| KeeperError::Protocol(e.to_string()))?;
                reader = back;
                return match piece {
                    Ok(bytes) if !bytes.is_empty() => {
                        self.offset += bytes.len() as u64;
                        Ok(Some((bytes.into(), reader)))
                    }
                    // Without a keeper the end is not known: the log is over where its files are.
                    Ok(_) if self.over && self.end == u64::MAX => Ok(None),
                    Ok(_) => Err(KeeperError::OutOfRange { start: self.end }),
                    Err(ReadError::OutOfRange { start }) => Err(KeeperError::OutOfRange { start }),
                    Err(ReadError::Io(e)) if e.kind() == io::ErrorKind::NotFound => Err(KeeperError::NoSuchExec),
                    Err(ReadError::Io(e)) => Err(e.into()),
                };
            }
            if self.over {
                return Ok(None);
            }
            self.ask().await?;
        }
    }

    async fn ask(&mut self) -> Result<(), KeeperError> {
        let mut line = match self.line.take() {
            Some(line) => Ok(line),
            None => self.handle.connect().await,
        };
        if let Ok(line) = &mut line {
            let ask = Ask::Output { exec: self.exec.clone(), fd: self.fd, offset: self.offset };
            match line.ask(ask, &[]).await {
                Ok(Reply::Output { end, closed }) => (self.end, self.over) = (end, closed),
                Ok(other) => return Err(unexpected(&other)),
                Err(KeeperError::Gone) => (self.end, self.over) = self.last_word().await,
                Err(e) => return Err(e),
            }
        }
        match line {
            Ok(line) => self.line = Some(line),
            Err(KeeperError::Gone) => (self.end, self.over) = self.last_word().await,
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// The keeper ended: once its lock is free the files are whole.
    async fn last_word(&self) -> (u64, bool) {
        KeeperHandle::reap(self.handle.folder.path()).await;
        (u64::MAX, true)
    }
}

fn unexpected(reply: &Reply) -> KeeperError {
    KeeperError::Protocol(format!("{reply:?}"))
}

fn listener(name: ListenerName, fd: OwnedFd) -> Listener {
    match name {
        ListenerName::Proxy => Listener::Proxy(fd.into()),
        ListenerName::Forward(port) => Listener::Forward(port, fd.into()),
        ListenerName::Keys(exec) => Listener::Keys(exec, fd.into()),
    }
}
