//! Who may call: the account's token in every call's headers, and short-lived tokens for the rest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tonic::{Request, Status, metadata::MetadataMap};

use crate::engine::{Access, access};

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
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature(&self.key, &signed).finalize().into_bytes()))
    }

    /// Whom a token is for.
    ///
    /// # Errors
    /// UNAUTHENTICATED: it isn't ours, or it is over.
    pub fn check(&self, token: &str) -> Result<String, Status> {
        let no = || Status::unauthenticated("this token is not of this engine");
        let (signed, mac) = token.rsplit_once('.').ok_or_else(no)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| no())?;
        signature(&self.key, signed).verify_slice(&mac).map_err(|_| no())?;
        let body = signed.split('.').nth(1).and_then(|b| URL_SAFE_NO_PAD.decode(b).ok()).ok_or_else(no)?;
        let claims: Claims = serde_json::from_slice(&body).map_err(|_| no())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if claims.exp <= now {
            return Err(Status::unauthenticated("this token is over: get a new one"));
        }
        Ok(claims.sub)
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

fn signature(key: &[u8; 32], signed: &str) -> Hmac<Sha256> {
    let mut mac = access::keyed(key);
    mac.update(signed.as_bytes());
    mac
}

/// A header's text; empty when it is absent.
pub fn header<'a>(headers: &'a MetadataMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// Refuses calls that don't carry the account's token.
pub fn check(access: &Access, request: Request<()>) -> Result<Request<()>, Status> {
    let has = |name: &str, value: &str| same(header(request.metadata(), name).as_bytes(), value.as_bytes());
    // Both are compared always, so that the time tells nothing.
    if has("x-modal-token-id", &access.token_id) & has("x-modal-token-secret", &access.token_secret) {
        return Ok(request);
    }
    Err(Status::unauthenticated(
        "this is not the local engine's token: take MODAL_TOKEN_ID and MODAL_TOKEN_SECRET from `sandbank engine env`",
    ))
}

/// Compares without telling by its time where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_subject_until_it_is_over() {
        let tokens = Tokens::new([7; 32]);
        let token = tokens.issue("ta-1", Duration::from_secs(60));
        assert_eq!(tokens.check(&token).unwrap(), "ta-1");
        assert!(Tokens::new([8; 32]).check(&token).is_err());
        assert!(tokens.check(&tokens.issue("ta-1", Duration::ZERO)).unwrap_err().message().contains("over"));
        let (head, rest) = token.split_once('.').unwrap();
        let (_, mac) = rest.split_once('.').unwrap();
        let forged = URL_SAFE_NO_PAD.encode(r#"{"sub":"ta-2","exp":99999999999}"#);
        for bad in ["", "a.b.c", &format!("{head}.{forged}.{mac}"), &token[1..]] {
            assert!(tokens.check(bad).is_err(), "{bad}");
        }
    }
}
