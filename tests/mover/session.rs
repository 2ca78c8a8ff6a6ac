//! The service's side of a session, as plain as can be: threads and pipes.

use std::{
    io::{Read, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::BytesMut;
use sandbank::inside::mover::{
    codec::Decoder,
    words::{Content, Entry, Facts, Frame, Kind, PROTOCOL, Request, Totals},
};
use sha2::{Digest as _, Sha256};

use crate::store::Store;

/// Longer than anything here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Session {
    child: Child,
    input: Option<ChildStdin>,
    frames: Receiver<Frame>,
    errors: Option<JoinHandle<String>>,
}

impl Session {
    pub fn start(root: &Path) -> Self {
        Self::start_with(root, &[])
    }

    pub fn start_with(root: &Path, env: &[(&str, String)]) -> Self {
        let mut session = Self::start_mute(env);
        session.send(Frame::Hello { protocol: PROTOCOL, in_flight: 8, root: root.as_os_str().as_bytes().to_vec() });
        assert_eq!(session.next(), Some(Frame::Ready { protocol: PROTOCOL }));
        session
    }

    pub fn start_mute(env: &[(&str, String)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbank"))
            .args(["inside", "mover"])
            .envs(env.iter().map(|(k, v)| (k, v)))
            .env("http_proxy", "http://127.0.0.1:9")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, frames) = mpsc::channel();
        let mut output = child.stdout.take().unwrap();
        thread::spawn(move || {
            let (mut decoder, mut buffer) = (Decoder::default(), [0; 8192]);
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                decoder.push(&buffer[..n]);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    let _ = sender.send(frame);
                }
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let input = child.stdin.take();
        Self { child, input, frames, errors: Some(errors) }
    }

    pub fn send(&mut self, frame: Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        // A mover that was killed or has stopped doesn't read; what it said will tell.
        let _ = self.input.as_mut().unwrap().write_all(&bytes);
    }

    /// The next frame; nothing when the mover has ended.
    pub fn next(&self) -> Option<Frame> {
        match self.frames.recv_timeout(PATIENCE) {
            Ok(frame) => Some(frame),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the mover says nothing"),
        }
    }

    /// Closes the input, and gives what was said after that, on standard error too.
    pub fn end(mut self) -> (Vec<Frame>, String) {
        self.input.take();
        let frames = std::iter::from_fn(|| self.next()).collect();
        self.child.wait().unwrap();
        let errors = self.errors.take().unwrap().join().unwrap();
        assert!(!errors.contains("secret"), "{errors}");
        (frames, errors)
    }

    /// All frames of a walk.
    pub fn walk(&mut self) -> Vec<Frame> {
        self.send(Frame::Walk);
        assert!(matches!(self.next(), Some(Frame::Root(_))));
        let mut frames = Vec::new();
        loop {
            match self.next().unwrap() {
                Frame::EndTree { entries } => {
                    let told = frames.iter().filter(|f| matches!(f, Frame::Entry(_))).count();
                    assert_eq!(told as u64, entries);
                    return frames;
                }
                frame => frames.push(frame),
            }
        }
    }

    pub fn tree(&mut self) -> Vec<Entry> {
        let entries = self.walk().into_iter().filter_map(|f| if let Frame::Entry(e) = f { Some(e) } else { None });
        entries.collect()
    }

    pub fn put(&mut self, store: &Store, ticket: u64, entry: &Entry, part: u32) {
        let Kind::File(content) = &entry.kind else { panic!("{entry:?}") };
        let request = Request {
            url: store.url(&object(content), part),
            headers: vec![("x-amz-checksum-sha256".into(), "secret".into())],
        };
        let digest = content.digests[part as usize];
        self.send(Frame::Put { ticket, path: entry.path.clone(), part, size: content.size, digest, request });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of a file's object.
pub fn object(content: &Content) -> String {
    let mut hash = Sha256::new();
    content.digests.iter().for_each(|digest| hash.update(digest.0));
    hex::encode(hash.finalize())
}

/// Saves a tree, and gives it.
pub fn save(root: &Path, store: &Store) -> Vec<Entry> {
    let mut session = Session::start(root);
    let tree = session.tree();
    let mut tickets = 0;
    for entry in &tree {
        if let Kind::File(content) = &entry.kind {
            for part in 0..content.digests.len() {
                session.put(store, tickets, entry, u32::try_from(part).unwrap());
                tickets += 1;
            }
        }
    }
    let mut done: Vec<_> = (0..tickets)
        .map(|_| match session.next().unwrap() {
            Frame::Done { ticket, etag } => {
                assert_eq!(etag, "\"an-etag\"");
                ticket
            }
            other => panic!("{other:?}"),
        })
        .collect();
    done.sort_unstable();
    assert!(done.into_iter().eq(0..tickets));
    assert_eq!(session.end().0, []);
    tree
}

/// What a restore said.
#[derive(Debug, Default)]
pub struct Restored {
    pub frames: Vec<Frame>,
    pub totals: Option<Totals>,
    pub stopped: Option<String>,
}

impl Restored {
    pub fn changes(&self) -> Vec<(sandbank::inside::mover::words::Change, String)> {
        let change = |f: &Frame| match f {
            Frame::Difference { change, path, .. } => Some((*change, String::from_utf8_lossy(path).into_owned())),
            _ => None,
        };
        self.frames.iter().filter_map(change).collect()
    }

    pub fn problems(&self) -> Vec<&str> {
        let mut reasons = Vec::new();
        for frame in &self.frames {
            if let Frame::Problem { reason, .. } = frame {
                reasons.push(reason.as_str());
            }
        }
        reasons
    }
}

/// Restores a tree and answers what is wanted, until it is restored, compared (dry), refused, or the mover is gone.
pub fn restore(
    session: &mut Session,
    target: u64,
    tree: &[Entry],
    store: &Store,
    dry: bool,
    replace: bool,
) -> Restored {
    session.send(Frame::Restore { target, before: Some(1), dry, replace });
    feed(session, tree, store, dry)
}

/// The same with facts of the root.
pub fn restore_rooted(session: &mut Session, root: Facts, tree: &[Entry], store: &Store) -> Restored {
    session.send(Frame::Restore { target: 9, before: Some(1), dry: false, replace: false });
    session.send(Frame::Root(root));
    feed(session, tree, store, false)
}

fn feed(session: &mut Session, tree: &[Entry], store: &Store, dry: bool) -> Restored {
    tree.iter().for_each(|entry| session.send(Frame::Entry(entry.clone())));
    session.send(Frame::EndTree { entries: tree.len() as u64 });
    let mut said = Restored::default();
    let mut tickets = 0;
    while let Some(frame) = session.next() {
        match &frame {
            Frame::Want { entry, part } => {
                let Kind::File(content) = &tree[usize::try_from(*entry).unwrap()].kind else { panic!("{entry}") };
                let request = Request { url: store.url(&object(content), *part), headers: Vec::new() };
                session.send(Frame::Get { ticket: tickets, entry: *entry, part: *part, request });
                tickets += 1;
            }
            Frame::Compared(totals) if dry => said.totals = Some(*totals),
            Frame::Restored(totals) => said.totals = Some(*totals),
            Frame::Stopped { reason } => said.stopped = Some(reason.clone()),
            _ => {}
        }
        let ended = said.totals.is_some() || said.stopped.is_some() || matches!(frame, Frame::Failed { .. });
        said.frames.push(frame);
        if ended {
            break;
        }
    }
    said
}
