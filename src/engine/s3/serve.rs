//! HTTP on loopback.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{
    body::{Body as _, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::{Body, s3_error, service::S3Service};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, instrument::WithSubscriber};

use super::guard;

/// Connections at once: four times what the engine lets one sandbox open, so that a hostile one can't keep the others'
/// saves out, and still a bound on the engine's file descriptors.
const MAX_CONNECTIONS: usize = 2048;

/// A connection without a request goes after so long, so that idle ones don't fill [`MAX_CONNECTIONS`].
const IDLE: Duration = Duration::from_secs(60);

/// How long requests under way may take to end when the store stops. What isn't answered then is asked again.
const GRACE: Duration = Duration::from_secs(5);

/// A refused request's body is read up to here before the answer: else the system resets the connection, and a client
/// that still sends never sees why. Twice a part of ours.
const DRAIN: u64 = 32 << 20;

/// And for so long.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// After the last request of another program, the store counts as used for so long: a sync has pauses.
const LINGER: Duration = Duration::from_secs(60);

/// Serves until `stop`. HTTP/1.1 only: no S3 client speaks HTTP/2 without TLS.
pub(super) async fn serve(service: S3Service, outside: Arc<Outside>, listener: TcpListener, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (permit, accepted) = accept => match accepted {
                Ok((stream, _)) => {
                    let connection = talk(service.clone(), Arc::clone(&outside), stream, stop.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the S3 store could not accept a connection");
                    // For want of file descriptors, say: another comes free, or not, but not at once.
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let ended = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        connections.shutdown().await;
    }
}

async fn talk(service: S3Service, outside: Arc<Outside>, stream: TcpStream, stop: CancellationToken) {
    // An answer is often smaller than a segment; without this it waits for the next one.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| {
        let (service, outside) = (service.clone(), Arc::clone(&outside));
        async move { Ok::<_, io::Error>(answer(&service, &outside, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), answer));
    // An error is a connection that broke: there is nobody left to tell.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(service: &S3Service, outside: &Arc<Outside>, request: Request<Incoming>) -> Response<Body> {
    let guest = outside.enter(request.headers());
    let (parts, body) = request.into_parts();
    let waits = parts.headers.contains_key(header::EXPECT);
    let empty = body.is_end_stream();
    let body = Arc::new(Mutex::new(body));
    let mut response = match guard::check(&parts) {
        Err(error) => error.to_http_response().ok(),
        Ok(()) => {
            let request = Request::from_parts(parts, Body::http_body(Shared(Arc::clone(&body))));
            // `s3s` would log every 404 as an error, and whole requests with their signatures.
            service.call(request).with_subscriber(Dispatch::none()).await.ok().map(explain)
        }
    }
    .unwrap_or_else(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    });
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if waits && (failed || empty) {
        // hyper sends no `100 Continue` when nobody reads the body. botocore then takes this answer's status line for
        // it, keeps the connection, and its next upload there hangs for a minute.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    } else if failed {
        drain(&body).await;
    }
    match guest {
        None => response,
        Some(guest) => response.map(|body| {
            Body::http_body(body.map_frame(move |frame| {
                let _under_way = &guest;
                frame
            }))
        }),
    }
}

/// `s3s` gives no reason for a signature that doesn't match, and clients then show `Unknown`.
fn explain(response: Response<Body>) -> Response<Body> {
    let has = |text: &[u8], words: &[u8]| text.windows(words.len()).any(|part| part == words);
    let bare = response.status() == StatusCode::FORBIDDEN
        && response
            .body()
            .bytes()
            .is_some_and(|text| has(&text, b"<Code>SignatureDoesNotMatch</Code>") && !has(&text, b"<Message>"));
    if !bare {
        return response;
    }
    let error = s3_error!(
        SignatureDoesNotMatch,
        "The signature does not match: the secret access key is wrong, or this is not the request that was signed. \
         `sandbank engine env` prints the right keys."
    );
    error.to_http_response().unwrap_or(response)
}

/// Reads what is left of a body.
async fn drain(body: &Arc<Mutex<Incoming>>) {
    let mut rest = Shared(Arc::clone(body));
    let read = async {
        let mut left = DRAIN;
        while let Some(Ok(frame)) = rest.frame().await {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            left = left.saturating_sub(length);
            if left == 0 {
                break;
            }
        }
    };
    // One that sends too slowly does without the reason.
    let _ = timeout(DRAIN_TIME, read).await;
}

/// A request's body, of which `s3s` gets one handle and [`drain`] the other.
struct Shared(Arc<Mutex<Incoming>>);

impl hyper::body::Body for Shared {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// Who else uses the store.
#[derive(Debug, Default)]
pub(super) struct Outside {
    under_way: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

impl Outside {
    fn enter(self: &Arc<Self>, headers: &HeaderMap) -> Option<Guest> {
        let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        if agent.starts_with(b"sandbank/") {
            return None;
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Some(Guest(Arc::clone(self)))
    }

    pub(super) fn count(&self) -> usize {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = last.is_some_and(|last| last.elapsed() < LINGER);
        self.under_way.load(Ordering::Relaxed).max(usize::from(recent))
    }
}

/// A request of another program, until its answer has been sent.
struct Guest(Arc<Outside>);

impl Drop for Guest {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
