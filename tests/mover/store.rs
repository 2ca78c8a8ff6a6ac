//! A store for tests: objects in memory, put part by part and read by range, with faults on demand.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

#[derive(Default)]
struct Held {
    /// Parts by object.
    objects: BTreeMap<String, BTreeMap<u32, Bytes>>,
    /// Answers to give before any other, by the path's last folder.
    faults: Vec<(StatusCode, &'static str)>,
    /// Requests that were answered with bytes.
    gets: u64,
    puts: u64,
}

#[derive(Clone)]
pub struct Store {
    address: SocketAddr,
    held: Arc<Mutex<Held>>,
}

impl Store {
    pub fn start() -> Self {
        let held = Arc::new(Mutex::new(Held::default()));
        let (sender, address) = mpsc::channel();
        let state = held.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let app = Router::new()
                    .route("/{object}/{part}", get(read).put(write))
                    .layer(axum::extract::DefaultBodyLimit::disable())
                    .with_state(state);
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { address: address.recv().unwrap(), held }
    }

    /// The URL of a part, with a secret in it as presigned ones have.
    pub fn url(&self, object: &str, part: u32) -> String {
        format!("http://{}/{object}/{part}?X-Amz-Signature=secret", self.address)
    }

    /// The next requests get these answers.
    pub fn fail(&self, faults: &[(StatusCode, &'static str)]) {
        self.held.lock().unwrap().faults = faults.iter().rev().copied().collect();
    }

    pub fn gets(&self) -> u64 {
        self.held.lock().unwrap().gets
    }

    pub fn puts(&self) -> u64 {
        self.held.lock().unwrap().puts
    }

    pub fn object(&self, object: &str) -> Option<Vec<u8>> {
        let held = self.held.lock().unwrap();
        held.objects.get(object).map(|parts| parts.values().flatten().copied().collect())
    }

    pub fn set_object(&self, object: &str, bytes: Vec<u8>) {
        self.held.lock().unwrap().objects.insert(object.to_owned(), BTreeMap::from([(0, bytes.into())]));
    }
}

fn fault(held: &mut Held) -> Option<Response> {
    let (status, code) = held.faults.pop()?;
    Some((status, format!("<Error><Code>{code}</Code><Resource>/secret</Resource></Error>")).into_response())
}

async fn write(
    State(held): State<Arc<Mutex<Held>>>,
    Path((object, part)): Path<(String, u32)>,
    body: Bytes,
) -> Response {
    let mut held = held.lock().unwrap();
    if let Some(fault) = fault(&mut held) {
        return fault;
    }
    held.puts += 1;
    held.objects.entry(object).or_default().insert(part, body);
    [(header::ETAG, "\"an-etag\"")].into_response()
}

async fn read(
    State(held): State<Arc<Mutex<Held>>>,
    Path((object, _)): Path<(String, u32)>,
    headers: HeaderMap,
) -> Response {
    let mut held = held.lock().unwrap();
    if let Some(fault) = fault(&mut held) {
        return fault;
    }
    held.gets += 1;
    let Some(parts) = held.objects.get(&object) else {
        return (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response();
    };
    let bytes: Vec<u8> = parts.values().flatten().copied().collect();
    let Some(range) = headers.get(header::RANGE) else { return bytes.into_response() };
    let (start, end) = range.to_str().unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
    (StatusCode::PARTIAL_CONTENT, bytes[start..=end].to_vec()).into_response()
}
