//! What a request must not have, looked at before `s3s` does.
//!
//! A presigned URL is handed to a sandbox, which is hostile. S3 refuses `x-amz-*` headers that the signature doesn't
//! cover; `s3s` takes them: with `x-amz-copy-source` added, a presigned PUT copies any object of the store. So such
//! requests end here, and so do ways in that nobody needs: the old signature, forms, URLs that live for months.

use http::{HeaderMap, Method, StatusCode, header, request::Parts};
use percent_encoding::percent_decode_str;
use s3s::{S3Error, S3Result, s3_error};

use super::fault::custom;

/// These need no signature: the first only narrows what is taken, the second says who asks, the third asks for one
/// more header in an answer.
const FREE: [&str; 3] = ["x-amz-content-sha256", "x-amz-user-agent", "x-amz-checksum-mode"];

/// S3's bound on the life of a presigned URL: a week, in seconds.
const MAX_EXPIRY: u64 = 7 * 24 * 60 * 60;

/// Refuses a request before its signature is looked at.
pub(super) fn check(parts: &Parts) -> S3Result<()> {
    let query = query(parts.uri.query().unwrap_or_default());
    let authorization = text(&parts.headers, header::AUTHORIZATION);
    let old = |name: &str| matches!(name, "Signature" | "AWSAccessKeyId");
    if query.iter().any(|(name, _)| old(name)) || authorization.is_some_and(|a| !a.starts_with("AWS4-HMAC-SHA256")) {
        return Err(s3_error!(
            InvalidRequest,
            "This store takes AWS4-HMAC-SHA256 signatures only. Tell your client: `signature_version = s3v4` below `s3 =` in ~/.aws/config."
        ));
    }
    let kind = text(&parts.headers, header::CONTENT_TYPE).unwrap_or_default().trim_start().to_ascii_lowercase();
    if parts.method == Method::POST && kind.starts_with("multipart/") {
        return Err(s3_error!(NotImplemented, "This store takes no form uploads. Use PUT."));
    }
    let presigned = query.iter().any(|(name, _)| name == "X-Amz-Signature");
    let signed = match (presigned, authorization) {
        (true, Some(_)) => {
            return Err(s3_error!(InvalidRequest, "A request is signed in its URL or its headers, not in both"));
        }
        (true, None) => {
            check_expiry(&query)?;
            only(&query, "X-Amz-SignedHeaders")?
        }
        (false, Some(authorization)) => signed_headers(authorization),
        // Nobody is let in without a signature; `s3s` says so.
        (false, None) => return Ok(()),
    };
    check_headers(&parts.headers, signed)
}

fn check_headers(headers: &HeaderMap, signed: &str) -> S3Result<()> {
    for name in headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")) {
        let covered = signed.split(';').any(|s| s.eq_ignore_ascii_case(name));
        if !covered && !FREE.contains(&name) {
            return Err(s3_error!(
                AccessDenied,
                "There were headers present in the request which were not signed: {name}"
            ));
        }
        // A second value beside the signed one.
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(s3_error!(InvalidRequest, "The header {name} is there more than once"));
        }
    }
    Ok(())
}

fn check_expiry(query: &[(String, String)]) -> S3Result<()> {
    let seconds = only(query, "X-Amz-Expires")?.parse::<u64>();
    if seconds.is_ok_and(|seconds| seconds <= MAX_EXPIRY) {
        return Ok(());
    }
    Err(malformed("X-Amz-Expires must be a number of seconds, a week (604800) at most"))
}

/// The one value of a parameter.
fn only<'q>(query: &'q [(String, String)], name: &str) -> S3Result<&'q str> {
    let mut values = query.iter().filter(|(n, _)| n == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Ok(value),
        _ => Err(malformed(format!("A presigned URL has {name} exactly once"))),
    }
}

fn malformed(why: impl Into<String>) -> S3Error {
    custom("AuthorizationQueryParametersError", StatusCode::BAD_REQUEST, why)
}

fn signed_headers(authorization: &str) -> &str {
    let mut fields = authorization.split([',', ' ']);
    fields.find_map(|field| field.strip_prefix("SignedHeaders=")).unwrap_or_default()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    // What isn't text is no signature that anybody made.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Names and values as `s3s` reads them.
fn query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    };
    query.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}
