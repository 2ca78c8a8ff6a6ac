//! Who may call: the account's token in every call's headers, and short-lived tokens for the rest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tonic::Status;

/// Makes and checks JSON web tokens. Clients read only `exp` of them.
#[derive(Clone)]
pub struct Tokens {
    key: [u8; 32],
}

/// Not shown.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    /// What it is for: `api`, or a task's id.
    sub: String,
    /// Unix second when it ends.
    exp: u64,
}

impl Tokens {
    /// Tokens signed with `key`.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A token for `subject` that lives this long.
    pub fn issue(&self, subject: &str, life: Duration) -> String {
        let exp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + life;
        let claims = Claims { sub: subject.to_owned(), exp: exp.as_secs() };
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        let body = serde_json::to_string(&claims).unwrap_or_default();
        let signed = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned()), part(body));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.mac(&signed).finalize().into_bytes()))
    }

    /// Whom a token is for.
    ///
    /// # Errors
    /// UNAUTHENTICATED: it isn't ours, or it is over.
    pub fn check(&self, token: &str) -> Result<String, Status> {
        let no = || Status::unauthenticated("this token is not of this engine");
        let (signed, mac) = token.rsplit_once('.').ok_or_else(no)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| no())?;
        self.mac(signed).verify_slice(&mac).map_err(|_| no())?;
        let body = signed.split('.').nth(1).and_then(|b| URL_SAFE_NO_PAD.decode(b).ok()).ok_or_else(no)?;
        let claims: Claims = serde_json::from_slice(&body).map_err(|_| no())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if claims.exp <= now {
            return Err(Status::unauthenticated("this token is over: get a new one"));
        }
        Ok(claims.sub)
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        // HMAC takes keys of any length, so the empty one never stands in.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(signed.as_bytes());
        mac
    }
}

/// The router's address for a caller: Modal's Python (1, 3) dials `http` in plaintext and would try TLS on `https`; its
/// Go and JavaScript SDKs insist on `https` and then dial a loopback host in plaintext.
pub fn router_url(modal_url: &str, client_type: &str) -> String {
    match client_type {
        "7" | "8" | "9" => modal_url.replacen("http://", "https://", 1),
        _ => modal_url.to_owned(),
    }
}
