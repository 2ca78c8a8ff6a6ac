//! Presigned requests to the store. No URL is ever shown: it is a key.

use std::{io, ops::Range, sync::OnceLock, time::Duration};

use futures::TryStreamExt as _;
use reqwest::{
    Body, Certificate, Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_LENGTH, ETAG, HeaderName, HeaderValue, RANGE},
    redirect,
};

use super::words::Request;

/// Waits before the second and third try.
const WAITS: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// A store that doesn't answer a connection for this long is unreachable.
const CONNECT: Duration = Duration::from_secs(10);

/// An answer, or the next piece of one, that takes longer is not coming.
const SILENCE: Duration = Duration::from_secs(60);

/// The slowest line that we wait for, in bytes a second: bounds a request that crawls.
const CRAWL: u64 = 50_000;

/// Stores close idle connections after 5 seconds and more; a request on one that is being closed would be lost.
const IDLE: Duration = Duration::from_secs(4);

/// What a copy may take, as bytes on the slowest line: stores copy 5 GB, the most there is, in a minute or so.
const COPY: u64 = CRAWL * 120;

/// Most of an error's body that is read, for its code.
const ERROR_BODY: usize = 4 << 10;

/// Why a request failed.
#[derive(Debug)]
pub struct Fault {
    /// What a repetition could bring.
    pub hope: Hope,
    /// What happened, without the URL.
    pub reason: String,
}

/// What a repetition could bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hope {
    /// The same request may succeed later.
    Repeat,
    /// Another URL may succeed.
    NewUrl,
    /// Nothing is needed: there is an object already.
    Exists,
    /// The store will not, for whatever reason it has.
    Refused,
    /// Nothing: it is the file, or the object, that is wrong.
    None,
}

impl Fault {
    /// A fault that nothing mends.
    pub fn last(reason: impl Into<String>) -> Self {
        Self { hope: Hope::None, reason: reason.into() }
    }

    fn http(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let what = if error.is_timeout() {
            "the store took too long"
        } else if error.is_connect() {
            "the store can't be reached"
        } else {
            "the connection to the store broke"
        };
        // The innermost cause says what it was; those in between only repeat.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Self { hope: Hope::Repeat, reason: format!("{what}: {cause}") }
    }
}

/// Does something up to three times, as long as repeating may help.
pub async fn repeat<T, F: Future<Output = Result<T, Fault>>>(mut once: impl FnMut() -> F) -> Result<T, Fault> {
    for wait in WAITS {
        match once().await {
            Err(fault) if fault.hope == Hope::Repeat => tokio::time::sleep(wait).await,
            done => return done,
        }
    }
    once().await
}

/// The clients, made when first needed: a walk needs none.
#[derive(Debug, Default)]
pub struct Http {
    outside: OnceLock<Client>,
    loopback: OnceLock<Client>,
}

impl Http {
    /// Sends a body of known length, and gives the ETag.
    pub async fn put(&self, request: &Request, length: u64, body: Body) -> Result<String, Fault> {
        let builder = self.builder(Method::PUT, request, length)?;
        let answer = builder.header(CONTENT_LENGTH, length).body(body).send().await.map_err(Fault::http)?;
        let answer = good(answer).await?;
        let etag = answer.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
        // An answer that is read to its end leaves the connection to the next request.
        drop(answer.bytes().await);
        Ok(etag)
    }

    /// Has the store copy an object. A copy that fails late says so in the body of a good answer.
    pub async fn copy(&self, request: &Request) -> Result<(), Fault> {
        let builder = self.builder(Method::PUT, request, COPY)?;
        let answer = good(builder.header(CONTENT_LENGTH, 0).send().await.map_err(Fault::http)?).await?;
        match error_code(answer).await {
            code if code.is_empty() => Ok(()),
            code => Err(Fault { hope: Hope::Repeat, reason: format!("the store could not copy ({code})") }),
        }
    }

    /// Asks for an object, or a range of it.
    pub async fn get(&self, request: &Request, range: Range<u64>, whole: bool) -> Result<Response, Fault> {
        let mut builder = self.builder(Method::GET, request, range.end - range.start)?;
        if !whole {
            builder = builder.header(RANGE, format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        }
        let answer = good(builder.send().await.map_err(Fault::http)?).await?;
        if !whole && answer.status() != StatusCode::PARTIAL_CONTENT {
            return Err(Fault::last("the store doesn't give ranges of objects"));
        }
        Ok(answer)
    }

    fn builder(&self, method: Method, request: &Request, length: u64) -> Result<RequestBuilder, Fault> {
        let url = Url::parse(&request.url).map_err(|_| Fault::last("the URL for this request is none"))?;
        let timeout = CONNECT + SILENCE + Duration::from_secs(length / CRAWL);
        let mut builder = self.client(&url)?.request(method, url).timeout(timeout);
        for (name, value) in &request.headers {
            let name = HeaderName::try_from(name).map_err(|_| Fault::last("a header for this request has no name"))?;
            if matches!(name.as_str(), "host" | "content-length" | "range") {
                continue;
            }
            let value = HeaderValue::try_from(value)
                .map_err(|_| Fault::last(format!("the header {name} of this request can't be sent")))?;
            builder = builder.header(name, value);
        }
        Ok(builder)
    }

    /// Proxies of the environment count, but never for loopback: the engine's forward to its store is there.
    fn client(&self, url: &Url) -> Result<&Client, Fault> {
        let loopback = match url.host_str() {
            Some("localhost") => true,
            Some(host) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
            None => false,
        };
        let kept = if loopback { &self.loopback } else { &self.outside };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        // Mozilla's roots beside those of the image, which may have none.
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok());
        let builder = Client::builder()
            .user_agent(concat!("sandbank/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .pool_idle_timeout(IDLE)
            .tls_certs_merge(roots);
        let builder = if loopback { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|e| Fault::last(format!("no HTTP client: {}", e.without_url())))?;
        Ok(kept.get_or_init(|| client))
    }
}

/// An answer that says yes, or what it says instead.
async fn good(answer: Response) -> Result<Response, Fault> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let code = error_code(answer).await;
    let hope = match status {
        // 409: another write of the same object was under way.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => Hope::Repeat,
        StatusCode::PRECONDITION_FAILED => Hope::Exists,
        // The store is full.
        StatusCode::INSUFFICIENT_STORAGE => Hope::Refused,
        _ if status.is_server_error() => Hope::Repeat,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Hope::NewUrl,
        _ if matches!(code.as_str(), "ExpiredToken" | "RequestTimeout") => Hope::NewUrl,
        _ => Hope::Refused,
    };
    let reason = if status == StatusCode::INSUFFICIENT_STORAGE {
        "the store is full".to_owned()
    } else if code.is_empty() {
        format!("the store answered {}", status.as_u16())
    } else {
        format!("the store answered {} ({code})", status.as_u16())
    };
    Err(Fault { hope, reason })
}

/// The `<Code>` of S3's error document: letters and digits only, nothing else of it is passed on.
async fn error_code(answer: Response) -> String {
    let mut body = Vec::new();
    let mut pieces = answer.bytes_stream();
    while let Ok(Some(piece)) = pieces.try_next().await {
        body.extend_from_slice(&piece);
        if body.len() >= ERROR_BODY {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    code.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::last(error.to_string())
    }
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        Self::http(error)
    }
}
