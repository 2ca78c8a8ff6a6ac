//! The client against a scripted server: what it does when connections break and servers are replaced.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{
        Query, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::sse::{self, Sse},
    routing::{get, post},
};
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use tokio::{net::UnixListener, sync::mpsc};
use uuid::Uuid;

use super::*;
use crate::{
    api::{
        CommandAnswer, CommandRequest, CommandState, Event, EventBody, EventsQuery, ExecClientFrame, ExecServerFrame,
        ExecStart, Live, Published, ServerFile, Stop, Welcome, command::Command, exec::ExecSay,
    },
    core::{AccountId, Profile, RequestId},
};

/// Serves a router on the socket of a data dir, as a process that runs (this one).
fn serve(dir: &Path, router: Router) -> Options {
    let data = DataDir::find(Some(dir)).unwrap();
    let listener = UnixListener::bind(data.socket()).unwrap();
    announce(&data, std::process::id());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Options { data, config: None, program: "/nonexistent/sandbank".into() }
}

fn announce(data: &DataDir, pid: u32) {
    let file = ServerFile {
        pid,
        start_time: start::started(pid).unwrap(),
        version: VERSION.into(),
        build: BUILD.into(),
        protocol: PROTOCOL,
        socket: data.socket(),
        modal_url: None,
        s3_url: None,
    };
    fs::write(data.server_file(), serde_json::to_vec(&file).unwrap()).unwrap();
}

fn welcome(version: &str, protocol: u32) -> Json<Welcome> {
    let (version, build) = (version.to_owned(), BUILD.to_owned());
    Json(Welcome { client_id: Uuid::new_v4(), protocol, version, build, running: 0 })
}

fn greeting() -> Router<Arc<AtomicUsize>> {
    Router::new().route("/v1/hello", post(async || welcome(VERSION, PROTOCOL)))
}

fn cat() -> ExecStart {
    ExecStart {
        request_id: RequestId::new(),
        account: AccountId::new("default").unwrap(),
        profile: Profile::Local,
        command: vec!["cat".into()],
        workdir: None,
        pty: None,
        stdout_from: 0,
        stderr_from: 0,
    }
}

async fn say(socket: &mut WebSocket, words: ExecSay) {
    socket.send(Message::Text(serde_json::to_string(&words).unwrap().into())).await.unwrap();
}

async fn write(socket: &mut WebSocket, offset: u64, text: &'static str) {
    let frame = ExecServerFrame::Stdout(offset, Bytes::from_static(text.as_bytes()));
    socket.send(Message::Binary(frame.encode().unwrap())).await.unwrap();
}

async fn read(socket: &mut WebSocket) -> ExecClientFrame {
    match socket.recv().await.unwrap().unwrap() {
        Message::Binary(bytes) => ExecClientFrame::decode(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The first connection breaks after some bytes each way; the second goes on where the first one was.
async fn broken_once(mut socket: WebSocket, connection: usize) {
    let Message::Text(first) = socket.recv().await.unwrap().unwrap() else { panic!("a start is text") };
    let start: ExecStart = serde_json::from_str(&first).unwrap();
    if connection == 0 {
        assert_eq!(start.stdout_from, 0);
        say(&mut socket, ExecSay::Started { stdin: 0 }).await;
        assert_eq!(read(&mut socket).await, ExecClientFrame::Stdin(0, Bytes::from_static(b"heron")));
        write(&mut socket, 0, "one ").await;
        return;
    }
    assert_eq!(start.stdout_from, 4, "the client says what it has");
    // Two of the five bytes had reached the command.
    say(&mut socket, ExecSay::Started { stdin: 2 }).await;
    assert_eq!(read(&mut socket).await, ExecClientFrame::Stdin(2, Bytes::from_static(b"ron")));
    assert_eq!(read(&mut socket).await, ExecClientFrame::StdinEnd(5));
    // A server may begin earlier than asked: what is known is left out.
    write(&mut socket, 0, "one two").await;
    say(&mut socket, ExecSay::Ended { exit_code: 7 }).await;
}

#[tokio::test]
async fn an_exec_goes_on_over_a_broken_connection() {
    let dir = tempfile::tempdir().unwrap();
    let router = greeting()
        .route(
            "/v1/sandboxes/{name}/exec",
            get(async |State(count): State<Arc<AtomicUsize>>, upgrade: WebSocketUpgrade| {
                let connection = count.fetch_add(1, Ordering::SeqCst);
                upgrade.on_upgrade(async move |socket| broken_once(socket, connection).await)
            }),
        )
        .with_state(Arc::default());
    let client = Client::new(serve(dir.path(), router));

    let (input, stdin) = mpsc::channel(4);
    let (_control, control) = mpsc::channel(1);
    let (output, mut outputs) = mpsc::channel(16);
    input.send(Bytes::from_static(b"heron")).await.unwrap();
    let running = tokio::spawn(async move { client.exec("heron", cat(), ExecIo { stdin, control, output }).await });
    assert_eq!(outputs.recv().await, Some(ExecOutput::Stdout(Bytes::from_static(b"one "))));
    drop(input);
    assert_eq!(outputs.recv().await, Some(ExecOutput::Stdout(Bytes::from_static(b"two"))));
    assert_eq!(running.await.unwrap(), Ok(7));
}

fn command_event(seq: u64, request_id: RequestId, state: CommandState) -> Published {
    Published::Event(Box::new(Event {
        seq,
        account: AccountId::new("default").unwrap(),
        profile: Profile::Local,
        at: jiff::Timestamp::UNIX_EPOCH,
        body: EventBody::Command { request_id, command: "chat".into(), state, sandbox: None },
    }))
}

fn answer(request_id: RequestId, state: CommandState) -> CommandAnswer {
    CommandAnswer { request_id, kind: "chat".into(), state, result: Value::Null, error: None }
}

/// A stream of events that breaks after its last, unless that ends the command.
async fn two_streams(count: Arc<AtomicUsize>, query: EventsQuery, id: RequestId) -> Vec<Published> {
    let keyframe = |seq| Published::Live(Live::Keyframe { seq, open: Vec::new() });
    match count.fetch_add(1, Ordering::SeqCst) {
        0 => {
            assert_eq!(query.after, None);
            vec![keyframe(10), command_event(11, id, CommandState::Accepted)]
        }
        _ => {
            assert_eq!(query.after, Some(11), "nothing is missed");
            vec![command_event(12, id, CommandState::Done), keyframe(12)]
        }
    }
}

#[tokio::test]
async fn a_command_is_followed_over_a_broken_stream_and_handed_over_again() {
    let dir = tempfile::tempdir().unwrap();
    let id = RequestId::new();
    let submitted = Arc::new(AtomicUsize::new(0));
    let counted = submitted.clone();
    let router = greeting()
        .route(
            "/v1/events",
            get(async move |State(count): State<Arc<AtomicUsize>>, Query(query): Query<EventsQuery>| {
                let events = two_streams(count, query, id).await;
                Sse::new(stream::iter(events.into_iter().map(|e| sse::Event::default().json_data(e))))
            }),
        )
        .route(
            "/v1/commands",
            post(async move |Json(request): Json<CommandRequest>| {
                counted.fetch_add(1, Ordering::SeqCst);
                Json(answer(request.request_id, CommandState::Running))
            }),
        )
        .route("/v1/commands/{id}", get(async move || Json(answer(id, CommandState::Done))))
        .with_state(Arc::default());
    let client = Client::new(serve(dir.path(), router));

    let request = CommandRequest {
        request_id: id,
        account: AccountId::new("default").unwrap(),
        profile: Profile::Local,
        command: Command::Chat { sandbox: "heron".into(), conversation: None, prompt: "hello".into() },
    };
    let (_interrupt, mut interrupts) = mpsc::channel(1);
    let mut seen = Vec::new();
    let done = client.run(Order::New(&request), &mut interrupts, |published| seen.push(published.clone())).await;
    assert_eq!(done.unwrap().state, CommandState::Done);
    assert_eq!(submitted.load(Ordering::SeqCst), 2, "the next server is given the same command");
    let stored: Vec<_> = seen
        .iter()
        .filter_map(|p| match p {
            Published::Event(event) => Some(event.seq),
            Published::Live(_) => None,
        })
        .collect();
    assert_eq!(stored, [11, 12]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_hears_that_the_server_is_gone_and_is_there_when_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let events = async || Sse::new(stream::iter(Vec::<Result<sse::Event, std::convert::Infallible>>::new()));
    let router = || greeting().route("/v1/events", get(events)).with_state(Arc::default());
    let options = serve(dir.path(), router());
    let (socket, file) = (options.data.socket(), options.data.server_file());
    let client = Client::new(options);
    let mut follower = client.follow(AccountId::new("default").unwrap());
    assert!(matches!(follower.next().await, Follow::Connected));
    assert!(matches!(follower.next().await, Follow::Broken));
    for path in [&socket, &file] {
        fs::remove_file(path).unwrap();
    }
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let start = tokio::time::Instant::now();
        let Follow::Lost(error) = follower.next().await else { panic!("there is no server") };
        assert!(error.message.contains("/nonexistent/sandbank"), "{error:?}");
        pauses.push(start.elapsed().as_millis());
    }
    assert!(pauses[0] < 100 && pauses[7] >= 2000, "{pauses:?}");
    serve(dir.path(), router());
    assert!(matches!(follower.next().await, Follow::Connected));
}

#[tokio::test]
async fn a_server_with_newer_words_asks_for_an_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    let router = Router::new().route("/v1/hello", post(async || welcome("9.0.0", PROTOCOL + 1)));
    let client = Client::new(serve(dir.path(), router));
    let error = client.command(RequestId::new()).await.unwrap_err();
    assert!(error.message.contains("9.0.0") && error.hint.contains("upgrade"), "{error:?}");
}

#[tokio::test]
async fn an_older_server_is_asked_to_finish_before_ours_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    // A process that ends when the server is told to stop.
    let mut process = tokio::process::Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
    let pid = process.id().unwrap();
    let (stop, mut stopped) = mpsc::channel::<Stop>(1);
    let router = Router::new().route("/v1/hello", post(async || welcome("0.0.1", PROTOCOL))).route(
        "/v1/stop",
        post(async move |Json(how): Json<Stop>| {
            stop.send(how).await.unwrap();
            Json(Value::Null)
        }),
    );
    let options = serve(dir.path(), router);
    announce(&options.data, pid);
    let data = options.data.clone();
    let client = Client::new(options);
    let asked = tokio::spawn(async move { client.command(RequestId::new()).await.unwrap_err() });
    assert_eq!(stopped.recv().await, Some(Stop { finish: true }));
    fs::remove_file(data.server_file()).unwrap();
    process.kill().await.unwrap();
    // Ours would be started now; this test names none that exists.
    let error = asked.await.unwrap();
    assert!(error.message.contains("/nonexistent/sandbank"), "{error:?}");
}

#[test]
fn the_first_executable_of_the_path_counts() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, mode) in [("a", 0o644), ("b", 0o755)] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        let file = dir.path().join(folder).join("claude");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = std::env::join_paths([Path::new("."), &dir.path().join("a"), &dir.path().join("b")]).unwrap();
    // Root may execute what has any execute bit, and nothing that has none.
    assert_eq!(first_in(&path, "claude"), Some(dir.path().join("b/claude")));
    assert_eq!(first_in(&path, "heron"), None);
}
