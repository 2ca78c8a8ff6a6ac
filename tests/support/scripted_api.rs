//! A scripted Messages API on loopback, for the real Claude CLI: it answers main requests (those that bring tools) by
//! the turns of a script, in order, and demands one key. A turn can stop at a gate until the test opens it, so that
//! streaming is asserted without waiting for time to pass.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

/// One part of a turn.
#[derive(Clone)]
pub enum Part {
    /// Prose, sent word by word.
    Text(String),
    /// Nothing more is sent until the gate is open.
    Wait(Gate),
    /// Nothing more is sent for so long.
    Pause(Duration),
    /// A call of a tool.
    Tool(&'static str, Value),
}

/// Opens once, for all who wait.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets pass.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// Prose.
pub fn text(words: &str) -> Part {
    Part::Text(words.to_owned())
}

struct Script {
    key: String,
    turns: Mutex<std::collections::VecDeque<Vec<Part>>>,
    asked: Mutex<Vec<String>>,
    history: Mutex<String>,
}

/// The API while it runs.
pub struct ScriptedApi {
    url: String,
    script: Arc<Script>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl ScriptedApi {
    /// Listens on a free port of loopback.
    pub fn start(key: &str, turns: Vec<Vec<Part>>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let script = Arc::new(Script {
            key: key.to_owned(),
            turns: Mutex::new(turns.into()),
            asked: Mutex::default(),
            history: Mutex::default(),
        });
        let app = Router::new()
            .route("/", get(|| async { "" }))
            .route("/v1/messages", post(messages))
            .route(
                "/v1/messages/count_tokens",
                post(|body: Bytes| async move { Json(json!({"input_tokens": body.len() / 4})) }),
            )
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(script.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { url, script, runtime: Some(runtime) }
    }

    /// `ANTHROPIC_BASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Begins another script, also in the middle of one.
    pub fn script(&self, turns: Vec<Vec<Part>>) {
        *self.script.turns.lock().unwrap() = turns.into();
    }

    /// Adds a turn at the end of the script.
    pub fn then(&self, turn: Vec<Part>) {
        self.script.turns.lock().unwrap().push_back(turn);
    }

    /// The messages of the last main request: the conversation as the CLI tells it.
    pub fn history(&self) -> String {
        self.script.history.lock().unwrap().clone()
    }

    /// What the user said last in each main request, in order.
    pub fn asked(&self) -> Vec<String> {
        self.script.asked.lock().unwrap().clone()
    }
}

impl Drop for ScriptedApi {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn refuse(status: u16, kind: &str, message: &str) -> Response {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

async fn messages(State(script): State<Arc<Script>>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    if headers.get("x-api-key").is_none_or(|key| key.as_bytes() != script.key.as_bytes()) {
        return refuse(401, "authentication_error", "invalid x-api-key");
    }
    let main = request["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let turn = if main {
        script.asked.lock().unwrap().push(last_user(&request));
        *script.history.lock().unwrap() = request["messages"].to_string();
        script.turns.lock().unwrap().pop_front().unwrap_or_else(|| vec![text("The script has ended.")])
    } else {
        vec![text("ok")]
    };
    let id = format!("msg_{}", uuid::Uuid::new_v4().simple());
    if request["stream"].as_bool() != Some(true) {
        return Json(whole(&id, &request, &turn)).into_response();
    }
    let (send, events) = mpsc::channel::<Result<Bytes, Infallible>>(16);
    let model = request["model"].clone();
    tokio::spawn(async move { stream(&id, &model, turn, &Events(send)).await });
    Response::builder()
        .header("content-type", "text/event-stream; charset=utf-8")
        .body(Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(events)))
        .unwrap()
}

fn last_user(request: &Value) -> String {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let last = messages.iter().rfind(|m| m["role"] == "user").map(|m| m["content"].clone()).unwrap_or_default();
    match last {
        Value::String(text) => text,
        Value::Array(blocks) => blocks.iter().filter_map(|b| b["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

fn usage(output: u64) -> Value {
    json!({"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": output})
}

fn message(id: &str, model: &Value, content: Value, stop: Value) -> Value {
    json!({"id": id, "type": "message", "role": "assistant", "model": model, "content": content,
           "stop_reason": stop, "stop_sequence": null, "usage": usage(1)})
}

fn stop_reason(turn: &[Part]) -> &'static str {
    if turn.iter().any(|p| matches!(p, Part::Tool(..))) { "tool_use" } else { "end_turn" }
}

fn whole(id: &str, request: &Value, turn: &[Part]) -> Value {
    let content: Vec<_> = turn
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(json!({"type": "text", "text": text})),
            _ => None,
        })
        .collect();
    message(id, &request["model"], content.into(), stop_reason(turn).into())
}

struct Events(mpsc::Sender<Result<Bytes, Infallible>>);

impl Events {
    async fn send(&self, event: Value) {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        let _ = self.0.send(Ok(format!("event: {kind}\ndata: {event}\n\n").into())).await;
    }

    async fn start(&self, index: usize, block: Value) {
        self.send(json!({"type": "content_block_start", "index": index, "content_block": block})).await;
    }

    async fn delta(&self, index: usize, delta: Value) {
        self.send(json!({"type": "content_block_delta", "index": index, "delta": delta})).await;
    }

    async fn stop(&self, index: usize) {
        self.send(json!({"type": "content_block_stop", "index": index})).await;
    }
}

/// Text and gates that stand together are one block.
async fn stream(id: &str, model: &Value, turn: Vec<Part>, events: &Events) {
    events.send(json!({"type": "message_start", "message": message(id, model, json!([]), Value::Null)})).await;
    let stop = stop_reason(&turn);
    let (mut index, mut open) = (0, false);
    for part in turn {
        match part {
            Part::Text(text) => {
                if !open {
                    events.start(index, json!({"type": "text", "text": ""})).await;
                    open = true;
                }
                for word in text.split_inclusive(' ') {
                    events.delta(index, json!({"type": "text_delta", "text": word})).await;
                }
            }
            Part::Wait(gate) => gate.passed().await,
            Part::Pause(time) => tokio::time::sleep(time).await,
            Part::Tool(name, input) => {
                if std::mem::take(&mut open) {
                    events.stop(index).await;
                    index += 1;
                }
                let call = format!("toolu_{}", uuid::Uuid::new_v4().simple());
                events.start(index, json!({"type": "tool_use", "id": call, "name": name, "input": {}})).await;
                events.delta(index, json!({"type": "input_json_delta", "partial_json": input.to_string()})).await;
                events.stop(index).await;
                index += 1;
            }
        }
    }
    if open {
        events.stop(index).await;
    }
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    events.send(json!({"type": "message_delta", "delta": delta, "usage": usage(20)})).await;
    events.send(json!({"type": "message_stop"})).await;
}
