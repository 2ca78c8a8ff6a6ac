//! The short-lived token that calls about V2 sandboxes carry beside the account's own.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Life of a token that doesn't say when it ends.
const DEFAULT_LIFE: Duration = Duration::from_secs(20 * 60);

/// A token and when to get a new one.
#[derive(Clone)]
pub(super) struct Token {
    pub jwt: String,
    expires: SystemTime,
    refresh: SystemTime,
}

impl Token {
    /// A token that was given now. `share` (0 to 1) places its renewal between 50 % and 60 % of its life, so that many
    /// clients don't renew at once.
    pub(super) fn new(jwt: String, now: SystemTime, share: f64) -> Self {
        let expires = expiry(&jwt).unwrap_or(now + DEFAULT_LIFE);
        let life = expires.duration_since(now).unwrap_or_default();
        Self { jwt, expires, refresh: now + life.mul_f64(0.5 + 0.1 * share.clamp(0.0, 1.0)) }
    }

    /// It can still be used.
    pub(super) fn is_valid(&self, now: SystemTime) -> bool {
        now < self.expires
    }

    /// It is time for a new one.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        now >= self.refresh
    }
}

/// `exp` of a token; all that is read of it. The signature is for the other side.
pub(super) fn expiry(jwt: &str) -> Option<SystemTime> {
    let body = jwt.split('.').nth(1)?;
    let body = URL_SAFE_NO_PAD.decode(body.trim_end_matches('=')).ok()?;
    let exp = serde_json::from_slice::<serde_json::Value>(&body).ok()?.get("exp")?.as_f64()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(exp).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(exp: u64) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}")))
    }

    #[test]
    fn a_token_is_renewed_in_the_middle_of_its_life() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        for (share, due) in [(0.0, 1_500), (1.0, 1_600)] {
            let token = Token::new(jwt(2_000), now, share);
            assert!(!token.is_due(at(due - 1)) && token.is_due(at(due)));
            assert!(token.is_valid(at(1_999)) && !token.is_valid(at(2_000)));
        }
    }

    #[test]
    fn a_token_that_says_nothing_lives_twenty_minutes() {
        let now = SystemTime::UNIX_EPOCH;
        for jwt in ["", "a.b.c", "e30.e30.x"] {
            assert!(Token::new(jwt.into(), now, 0.0).is_valid(now + Duration::from_secs(1_199)), "{jwt}");
        }
    }
}
