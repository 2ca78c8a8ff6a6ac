//! One call over the Unix socket. A connection for each: on one machine that costs microseconds, and nothing has to
//! be kept or found broken.

use std::{fmt, path::Path};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::net::UnixStream;
use uuid::Uuid;

use crate::api::{ApiError, CLIENT_HEADER, ErrorBody};

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    target: String,
    body: Bytes,
}

/// The head of an answer; its body is read as it comes.
pub(super) type Answer = Response<Incoming>;

/// Why a call gave nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No server there, or it ended in the middle.
    Gone(String),
    /// The server doesn't know this client.
    Stranger,
    /// It answered that it can't.
    Api(ApiError),
}

impl From<hyper::Error> for Trouble {
    fn from(e: hyper::Error) -> Self {
        Self::Gone(e.to_string())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target.split('?').next().unwrap_or_default())
    }
}

impl Call {
    /// A question: `path` is made of our own words and of [`segment`]s.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, target: path.into(), body: Bytes::new() }
    }

    /// Something to be done.
    pub fn post(path: impl Into<String>, body: &impl Serialize) -> Self {
        // Our own words always have a JSON form: maps with text keys, no failing serializers.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { method: Method::POST, target: path.into(), body: body.into() }
    }

    /// Adds the fields of a flat document as query.
    pub fn query(mut self, query: &impl Serialize) -> Self {
        let Ok(Value::Object(fields)) = serde_json::to_value(query) else { return self };
        for (i, (name, value)) in fields.iter().enumerate() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let sep = if i == 0 { '?' } else { '&' };
            self.target.push_str(&format!("{sep}{name}={}", segment(&text)));
        }
        self
    }
}

/// A name as part of a path: whatever it holds, it is one step.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// Makes a call; gives the answer's head when it is a good one.
pub(super) async fn send(socket: &Path, client: Option<Uuid>, call: &Call) -> Result<Answer, Trouble> {
    let gone = |e: std::io::Error| Trouble::Gone(e.to_string());
    let stream = UnixStream::connect(socket).await.map_err(gone)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer's body, or with the sender if there is none; its errors reach us through both.
    tokio::spawn(connection);
    let mut request = Request::builder().method(&call.method).uri(&call.target).header(header::HOST, "sandbank");
    if let Some(client) = client {
        request = request.header(CLIENT_HEADER, client.to_string());
    }
    if !call.body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request
        .body(Full::new(call.body.clone()))
        .map_err(|e| Trouble::Api(ApiError::usage(format!("{call} can't be asked: {e}"))))?;
    let answer = sender.send_request(request).await?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::MISDIRECTED_REQUEST => Err(Trouble::Stranger),
        status => {
            let body = answer.into_body().collect().await?.to_bytes();
            Err(Trouble::Api(match serde_json::from_slice::<ErrorBody>(&body) {
                Ok(body) => body.error,
                Err(_) => ApiError::failed(format!("the server answered {call} with {status}")),
            }))
        }
    }
}

/// Reads a document.
pub(super) async fn json<T: DeserializeOwned>(answer: Answer) -> Result<T, Trouble> {
    let body = answer.into_body().collect().await?.to_bytes();
    serde_json::from_slice(&body).map_err(|e| {
        Trouble::Api(
            ApiError::failed(format!("the server's answer can't be read: {e}"))
                .hint("client and server may be of different versions: run `sandbank serve stop`"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::Scope,
        core::{AccountId, Profile},
    };

    #[test]
    fn names_stay_one_step_and_queries_are_flat() {
        let scope = Scope { account: AccountId::new("a.b").unwrap(), profile: Profile::Local, all: true };
        let call = Call::get(format!("/v1/sandboxes/{}", segment("../x\u{1b}"))).query(&scope);
        let (path, query) = call.target.split_once('?').unwrap();
        assert_eq!(path, "/v1/sandboxes/%2E%2E%2Fx%1B");
        let mut fields: Vec<_> = query.split('&').collect();
        fields.sort_unstable();
        assert_eq!(fields, ["account=a%2Eb", "all=true", "profile=local"]);
    }
}
