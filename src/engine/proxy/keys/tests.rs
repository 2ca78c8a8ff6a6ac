use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::Uri};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
};

use super::*;

const REAL: &str = "sk-ant-real-key";

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn keys(name: &str, base: &str) -> Keys {
    Keys { values: env(&[(name, REAL)]), base: base.to_owned() }
}

#[derive(Default, Clone)]
struct Seen(Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>);

/// A server that notes what it gets and answers what `answers` gives, piece by piece.
async fn api(seen: Seen, answers: mpsc::Receiver<&'static str>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(tokio::sync::Mutex::new(answers));
    let answer = move |State(seen): State<Seen>, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        seen.0.lock().unwrap().push((uri.to_string(), headers, body));
        let answers = answers.lock_owned().await;
        let pieces = futures::stream::unfold(answers, |mut answers| async {
            Some((Ok::<_, Infallible>(answers.recv().await?), answers))
        });
        ([("content-type", "text/event-stream")], axum::body::Body::from_stream(pieces))
    };
    let router = Router::new().fallback(answer).with_state(seen);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn connect(keys: Keys) -> DuplexStream {
    let (client, server) = duplex(64 << 10);
    tokio::spawn(async move { serve(server, &keys, &Upstream::new().unwrap()).await });
    client
}

async fn read_until(client: &mut DuplexStream, said: &mut String, end: &str) {
    let mut buffer = [0; 4096];
    while !said.contains(end) {
        let n = client.read(&mut buffer).await.unwrap();
        assert!(n > 0, "closed before {end:?}: {said}");
        said.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
}

#[test]
fn a_command_gets_a_dummy_and_a_socket_for_its_key() {
    let mut given = env(&[("ANTHROPIC_API_KEY", REAL), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/x"), ("A", "b")]);
    let names = ["ANTHROPIC_API_KEY".to_owned(), "OTHER".to_owned()];
    let kept = Keys::withhold(&mut given, &names, "e1").unwrap().unwrap();
    assert_eq!(kept, keys("ANTHROPIC_API_KEY", "http://127.0.0.1:9/x"));
    assert!(!format!("{kept:?}").contains(REAL));
    assert_eq!(Keys::from_values(kept.to_values()), kept);
    assert_eq!(
        given,
        env(&[
            ("A", "b"),
            ("ANTHROPIC_API_KEY", DUMMY),
            ("ANTHROPIC_BASE_URL", "http://api.local"),
            ("ANTHROPIC_UNIX_SOCKET", "/run/sandbank/e1.sock"),
        ])
    );
}

#[test]
fn an_environment_without_keys_stays_as_it_is() {
    let given = env(&[("ANTHROPIC_API_KEY", ""), ("ANTHROPIC_BASE_URL", "http://x")]);
    let mut after = given.clone();
    assert_eq!(Keys::withhold(&mut after, &["ANTHROPIC_API_KEY".to_owned()], "e1").unwrap(), None);
    assert_eq!(after, given);
}

#[test]
fn a_key_without_an_address_is_for_the_public_api_and_one_with_a_wrong_one_is_refused() {
    let names = ["ANTHROPIC_API_KEY".to_owned()];
    let kept = Keys::withhold(&mut env(&[("ANTHROPIC_API_KEY", REAL)]), &names, "e1").unwrap().unwrap();
    assert_eq!(kept.base, PUBLIC);
    for base in ["nonsense", "file:///etc/passwd", "unix:/x"] {
        let mut wrong = env(&[("ANTHROPIC_API_KEY", REAL), ("ANTHROPIC_BASE_URL", base)]);
        let said = Keys::withhold(&mut wrong, &names, "e1").unwrap_err();
        assert!(said.contains(BASE) && !said.contains(REAL), "{said}");
    }
}

#[test]
fn no_path_leads_out_of_the_address() {
    let keys = keys("ANTHROPIC_API_KEY", "https://gate.example/team/");
    let to = |path: &str| keys.address(path).map(|u| u.to_string());
    assert_eq!(to("/v1/messages?beta=true").unwrap(), "https://gate.example/team/v1/messages?beta=true");
    assert_eq!(to("/v1/../v2").unwrap(), "https://gate.example/team/v2");
    assert_eq!(to("//evil.example/x").unwrap(), "https://gate.example/team//evil.example/x");
    for path in ["/../other", "/%2e%2e/other", "/x/../../../other"] {
        assert_eq!(to(path), None, "{path}");
    }
    assert_eq!(self::keys("K", PUBLIC).address("/v1?a").unwrap().as_str(), "https://api.anthropic.com/v1?a");
}

#[tokio::test]
async fn the_real_key_arrives_and_the_dummy_does_not() {
    let seen = Seen::default();
    let (send, answers) = mpsc::channel(1);
    drop(send);
    let url = api(seen.clone(), answers).await;
    let mut client = connect(keys("ANTHROPIC_API_KEY", &url));
    let request = format!(
        "POST /v1/messages?beta=true HTTP/1.1\r\nHost: api.local\r\nx-api-key: {DUMMY}\r\nAuthorization: Bearer \
         {DUMMY}\r\nanthropic-version: 2023-06-01\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let (uri, headers, body) = seen.0.lock().unwrap().remove(0);
    assert_eq!((uri.as_str(), &body[..]), ("/v1/messages?beta=true", &b"hello"[..]));
    assert_eq!(headers["x-api-key"], REAL);
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert_eq!(headers["content-length"], "5");
    assert!(url.ends_with(headers["host"].to_str().unwrap()));
    assert!(!format!("{headers:?}").contains(DUMMY), "{headers:?}");
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_token_goes_into_the_other_header() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {DUMMY}").parse().unwrap());
    keys("CLAUDE_CODE_OAUTH_TOKEN", PUBLIC).apply(&mut headers);
    assert_eq!(headers["authorization"], format!("Bearer {REAL}"));
    assert!(!headers.contains_key("x-api-key"));
}

#[tokio::test]
async fn each_piece_of_an_answer_comes_before_the_next_is_sent() {
    let (send, answers) = mpsc::channel(1);
    let url = api(Seen::default(), answers).await;
    let mut client = connect(keys("ANTHROPIC_API_KEY", &url));
    client.write_all(b"GET /v1/stream HTTP/1.1\r\nHost: api.local\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut said = String::new();
    for piece in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
        send.send(piece).await.unwrap();
        read_until(&mut client, &mut said, piece).await;
    }
    drop(send);
    client.read_to_string(&mut said).await.unwrap();
    assert!(said.contains("text/event-stream"), "{said}");
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_told_in_the_apis_form() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut client = connect(keys("ANTHROPIC_API_KEY", &format!("http://user:word@{closed}")));
    client.write_all(b"GET /v1 HTTP/1.1\r\nHost: api.local\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 502") && said.contains("api_error"), "{said}");
    assert!(!said.contains(REAL) && !said.contains("word"), "{said}");
}

#[tokio::test]
async fn what_would_send_the_key_back_or_elsewhere_is_not_asked() {
    let seen = Seen::default();
    let (_answers, receive) = mpsc::channel(1);
    let base = api(seen.clone(), receive).await;
    for head in ["TRACE /v1/messages HTTP/1.1", "CONNECT evil.example:443 HTTP/1.1", "SHOW / HTTP/1.1"] {
        let mut client = connect(keys("ANTHROPIC_API_KEY", &base));
        let request = format!("{head}\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        read_until(&mut client, &mut said, "not sent on with a key").await;
        assert!(said.starts_with("HTTP/1.1 405") && !said.contains(REAL), "{head}: {said}");
    }
    assert!(seen.0.lock().unwrap().is_empty(), "the API was asked");
}

#[test]
fn nothing_that_is_shown_of_an_upstream_says_how_it_is_reached() {
    assert_eq!(format!("{:?}", Upstream::new().unwrap()), "Upstream");
}
