//! The server on loopback: gRPC over plaintext HTTP/2 and the blobs' plain HTTP on one port.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State as Extract},
    http::header,
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use http_body_util::BodyExt;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::{Routes, interceptor::InterceptedService};

use super::{auth, blobs, service::Service};
use crate::{
    engine::{Shared, router},
    proto::{CONNECTION_WINDOW, MAX_MESSAGE, STREAM_WINDOW, client::modal_client_server::ModalClientServer},
};

/// How long another program counts as active after its last request.
const RECENT: Duration = Duration::from_secs(60);

/// Programs of this user agent are the server itself.
const OWN: &str = "sandbank/";

/// How long open calls may end by themselves when the engine stops; waits and streams are simply opened again.
const GRACE: Duration = Duration::from_millis(200);

/// Calls of one connection at a time: a sandbox may have 512 commands, each with an output and an end that are waited
/// for, and there must be room for what is said to them.
const STREAMS: u32 = 2048;

/// Keepalive of HTTP/2, as Modal's clients do it themselves.
const PING: Duration = Duration::from_secs(30);

/// What other programs are doing.
#[derive(Debug)]
pub struct Activity {
    start: Instant,
    under_way: AtomicUsize,
    /// Milliseconds after `start`, plus one; zero: never.
    last: AtomicU64,
}

impl Default for Activity {
    fn default() -> Self {
        Self { start: Instant::now(), under_way: AtomicUsize::new(0), last: AtomicU64::new(0) }
    }
}

impl Activity {
    /// Requests of other programs under way, or one if the last ended less than a minute ago.
    pub fn count(&self) -> usize {
        let last = self.last.load(Ordering::Relaxed);
        let recent = last > 0 && self.start.elapsed() < Duration::from_millis(last) + RECENT;
        self.under_way.load(Ordering::Relaxed).max(usize::from(recent))
    }

    fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }
}

/// One request; ends with the last byte of its answer.
struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.0.last.store(now + 1, Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn count(Extract(activity): Extract<Arc<Activity>>, request: Request, next: Next) -> Response {
    let agent = request.headers().get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if agent.starts_with(OWN) {
        return next.run(request).await;
    }
    let guard = activity.begin();
    next.run(request).await.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &guard;
            frame
        }))
    })
}

/// Every route of the port.
fn routes(shared: &Arc<Shared>) -> Router {
    let modal = ModalClientServer::new(Service(Arc::clone(shared)))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let account = Arc::clone(shared);
    let modal = InterceptedService::new(modal, move |request| auth::check(&account.access, request));
    // The router's tokens are its own: one for each task.
    Routes::new(modal)
        .add_service(router::service(Arc::clone(shared)))
        .into_axum_router()
        .merge(blobs::routes(Arc::clone(shared)))
        .layer(from_fn_with_state(Arc::clone(&shared.activity), count))
}

/// Serves until `stop`, then lets calls end for a moment.
pub async fn serve(shared: Arc<Shared>, listener: TcpListener, stop: CancellationToken) {
    let service = TowerToHyperService::new(routes(&shared));
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new());
    http.http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: closing connections frees some.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small answers must not wait for a full packet.
        let _ = stream.set_nodelay(true);
        let (http, service, stop) = (http.clone(), service.clone(), stop.clone());
        open.spawn(async move {
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = tokio::time::timeout(GRACE, connection).await;
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}
