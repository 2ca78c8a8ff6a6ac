//! Keys that never enter a sandbox. The process gets a dummy and a socket; what it asks there is sent on with the real
//! key in its header, to the one address that came with the key and to nothing else.
//!
//! What must stay true: a real key is in the engine's memory, in an encrypted row while its command runs, and in
//! requests to its own address; never in a sandbox, an answer of ours or a log.

use std::{collections::BTreeMap, convert::Infallible, fmt, net::IpAddr, time::Duration};

use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Frame, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncWrite};

use super::http::{BUFFER, Body, strip_hop, text};
use crate::engine::spec::ExecSpec;

/// What a process sees instead of a key.
pub const DUMMY: &str = "sk-ant-withheld-by-sandbank";

/// Where keys are for when nothing else is said.
const PUBLIC: &str = "https://api.anthropic.com";
const BASE: &str = "ANTHROPIC_BASE_URL";
const SOCKET: &str = "ANTHROPIC_UNIX_SOCKET";
/// The Claude CLI uses its socket only with an `http` address.
const BASE_INSIDE: &str = "http://api.local";

/// As for the egress proxy: for a client that hangs before it has asked.
const HEAD: Duration = Duration::from_secs(60);
/// An address that doesn't answer; the client tries again by itself.
const CONNECT: Duration = Duration::from_secs(10);

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The keys of one command, and where they may go.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    values: BTreeMap<String, String>,
    base: String,
}

/// Values are not shown.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("names", &self.values.keys()).finish_non_exhaustive()
    }
}

impl Keys {
    /// Takes the keys among `names` out of a command's environment and puts in what it gets instead. `None` if it has
    /// none of them.
    ///
    /// # Errors
    /// The address that they are for is none.
    pub fn withhold(
        env: &mut BTreeMap<String, String>,
        names: &[String],
        exec_id: &str,
    ) -> Result<Option<Self>, String> {
        let mut values = BTreeMap::new();
        for name in names {
            if let Some(value) = env.get_mut(name).filter(|v| !v.is_empty()) {
                values.insert(name.clone(), std::mem::replace(value, DUMMY.to_owned()));
            }
        }
        if values.is_empty() {
            return Ok(None);
        }
        let base = env.insert(BASE.to_owned(), BASE_INSIDE.to_owned()).filter(|b| !b.is_empty());
        let base = base.unwrap_or_else(|| PUBLIC.to_owned());
        if !Url::parse(&base).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return Err(format!("{BASE} must be an http or https address"));
        }
        env.insert(SOCKET.to_owned(), ExecSpec::key_socket_path(exec_id));
        Ok(Some(Self { values, base }))
    }

    /// As values to be encrypted.
    pub fn to_values(&self) -> BTreeMap<String, String> {
        let mut values = self.values.clone();
        values.insert(BASE.to_owned(), self.base.clone());
        values
    }

    /// From such values.
    pub fn from_values(mut values: BTreeMap<String, String>) -> Self {
        let base = values.remove(BASE).unwrap_or_else(|| PUBLIC.to_owned());
        Self { values, base }
    }

    /// Takes the keys out of an environment that gets nothing instead.
    pub fn drop_all(env: &mut BTreeMap<String, String>, names: &[String]) {
        env.retain(|name, _| !names.contains(name));
    }

    /// Puts them where the API looks for each; what the process sent there was the dummy.
    fn apply(&self, headers: &mut HeaderMap) {
        for header in [API_KEY, AUTHORIZATION] {
            let is_dummy = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).contains(DUMMY);
            if headers.get_all(&header).iter().any(is_dummy) {
                headers.remove(&header);
            }
        }
        for (name, value) in &self.values {
            let (header, value) = match name.as_str() {
                "ANTHROPIC_API_KEY" => (API_KEY, value.clone()),
                "CLAUDE_CODE_OAUTH_TOKEN" | "ANTHROPIC_AUTH_TOKEN" => (AUTHORIZATION, format!("Bearer {value}")),
                // Withheld, but nobody knows where it would go.
                _ => continue,
            };
            if let Ok(mut value) = HeaderValue::from_str(&value) {
                value.set_sensitive(true);
                headers.insert(header, value);
            }
        }
    }

    /// The address of a path below the base; `None` for one that leads out of it.
    fn address(&self, path_and_query: &str) -> Option<Url> {
        let base = Url::parse(&self.base).ok()?;
        let prefix = base.path().trim_end_matches('/').to_owned();
        let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));
        let mut url = base;
        url.set_path(&format!("{prefix}{path}"));
        url.set_query(query);
        // Dots in the path were resolved.
        url.path().strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('/')).then_some(url)
    }
}

/// The way to the addresses that keys are for: one pool of connections for all commands.
#[derive(Clone)]
pub struct Upstream {
    direct: reqwest::Client,
    /// By the proxy that the engine's own environment names, if it does.
    ambient: reqwest::Client,
}

/// A client shows its proxy, which may have a password.
impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upstream")
    }
}

impl Upstream {
    /// Gets ready; nothing is sent.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn new() -> Result<Self, String> {
        let build = |proxied: bool| {
            // The machine's own certificate authorities, and the public ones where it has none.
            let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
            let roots = roots.filter_map(|der| reqwest::Certificate::from_der(der).ok());
            let client = reqwest::Client::builder()
                .tls_certs_merge(roots)
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT);
            let client = if proxied { client } else { client.no_proxy() };
            client.build().map_err(|e| format!("TLS to the API can't be set up: {e}"))
        };
        Ok(Self { direct: build(false)?, ambient: build(true)? })
    }

    fn client(&self, url: &Url) -> &reqwest::Client {
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if here { &self.direct } else { &self.ambient }
    }
}

/// Serves one connection of a command to its key socket.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, keys: &Keys, upstream: &Upstream) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(respond(request, keys, upstream).await) });
    // A command that hangs up is none of our failures.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What an API is asked by. With TRACE a server sends back what it got, the real key included; CONNECT asks for a way to
/// somewhere else.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

async fn respond(request: Request<Incoming>, keys: &Keys, upstream: &Upstream) -> Response<Body> {
    if !METHODS.contains(request.method()) {
        return failed(StatusCode::METHOD_NOT_ALLOWED, "this method is not sent on with a key");
    }
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let Some(url) = keys.address(path) else {
        return failed(StatusCode::FORBIDDEN, "this key is for another address");
    };
    let (mut parts, body) = request.into_parts();
    strip_hop(&mut parts.headers);
    parts.headers.remove(HOST);
    keys.apply(&mut parts.headers);
    let mut onward = upstream.client(&url).request(parts.method, url).headers(parts.headers);
    if !body.is_end_stream() {
        let pieces = BodyStream::new(body);
        let pieces = futures::StreamExt::filter_map(pieces, |frame| async {
            frame.map(|frame| frame.into_data().ok()).transpose()
        });
        onward = onward.body(reqwest::Body::wrap_stream(pieces));
    }
    match onward.send().await {
        Ok(answer) => pass(answer),
        // Without its address, which may carry a password.
        Err(e) => failed(StatusCode::BAD_GATEWAY, &format!("the API can't be reached: {}", reason(e.without_url()))),
    }
}

/// The answer as it comes, piece by piece.
fn pass(answer: reqwest::Response) -> Response<Body> {
    let mut response = Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    strip_hop(response.headers_mut());
    let pieces = futures::StreamExt::map(answer.bytes_stream(), |piece| match piece {
        Ok(bytes) => Ok(Frame::data(bytes)),
        Err(e) => Err(e.without_url().into()),
    });
    response.map(|()| StreamBody::new(pieces).boxed_unsync())
}

/// A failure of ours in the API's own form, so that its clients show it.
fn failed(status: StatusCode, why: &str) -> Response<Body> {
    let body =
        serde_json::json!({"type": "error", "error": {"type": "api_error", "message": format!("sandbank: {why}")}});
    let mut response = Response::new(text(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error with what it rests on: "error sending request" alone helps nobody.
fn reason(error: reqwest::Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(e) = cause {
        said = format!("{said}: {e}");
        cause = e.source();
    }
    said
}

#[cfg(test)]
mod tests;
