//! Short-lived tokens, for the control plane and for one task each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tonic::Status;

use super::access;

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

fn signature(key: &[u8; 32], signed: &str) -> Hmac<Sha256> {
    let mut mac = access::keyed(key);
    mac.update(signed.as_bytes());
    mac
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
