//! Who may call: the account's token in every call's headers.

use tonic::{Request, Status, metadata::MetadataMap};

use crate::engine::Access;

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
