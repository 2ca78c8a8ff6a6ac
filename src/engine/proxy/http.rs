//! What both HTTP proxies share: bodies that pass through, headers that don't, answers of our own.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{HeaderMap, Response, StatusCode, header::HeaderName};

/// Bytes held for a connection of a sandbox: room for any head that servers take (they stop at 8 to 32 KiB). hyper's own
/// bound is six times as much, which 512 connections of a hostile sandbox would fill.
pub const BUFFER: usize = 64 << 10;

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body on its way.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body of our own.
pub fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer of our own: one line.
pub fn answer(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(text(format!("sandbank: {why}\n")));
    *response.status_mut() = status;
    response
}

/// Takes away the headers that are meant for one connection only (RFC 9110, 7.6.1).
pub fn strip_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all("connection")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_connection_go_no_further() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "keep-alive, X-Mine"), ("x-mine", "1"), ("te", "trailers"), ("accept", "a/b")]
        {
            headers.append(name, value.parse().unwrap());
        }
        strip_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
