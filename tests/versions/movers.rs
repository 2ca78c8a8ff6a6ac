//! Movers that die, and movers that lie.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use futures::FutureExt;
use sandbank::{
    api::ErrorCode,
    inside::mover::{
        codec::Decoder,
        words::{Content, Digest, Entry, Frame, Kind, PART, PROTOCOL, Request, Totals},
    },
    service::versions::{Conduit, Ground},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::support::{Node, Place, Tree, Workspace, mover_through};

/// A mover that is killed after it has told so many bytes; each time it lives four times as long.
fn mortal(workspace: &Workspace, first: usize) -> (Ground, Arc<AtomicUsize>) {
    let started = Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let root = workspace.path().to_str().unwrap().to_owned();
    let ground = Ground::new(root, move || {
        let life = first << (2 * count.fetch_add(1, Ordering::SeqCst)).min(40);
        async move { Ok(dying(life)) }.boxed()
    });
    (ground, started)
}

fn dying(life: usize) -> Conduit {
    mover_through(async move |mut child, mut output, mut theirs| {
        let mut left = life;
        let mut buffer = vec![0; 4096];
        while left > 0 {
            let length = output.read(&mut buffer).await.unwrap();
            if length == 0 {
                break;
            }
            let length = length.min(left);
            left -= length;
            if theirs.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        child.kill().await.unwrap();
    })
}

#[tokio::test]
async fn another_mover_goes_on_where_one_was_killed() {
    let mut tree = Tree::default();
    for i in 0..300 {
        tree.put(format!("f{i}").as_bytes(), Node::File(format!("content of {i}").into_bytes(), 0o644));
    }
    let place = Place::new().await;
    let workspace = Workspace::with(&tree);
    let before = workspace.read();
    let (ground, started) = mortal(&workspace, 20_000);
    let saved = place.save(&ground).await.unwrap();
    assert_eq!((saved.version.files, saved.version.complete), (300, true));
    assert!(started.load(Ordering::SeqCst) > 1, "one of them was killed");
    workspace.write(&Tree::files([("f7", "other"), ("mine", "mine")]));
    let (ground, started) = mortal(&workspace, 2_000);
    place.restore(&ground, "latest").await.unwrap();
    assert!(started.load(Ordering::SeqCst) > 1, "one of them was killed");
    assert_eq!(workspace.read(), before);
}

#[tokio::test]
async fn a_mover_that_always_dies_is_told() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "a")]));
    let ground = Ground::new("/", || async { Ok(dying(0)) }.boxed());
    let error = place.save(&ground).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert_eq!(place.list().await, []);
    drop(workspace);
}

/// A mover of our own making: it answers each frame of the service with frames.
fn liar(answer: impl Fn(Frame) -> Vec<Frame> + Send + Sync + 'static) -> Ground {
    let answer = Arc::new(answer);
    Ground::new("/", move || {
        let (ours, theirs) = duplex(1 << 20);
        tokio::spawn(lie(theirs, answer.clone()));
        let (read, write) = tokio::io::split(ours);
        async move { Ok(Conduit::pipes(read, write)) }.boxed()
    })
}

async fn lie(mut pipe: DuplexStream, answer: Arc<impl Fn(Frame) -> Vec<Frame>>) {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(length @ 1..) = pipe.read(&mut buffer).await else { return };
        decoder.push(&buffer[..length]);
        while let Some(frame) = decoder.next_frame().unwrap() {
            let frames = match frame {
                Frame::Hello { .. } => vec![Frame::Ready { protocol: PROTOCOL }],
                Frame::Status | Frame::Discard => vec![Frame::Journal { unfinished: None }],
                other => answer(other),
            };
            let mut bytes = BytesMut::new();
            frames.iter().for_each(|f| f.encode(&mut bytes));
            if pipe.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}

fn entry(path: &str, kind: Kind) -> Frame {
    Frame::Entry(Entry { path: path.into(), kind, mode: 0o644, uid: 0, gid: 0, mtime_ns: 0 })
}

fn file(path: &str) -> Frame {
    entry(path, Kind::File(Content { size: 5, digests: vec![Digest([7; 32])], inode: None }))
}

async fn refused(ground: Ground, why: &str) {
    let place = Place::new().await;
    let error = place.save(&ground).await.unwrap_err();
    assert!(error.message.contains(why), "{error} should tell: {why}");
    assert_eq!(place.list().await, []);
}

#[tokio::test]
async fn what_a_mover_says_it_has_sent_is_looked_for_in_the_store() {
    let ground = liar(|frame| match frame {
        Frame::Walk => vec![file("a"), Frame::EndTree { entries: 1 }],
        Frame::Put { ticket, .. } => vec![Frame::Done { ticket, etag: "\"real\"".into() }],
        _ => vec![],
    });
    refused(ground, "doesn't have").await;
}

#[tokio::test]
async fn a_tree_that_is_none_is_refused() {
    for path in ["../x", "/etc/passwd", "a/b", ".sandbank/x"] {
        let ground = liar(move |frame| match frame {
            Frame::Walk => vec![file(path), Frame::EndTree { entries: 1 }],
            _ => vec![],
        });
        refused(ground, "told no tree").await;
    }
    let twice = liar(|frame| match frame {
        Frame::Walk => vec![file("a"), file("a"), Frame::EndTree { entries: 2 }],
        _ => vec![],
    });
    refused(twice, "told no tree").await;
}

#[tokio::test]
async fn frames_that_do_not_belong_there_end_it() {
    for frame in [
        Frame::Done { ticket: 99, etag: String::new() },
        Frame::Want { entry: 0, part: 0 },
        Frame::EndTree { entries: 7 },
        Frame::Synced,
    ] {
        let ground = liar(move |asked| match asked {
            Frame::Walk => vec![frame.clone()],
            _ => vec![],
        });
        refused(ground, "doesn't belong").await;
    }
}

#[tokio::test]
async fn a_file_that_never_stays_the_same_leaves_the_version_incomplete() {
    let changing = |ticket| {
        let Frame::Entry(entry) = file("busy.log") else { unreachable!() };
        Frame::Changed { ticket, entry: Some(entry) }
    };
    let ground = liar(move |frame| match frame {
        Frame::Walk => vec![entry("a", Kind::Folder), file("busy.log"), file("gone"), Frame::EndTree { entries: 3 }],
        Frame::Put { ticket, path, .. } if path == b"gone" => vec![Frame::Changed { ticket, entry: None }],
        Frame::Put { ticket, .. } => vec![changing(ticket)],
        _ => vec![],
    });
    let place = Place::new().await;
    let saved = place.save(&ground).await.unwrap();
    assert!(!saved.version.complete);
    assert_eq!((saved.version.files, saved.version.left_out), (0, 1));
    assert_eq!(saved.stats.errors, ["busy.log: changed while it was saved"]);
    assert!(!place.list().await[0].complete);

    // A restore leaves alone what the version doesn't know, and only that.
    let workspace = Workspace::with(&Tree::files([("busy.log", "mine"), ("gone", "goes"), ("a/x", "goes too")]));
    place.restore(&workspace.ground(), "latest").await.unwrap();
    let left: Vec<_> = workspace.read().into_iter().map(|(path, facts)| (path, facts.0)).collect();
    assert_eq!(left, [("a".into(), "folder"), ("busy.log".into(), "file")]);
}

#[tokio::test]
async fn what_can_not_be_read_is_named_in_the_version() {
    let problem = |path: &str| Frame::Problem { path: path.into(), reason: "no".into() };
    let ground = liar(move |frame| match frame {
        // A folder that broke off in its middle; a path that is none.
        Frame::Walk => vec![
            entry("half", Kind::Folder),
            entry("half/a", Kind::Folder),
            problem("half"),
            problem("z"),
            problem("../x"),
            entry("zz", Kind::Folder),
            Frame::EndTree { entries: 3 },
        ],
        _ => vec![],
    });
    let place = Place::new().await;
    let saved = place.save(&ground).await.unwrap();
    assert_eq!((saved.version.complete, saved.version.left_out), (false, 2));
    let workspace = Workspace::with(&Tree::files([("half/mine", "1"), ("z", "2"), ("x", "goes")]));
    place.restore(&workspace.ground(), "latest").await.unwrap();
    let left: Vec<_> = workspace.read().into_keys().collect();
    assert_eq!(left, ["half", "half/mine", "z", "zz"].map(std::path::PathBuf::from));

    let nothing = liar(move |frame| match frame {
        Frame::Walk => vec![problem(""), Frame::EndTree { entries: 0 }],
        _ => vec![],
    });
    refused(nothing, "can't be read").await;
}

#[tokio::test]
async fn what_could_not_be_set_is_in_the_result_once() {
    let place = Place::new().await;
    place.save(&Workspace::new().ground()).await.unwrap();
    let problem = || Frame::Problem { path: "a".into(), reason: "owner 5:5 can't be set".into() };
    let ground = liar(move |frame| match frame {
        Frame::EndTree { .. } => {
            vec![Frame::Compared(Totals::default()), problem(), problem(), Frame::Restored(Totals::default())]
        }
        _ => vec![],
    });
    assert_eq!(place.restore(&ground, "latest").await.unwrap().errors, ["a: owner 5:5 can't be set"]);
}

/// The real mover, of which a frame says that what it has sent was there already.
fn forgetful(workspace: &Workspace) -> Ground {
    Ground::new(workspace.path().to_str().unwrap(), || {
        let conduit = mover_through(async move |mut child, mut output, mut theirs| {
            let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 4096]);
            while let Ok(length @ 1..) = output.read(&mut buffer).await {
                decoder.push(&buffer[..length]);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    let mut bytes = BytesMut::new();
                    match frame {
                        Frame::Done { ticket, .. } => Frame::Exists { ticket }.encode(&mut bytes),
                        other => other.encode(&mut bytes),
                    }
                    let _ = theirs.write_all(&bytes).await;
                }
            }
            child.wait().await.unwrap();
        });
        async move { Ok(conduit) }.boxed()
    })
}

#[tokio::test]
async fn an_object_that_is_there_already_is_looked_at() {
    let place = Place::new().await;
    let workspace = Workspace::with(&Tree::files([("a", "one"), ("b", "two")]));
    let saved = place.save(&forgetful(&workspace)).await.unwrap();
    assert_eq!((saved.version.files, saved.version.complete), (2, true));
    assert!(place.compare(&workspace.ground(), "latest").await.unwrap().is_empty());

    let ground = liar(|frame| match frame {
        Frame::Walk => vec![file("a"), Frame::EndTree { entries: 1 }],
        Frame::Put { ticket, .. } => vec![Frame::Exists { ticket }],
        _ => vec![],
    });
    refused(ground, "another object").await;
}

fn digest(bytes: &str) -> Digest {
    Digest(<sha2::Sha256 as sha2::Digest>::digest(bytes).into())
}

/// Sends something by a URL of the service's, and gives the status.
async fn put(request: Request, bytes: &'static str) -> u16 {
    let mut put = reqwest::Client::new().put(request.url).body(bytes);
    for (name, value) in request.headers {
        put = put.header(name, value);
    }
    put.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn parts_of_a_file_that_is_left_out_do_not_stay_in_the_store() {
    let last = Arc::new(Mutex::new(None));
    let seen = last.clone();
    let ground = liar(move |frame| match frame {
        Frame::Walk => {
            let digests = vec![Digest([7; 32]), digest("end")];
            let big = entry("big", Kind::File(Content { size: PART + 3, digests, inode: None }));
            vec![big, Frame::EndTree { entries: 1 }]
        }
        Frame::Put { ticket, part: 0, .. } => vec![Frame::Failed { ticket, again: false, reason: "no".into() }],
        Frame::Put { ticket, request, .. } => {
            *seen.lock().unwrap() = Some(request);
            vec![Frame::Done { ticket, etag: String::new() }]
        }
        _ => vec![],
    });
    let place = Place::new().await;
    let saved = place.save(&ground).await.unwrap();
    assert_eq!((saved.version.complete, saved.version.left_out), (false, 1));
    let request = last.lock().unwrap().take().unwrap();
    // Nobody waits for the end of the upload.
    for _ in 0..100 {
        if put(request.clone(), "end").await == 404 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the upload is still there");
}

#[tokio::test]
async fn a_url_that_was_used_replaces_nothing() {
    let place = Place::new().await;
    let key = place.keys().object(sandbank::core::VersionId(5), b"a");
    let signer = place.bucket.signer().await.unwrap();
    for (bytes, status) in [("one", 200), ("one", 412), ("two", 412)] {
        let request = signer.put(&key, 3, &digest(bytes)).unwrap();
        assert_eq!(put(request, bytes).await, status, "{bytes}");
    }
    assert_eq!(place.bucket.get("read", &key, 9).await.unwrap().0, "one");
}
