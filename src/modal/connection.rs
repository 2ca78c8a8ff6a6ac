//! The connection to the control plane: one channel, the headers of every call, retries.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures::future::BoxFuture;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use tonic::{
    Request, Response, Status,
    metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap},
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use uuid::Uuid;

use super::{
    auth::Token,
    error::{ErrorKind, ModalError},
    retry::{self, Attempt, CONTROL, Policy},
};
use crate::{
    config::ModalAccess,
    proto::{
        CONNECTION_WINDOW, MAX_MESSAGE, STREAM_WINDOW,
        client::{AuthTokenGetRequest, modal_client_client::ModalClientClient},
    },
};

/// "Behaves like the Python client of this version": what decides how the other side treats a caller.
const CLIENT_VERSION: &str = "1.6.4";
const CLIENT_TYPE: &str = "1";

/// Who really calls: what the headers above can't say.
const USER_AGENT: &str = concat!("sandbank/", env!("CARGO_PKG_VERSION"));

pub(super) type Client = ModalClientClient<Channel>;

/// A connection to Modal, or to an engine that speaks like it. Cheap to clone.
#[derive(Clone)]
pub struct Modal {
    shared: Arc<Shared>,
}

struct Shared {
    access: ModalAccess,
    channel: Channel,
    host: String,
    token: tokio::sync::Mutex<Option<Token>>,
    warnings: Mutex<Vec<String>>,
    http: reqwest::Client,
}

impl std::fmt::Debug for Modal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modal").field("server_url", &self.shared.access.server_url).finish()
    }
}

/// Whether a call carries the short-lived token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auth {
    /// The account's own token only.
    Account,
    /// The short-lived one beside it.
    Short,
}

/// How one call is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub policy: Policy,
    pub auth: Auth,
    /// The same for all attempts, and for a repetition after our own crash.
    pub key: Option<Uuid>,
}

/// An ordinary call.
pub(super) const PLAIN: How = How { policy: CONTROL, auth: Auth::Account, key: None };

/// A call about V2 sandboxes.
pub(super) const SHORT: How = How { policy: CONTROL, auth: Auth::Short, key: None };

/// A channel to one address; it connects when first used and again after a break.
pub(super) fn channel(url: &str, connect: Duration) -> Result<Channel, String> {
    let mut endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|_| format!("{url:?} is no address of a server"))?
        .user_agent(USER_AGENT)
        .map_err(|e| format!("{USER_AGENT} is no name of a program: {e}"))?
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .connect_timeout(connect)
        .tcp_nodelay(true);
    if url.starts_with("https://") {
        let tls = ClientTlsConfig::new().with_native_roots();
        endpoint = endpoint.tls_config(tls).map_err(|e| format!("TLS can't be set up: {e}"))?;
    }
    Ok(endpoint.connect_lazy())
}

impl Modal {
    /// Gets ready to call; nothing is sent yet.
    ///
    /// # Errors
    /// The address is none, or TLS can't be set up.
    pub fn new(access: ModalAccess) -> Result<Self, ModalError> {
        let bad = |message: String| ModalError::new(ErrorKind::Invalid, "reach Modal", message);
        let channel = channel(&access.server_url, Duration::from_secs(10)).map_err(bad)?;
        let host = access.server_url.parse::<http::Uri>().ok().and_then(|u| u.host().map(str::to_owned));
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(Duration::from_secs(10))
            // Only silence is timed: a large file takes its time.
            .read_timeout(Duration::from_secs(60))
            .build()
            .map_err(|e| bad(e.to_string()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                access,
                channel,
                host: host.unwrap_or_default(),
                token: tokio::sync::Mutex::default(),
                warnings: Mutex::default(),
                http,
            }),
        })
    }

    /// Warnings of the other side that were not taken yet; each comes once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn environment(&self) -> String {
        self.shared.access.environment.clone()
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.shared.http
    }

    pub(super) fn client(&self) -> Client {
        ModalClientClient::new(self.shared.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// A unary call with its headers and retries. `action` completes "could not …".
    pub(super) async fn call<Q, A>(
        &self,
        action: &str,
        how: How,
        message: Q,
        send: impl Fn(Client, Request<Q>) -> BoxFuture<'static, Result<Response<A>, Status>>,
    ) -> Result<A, ModalError>
    where
        Q: Clone,
    {
        let token = match how.auth {
            Auth::Account => None,
            Auth::Short => Some(self.token().await?),
        };
        let key = how.key.unwrap_or_else(Uuid::new_v4).to_string();
        let outcome = retry::call(how.policy, |attempt| {
            let mut request = Request::new(message.clone());
            self.headers(request.metadata_mut(), token.as_deref());
            attempt_headers(request.metadata_mut(), attempt, &key);
            send(self.client(), request)
        })
        .await;
        let response = outcome.map_err(|status| ModalError::from_status(action, &status))?;
        self.note_warnings(response.metadata());
        Ok(response.into_inner())
    }

    /// A request for a streaming call, which nobody repeats but its caller.
    pub(super) fn stream_request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        self.headers(request.metadata_mut(), None);
        request
    }

    fn headers(&self, to: &mut MetadataMap, short: Option<&str>) {
        let access = &self.shared.access;
        let platform = format!("Linux-{}", std::env::consts::ARCH);
        for (name, value) in [
            ("x-modal-client-type", CLIENT_TYPE),
            ("x-modal-client-version", CLIENT_VERSION),
            ("x-modal-token-id", &access.token_id),
            ("x-modal-token-secret", access.token_secret.expose_secret()),
            ("x-modal-host", &self.shared.host),
            ("x-modal-platform", &utf8_percent_encode(&platform, NON_ALPHANUMERIC).to_string()),
        ] {
            put(to, name, value);
        }
        if let Some(token) = short {
            put(to, "x-modal-auth-token", token);
        }
    }

    /// The short-lived token: the one at hand, or a new one when it is time. While an old one is valid a failed
    /// renewal is no error.
    async fn token(&self) -> Result<String, ModalError> {
        let mut held = self.shared.token.lock().await;
        let now = SystemTime::now();
        if let Some(token) = held.as_ref().filter(|t| t.is_valid(now) && !t.is_due(now)) {
            return Ok(token.jwt.clone());
        }
        let how = How { policy: CONTROL.within(Duration::from_secs(5)), ..PLAIN };
        // Boxed: this call is made from within calls.
        let answer = Box::pin(self.call("get a token from Modal", how, AuthTokenGetRequest {}, |mut c, r| {
            Box::pin(async move { c.auth_token_get(r).await })
        }))
        .await;
        match (answer, held.as_ref().filter(|t| t.is_valid(now))) {
            (Ok(answer), _) => {
                let share = f64::from(Uuid::new_v4().as_bytes()[0]) / 255.0;
                let token = Token::new(answer.token, now, share);
                Ok(held.insert(token).jwt.clone())
            }
            (Err(_), Some(old)) => Ok(old.jwt.clone()),
            (Err(error), None) => Err(error),
        }
    }

    fn note_warnings(&self, from: &MetadataMap) {
        for value in from.get_all("x-modal-warning") {
            let text = percent_encoding::percent_decode(value.as_bytes()).decode_utf8_lossy().into_owned();
            let mut warnings = self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            // A hundred different ones are a broken server, not a hundred things to know.
            if warnings.len() < 100 && !warnings.contains(&text) {
                tracing::warn!(warning = %crate::core::text::sanitize_line(&text), "Modal says");
                warnings.push(text);
            }
        }
    }
}

/// A header; a value that can't be one is left out (the other side will say what it misses).
pub(super) fn put(to: &mut MetadataMap, name: &'static str, value: &str) {
    if let Ok(value) = AsciiMetadataValue::try_from(value) {
        to.insert(AsciiMetadataKey::from_static(name), value);
    }
}

fn attempt_headers(to: &mut MetadataMap, attempt: Attempt, key: &str) {
    let seconds = format!("{:.3}", attempt.delay.as_secs_f64());
    put(to, "x-idempotency-key", key);
    put(to, "x-retry-attempt", &attempt.retries.to_string());
    put(to, "x-throttle-retry-attempt", &attempt.throttled.to_string());
    if attempt.retries > 0 {
        put(to, "x-retry-delay", &seconds);
    }
    if attempt.throttled > 0 {
        put(to, "x-throttle-retry-delay", &seconds);
    }
}
