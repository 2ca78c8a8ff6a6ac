//! The HTTP proxy that a sandbox finds on its loopback: `CONNECT` for everything encrypted, absolute-form requests for
//! the rest. What is not allowed is answered by 403 with the reason.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{HOST, HeaderValue},
    http::uri::{Authority, PathAndQuery},
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::TcpStream,
};

use super::{
    dial::{DialError, dial},
    http::{BUFFER, Body, answer, strip_hop, text},
};

/// A client that has connected says what it wants at once; this is for one that hangs.
const HEAD: Duration = Duration::from_secs(60);

/// What a `CONNECT` made: both ends, to be joined when the first has its answer.
type Tunnel = Arc<Mutex<Option<(OnUpgrade, TcpStream)>>>;

/// Serves one connection to its end, the tunnel that it may become included.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let tunnel = Tunnel::default();
    let service = service_fn(|request| {
        let tunnel = tunnel.clone();
        async move { Ok::<_, Infallible>(respond(request, &tunnel).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    let made = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let (Ok(()), Some((inner, mut outer))) = (served, made)
        && let Ok(inner) = inner.await
    {
        // A connection that breaks is for its two ends to notice.
        let _ = copy_bidirectional(&mut TokioIo::new(inner), &mut outer).await;
    }
}

async fn respond(request: Request<Incoming>, tunnel: &Tunnel) -> Response<Body> {
    let done =
        if request.method() == Method::CONNECT { connect(request, tunnel).await } else { forward(request).await };
    done.unwrap_or_else(|refused| refused)
}

async fn connect(request: Request<Incoming>, tunnel: &Tunnel) -> Result<Response<Body>, Response<Body>> {
    let (host, port) = target(request.uri().authority(), None).ok_or_else(missing)?;
    let outer = dial(&host, port).await.map_err(|e| no_way(&e))?;
    *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some((hyper::upgrade::on(request), outer));
    Ok(Response::new(text("")))
}

async fn forward(mut request: Request<Incoming>) -> Result<Response<Body>, Response<Body>> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("http") {
        return Err(answer(StatusCode::BAD_REQUEST, "this is a proxy: ask for http://HOST/… or CONNECT HOST:PORT"));
    }
    let (host, port) = target(uri.authority(), Some(80)).ok_or_else(missing)?;
    let outer = dial(&host, port).await.map_err(|e| no_way(&e))?;
    let broken = |e: hyper::Error| answer(StatusCode::BAD_GATEWAY, &format!("{host}:{port} broke off: {e}"));
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(outer))
        .await
        .map_err(broken)?;
    // Ends with the answer's body, or when nobody wants it any more.
    tokio::spawn(connection);
    strip_hop(request.headers_mut());
    // The request's own word counts, not its Host header (RFC 9112, 3.2.2).
    if let Some(value) = uri.authority().and_then(|a| HeaderValue::from_str(without_user(a)).ok()) {
        request.headers_mut().insert(HOST, value);
    }
    *request.uri_mut() = Uri::from(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    let mut response = sender.send_request(request).await.map_err(broken)?;
    strip_hop(response.headers_mut());
    Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
}

/// Host and port, if both are said.
fn target(authority: Option<&Authority>, default: Option<u16>) -> Option<(String, u16)> {
    let authority = authority?;
    Some((authority.host().to_string(), authority.port_u16().or(default)?))
}

fn missing() -> Response<Body> {
    answer(StatusCode::BAD_REQUEST, "a host, or its port, is missing")
}

fn without_user(authority: &Authority) -> &str {
    authority.as_str().rsplit('@').next().unwrap_or_default()
}

fn no_way(error: &DialError) -> Response<Body> {
    match error {
        DialError::Refused(why) => answer(StatusCode::FORBIDDEN, why),
        DialError::Failed(why) => answer(StatusCode::BAD_GATEWAY, why),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    async fn ask(request: &str) -> String {
        let (mut client, server) = duplex(64 << 10);
        let served = tokio::spawn(serve(server));
        client.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        served.await.unwrap();
        said
    }

    #[tokio::test]
    async fn what_is_not_public_is_refused_with_the_reason() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for request in [
            format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
            format!("GET http://{address}/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"),
            "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_string(),
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_string(),
        ] {
            let said = ask(&request).await;
            assert!(said.starts_with("HTTP/1.1 403"), "{request}: {said}");
            assert!(said.contains("public addresses only"), "{request}: {said}");
        }
        let none = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(none.is_err(), "something was dialled");
    }

    #[tokio::test]
    async fn a_request_that_is_none_for_a_proxy_is_told_so() {
        let said = ask("GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 400") && said.contains("this is a proxy"), "{said}");
    }
}
