//! URLs that let the mover send and fetch single objects without any key: the exact object, length and digest are
//! part of what is signed, for five minutes.
//!
//! The digest stands in a *signed header*. S3 ignores a checksum in the query, so one that was moved there (as some
//! signers do) would be enforced by nobody.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{ErrorKind, StorageError};
use crate::inside::mover::words::{Digest, Request};

/// How long a URL is good. It is made when its transfer is next; a transfer that begins in time may take longer.
pub const EXPIRY: Duration = Duration::from_secs(300);

/// What stays as it is in a key's URL; all else is escaped, as SigV4 wants it.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The header with the digest.
pub const CHECKSUM: &str = "x-amz-checksum-sha256";

/// The header that lets an object be made and never replaced.
const ONCE: &str = "if-none-match";

/// The header that its sender writes.
const LENGTH: &str = "content-length";

/// Makes URLs. Made for one moment: ask the bucket for another after a minute.
pub struct Signer {
    pub(super) bucket: String,
    pub(super) base: String,
    pub(super) region: String,
    pub(super) credentials: Credentials,
    pub(super) now: SystemTime,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// A key as it stands in a URL, for signing and for `x-amz-copy-source`.
pub(super) fn escaped(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

impl Signer {
    /// To fetch an object.
    ///
    /// # Errors
    /// Keys that can't sign.
    pub fn get(&self, key: &str) -> Result<Request, StorageError> {
        self.sign("GET", key, "", &[])
    }

    /// To send an object of this length and digest where none is: the URL of an object that is there is of no more
    /// use, whoever keeps it.
    ///
    /// # Errors
    /// Keys that can't sign.
    pub fn put(&self, key: &str, size: u64, digest: &Digest) -> Result<Request, StorageError> {
        self.sized(key, "", size, digest, &[(ONCE, "*")])
    }

    /// To copy an object of the same bucket, if it is still the one with this ETag.
    ///
    /// # Errors
    /// Keys that can't sign.
    pub fn copy(&self, from: &str, etag: &str, to: &str) -> Result<Request, StorageError> {
        let source = format!("{}/{}", self.bucket, escaped(from));
        self.sign("PUT", to, "", &[("x-amz-copy-source", &source), ("x-amz-copy-source-if-match", etag)])
    }

    /// To send one part of an upload.
    ///
    /// # Errors
    /// Keys that can't sign.
    pub fn part(
        &self,
        key: &str,
        upload: &str,
        number: u32,
        size: u64,
        digest: &Digest,
    ) -> Result<Request, StorageError> {
        let query = format!("partNumber={number}&uploadId={}", utf8_percent_encode(upload, NON_ALPHANUMERIC));
        self.sized(key, &query, size, digest, &[])
    }

    fn sized(
        &self,
        key: &str,
        query: &str,
        size: u64,
        digest: &Digest,
        more: &[(&str, &str)],
    ) -> Result<Request, StorageError> {
        let (size, digest) = (size.to_string(), BASE64_STANDARD.encode(digest.0));
        let headers = [&[(LENGTH, size.as_str()), (CHECKSUM, digest.as_str())], more].concat();
        self.sign("PUT", key, query, &headers)
    }

    fn sign(&self, method: &str, key: &str, query: &str, headers: &[(&str, &str)]) -> Result<Request, StorageError> {
        // The reason of a failure could show the key; there is none but a key of no use.
        let failed = || StorageError::new(ErrorKind::Denied, "sign a URL", "the keys of the store can't sign");
        let mut url = format!("{}/{}", self.base, escaped(key));
        if !query.is_empty() {
            url.push('?');
            url.push_str(query);
        }
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(EXPIRY);
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(self.now)
            .settings(settings)
            .build()
            .map_err(|_| failed())?
            .into();
        let request =
            SignableRequest::new(method, url.as_str(), headers.iter().copied(), SignableBody::UnsignedPayload)
                .map_err(|_| failed())?;
        let (instructions, _) = sign(request, &params).map_err(|_| failed())?.into_parts();
        let mut separator = if query.is_empty() { '?' } else { '&' };
        for (name, value) in instructions.params() {
            url.push(separator);
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, KEY_QUERY));
            separator = '&';
        }
        // Length and host are the sender's to write; it can't write others than those that were signed.
        let headers = headers.iter().filter(|(name, _)| *name != LENGTH);
        Ok(Request { url, headers: headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() })
    }
}

/// What stays as it is in a value of the query.
const KEY_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer {
            bucket: "bank".into(),
            base: "http://127.0.0.1:9000/bank".into(),
            region: "us-east-1".into(),
            credentials: Credentials::new("AKIA", "hunter2", None, None, "test"),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        }
    }

    #[test]
    fn length_and_digest_are_signed_headers() {
        let url = signer().put("a/5/x", 3, &Digest([7; 32])).unwrap().url;
        assert!(url.contains("X-Amz-SignedHeaders=content-length%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256"));
        assert!(!url.to_lowercase().contains("checksum-sha256="), "{url}");
        let request = signer().put("a/5/x", 3, &Digest([7; 32])).unwrap();
        let (digest, once) = ((CHECKSUM.to_owned(), BASE64_STANDARD.encode([7; 32])), (ONCE.into(), "*".into()));
        assert_eq!(request.headers, [digest.clone(), once]);
        let part = signer().part("a/5/x", "u", 1, 3, &Digest([7; 32])).unwrap();
        assert_eq!(part.headers, [digest], "a part may be sent again");
        assert!(url.contains("X-Amz-Expires=300") && url.contains("X-Amz-Date=20231114T221320Z"), "{url}");
    }

    #[test]
    fn a_url_is_for_one_digest_only() {
        let signer = signer();
        assert_ne!(signer.put("a", 3, &Digest([7; 32])).unwrap(), signer.put("a", 3, &Digest([8; 32])).unwrap());
        assert_ne!(signer.put("a", 3, &Digest([7; 32])).unwrap(), signer.put("a", 4, &Digest([7; 32])).unwrap());
    }

    #[test]
    fn odd_names_are_escaped() {
        let url = signer().get("a/5/ä b+%25?#&").unwrap().url;
        assert!(url.starts_with("http://127.0.0.1:9000/bank/a/5/%C3%A4%20b%2B%2525%3F%23%26?X-Amz-"), "{url}");
    }

    #[test]
    fn debug_output_holds_no_key() {
        assert_eq!(format!("{:?}", signer()), "Signer");
    }
}
