//! A command's bytes over a WebSocket (`api::exec`). A broken connection ends nothing: the client comes again with
//! the same request id and its offsets.

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use futures::{SinkExt, StreamExt, stream::SplitSink, stream::SplitStream};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    super::answer::{Caller, Name},
    App,
};
use crate::{
    api::{ApiError, ExecClientFrame, ExecServerFrame, ExecStart, exec::ExecSay},
    service::ExecSession,
};

/// The largest message is the first: argv, of which Modal takes 128 KiB, with JSON's escapes (6 bytes for one, at
/// most). Pieces of input are smaller.
const MAX_MESSAGE: usize = 1 << 20;

pub(super) async fn exec(
    State(app): State<App>,
    Caller(client): Caller,
    Name(sandbox): Name<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.max_message_size(MAX_MESSAGE).on_upgrade(async move |socket| {
        let _client = app.activity.enter();
        tokio::select! {
            () = serve(&app, client, &sandbox, socket) => {}
            () = app.stop.cancelled() => {}
        }
    })
}

async fn serve(app: &App, client: Option<Uuid>, sandbox: &str, socket: WebSocket) {
    let (mut sink, mut source) = socket.split();
    let session = match start(&mut source).await {
        None => return,
        Some(Err(error)) => Err(error),
        Some(Ok(start)) => match app.open() {
            Ok(()) => app.service.exec(client, sandbox, start).await,
            Err(error) => Err(error),
        },
    };
    let ExecSession { output, input } = match session {
        Ok(session) => session,
        Err(error) => {
            // The client may be gone already; then there is nobody to tell.
            let _ = sink.send(say(&ExecSay::Error { error })).await;
            let _ = sink.close().await;
            return;
        }
    };
    tokio::select! {
        () = send(output, &mut sink) => {}
        () = receive(source, input) => {}
    }
    let _ = sink.close().await;
}

/// The first message; nothing when the client left without one.
async fn start(source: &mut SplitStream<WebSocket>) -> Option<Result<ExecStart, ApiError>> {
    loop {
        return Some(match source.next().await?.ok()? {
            Message::Text(text) => serde_json::from_str(&text)
                .map_err(|e| ApiError::usage(format!("the first message is no start of a command: {e}"))),
            Message::Binary(_) => Err(ApiError::usage("the first message must say what to start, as text")),
            Message::Close(_) => return None,
            Message::Ping(_) | Message::Pong(_) => continue,
        });
    }
}

async fn send(
    mut output: futures::stream::BoxStream<'static, ExecServerFrame>,
    sink: &mut SplitSink<WebSocket, Message>,
) {
    while let Some(frame) = output.next().await {
        let message = match (&frame, frame.encode()) {
            (ExecServerFrame::Say(words), _) => say(words),
            (_, Some(bytes)) => Message::Binary(bytes),
            (_, None) => continue,
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

/// Passes the client's frames on. Ends when the client is gone, not when the command no longer takes any.
async fn receive(mut source: SplitStream<WebSocket>, input: mpsc::Sender<ExecClientFrame>) {
    while let Some(Ok(message)) = source.next().await {
        let Message::Binary(bytes) = message else { continue };
        match ExecClientFrame::decode(bytes) {
            // A command that has ended takes no input; its output may still be on the way.
            Some(frame) => drop(input.send(frame).await),
            None => tracing::debug!("a frame that isn't one was ignored"),
        }
    }
}

fn say(words: &ExecSay) -> Message {
    Message::Text(serde_json::to_string(words).unwrap_or_default().into())
}
