//! Checksums: S3's five algorithms, each compared when the client gives it and kept with the object.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use s3s::{
    S3Result, TrailingHeaders,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
    dto::{ChecksumAlgorithm, ChecksumType},
    s3_error,
};

/// How a checksum is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// S3's default when the client asks for none.
    pub(super) const DEFAULT: Self = Self::Crc64Nvme;

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => ChecksumAlgorithm::CRC32,
            Self::Crc32c => ChecksumAlgorithm::CRC32C,
            Self::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
            Self::Sha1 => ChecksumAlgorithm::SHA1,
            Self::Sha256 => ChecksumAlgorithm::SHA256,
        }
    }

    pub(super) fn parse(name: &str) -> S3Result<Self> {
        let found = Self::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| s3_error!(InvalidRequest, "Unknown checksum algorithm {name}"))
    }

    fn of_header(header: &str) -> Option<Self> {
        let name = header.trim().strip_prefix("x-amz-checksum-")?;
        Self::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    /// CRCs of parts can be combined to that of the whole.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Crc32 => Crc32::checksum(bytes).to_vec(),
            Self::Crc32c => Crc32c::checksum(bytes).to_vec(),
            Self::Crc64Nvme => Crc64Nvme::checksum(bytes).to_vec(),
            Self::Sha1 => Sha1::checksum(bytes).to_vec(),
            Self::Sha256 => Sha256::checksum(bytes).to_vec(),
        }
    }
}

/// A checksum as S3 writes it: base64, and `-N` behind it when it is one over the checksums of N parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) algorithm: Algorithm,
    pub(super) value: String,
}

impl Sum {
    fn new(algorithm: Algorithm, digest: &[u8]) -> Self {
        Self { algorithm, value: STANDARD.encode(digest) }
    }

    /// As the index keeps it.
    pub(super) fn stored(&self) -> String {
        format!("{}:{}", self.algorithm.name(), self.value)
    }

    pub(super) fn parse(stored: &str) -> S3Result<Self> {
        let (name, value) = stored.split_once(':').unwrap_or((stored, ""));
        Ok(Self { algorithm: Algorithm::parse(name)?, value: value.to_owned() })
    }

    pub(super) fn kind(&self) -> ChecksumType {
        let composite = self.value.contains('-');
        ChecksumType::from_static(if composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT })
    }

    /// The checksum of a whole from those of its parts, given with their sizes.
    pub(super) fn of_parts(rule: Rule, parts: &[(Self, u64)]) -> S3Result<Self> {
        let broken = || s3_error!(InternalError, "A part's checksum can't be read back from the store's index");
        let digests: Option<Vec<Vec<u8>>> = parts.iter().map(|(sum, _)| STANDARD.decode(&sum.value).ok()).collect();
        let digests = digests.ok_or_else(broken)?;
        let Rule { algorithm, full } = rule;
        let Some(crc) = algorithm.crc().filter(|_| full) else {
            let digest = algorithm.digest(&digests.concat());
            return Ok(Self { algorithm, value: format!("{}-{}", STANDARD.encode(digest), parts.len()) });
        };
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        let width = digests.first().map_or(8, Vec::len);
        let mut whole: Option<u64> = None;
        for (digest, (_, size)) in digests.iter().zip(parts) {
            let next = number(digest);
            whole = Some(whole.map_or(next, |sum| crc_fast::checksum_combine(crc, sum, next, *size)));
        }
        let bytes = whole.ok_or_else(broken)?.to_be_bytes();
        Ok(Self::new(algorithm, &bytes[8 - width..]))
    }
}

/// How the checksum of a multipart object is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) algorithm: Algorithm,
    /// Over all bytes, not over the parts' checksums.
    pub(super) full: bool,
}

impl Rule {
    /// What S3 does for this wish: CRC64NVME exists only over all bytes, the SHAs only over parts.
    pub(super) fn new(algorithm: Option<&ChecksumAlgorithm>, kind: Option<&ChecksumType>) -> S3Result<Self> {
        let algorithm = algorithm.map_or(Ok(Algorithm::DEFAULT), |a| Algorithm::parse(a.as_str()))?;
        let asked = kind.map(|k| k.as_str() == ChecksumType::FULL_OBJECT);
        let full = match (algorithm, asked) {
            (Algorithm::Crc64Nvme, Some(false)) | (Algorithm::Sha1 | Algorithm::Sha256, Some(true)) => {
                let name = algorithm.name();
                return Err(s3_error!(InvalidRequest, "This checksum type can't be used with {name}"));
            }
            (Algorithm::Crc64Nvme, _) => true,
            (_, asked) => asked.unwrap_or(false),
        };
        Ok(Self { algorithm, full })
    }

    pub(super) fn kind(self) -> ChecksumType {
        ChecksumType::from_static(if self.full { ChecksumType::FULL_OBJECT } else { ChecksumType::COMPOSITE })
    }

    /// As the index keeps it.
    pub(super) fn stored(self) -> String {
        format!("{}:{}", self.algorithm.name(), if self.full { "full" } else { "parts" })
    }

    pub(super) fn parse(stored: &str) -> S3Result<Self> {
        let (name, how) = stored.split_once(':').unwrap_or((stored, ""));
        Ok(Self { algorithm: Algorithm::parse(name)?, full: how == "full" })
    }
}

/// What the client says of a body that is coming.
pub(super) struct Declared {
    pub(super) algorithm: Algorithm,
    value: Option<String>,
    trailer: Option<TrailingHeaders>,
    md5: Option<String>,
}

impl Declared {
    /// Nothing but the algorithm to keep.
    pub(super) fn none(algorithm: Algorithm) -> Self {
        Self { algorithm, value: None, trailer: None, md5: None }
    }

    /// From the checksum headers (see [`given`]), the trailer's name, and the wish of an SDK that sends neither.
    pub(super) fn new(
        given: [(Algorithm, Option<String>); 5],
        asked: Option<&ChecksumAlgorithm>,
        md5: Option<String>,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Self> {
        let mut given = given.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value?)));
        let first = given.next();
        if given.next().is_some() {
            return Err(s3_error!(InvalidRequest, "Expecting a single x-amz-checksum- header"));
        }
        let named = headers.get("x-amz-trailer").and_then(|h| h.to_str().ok());
        let named = named.and_then(|names| names.split(',').find_map(Algorithm::of_header));
        let asked = asked.map(|a| Algorithm::parse(a.as_str())).transpose()?;
        Ok(match (first, named) {
            (Some((algorithm, value)), _) => Self { algorithm, value: Some(value), trailer: None, md5 },
            (None, Some(algorithm)) => Self { algorithm, value: None, trailer: trailers, md5 },
            (None, None) => Self { md5, ..Self::none(asked.unwrap_or(Algorithm::DEFAULT)) },
        })
    }

    /// An algorithm to keep where the client named none.
    pub(super) fn or_keep(mut self, algorithm: Algorithm) -> Self {
        if self.value.is_none() && self.trailer.is_none() {
            self.algorithm = algorithm;
        }
        self
    }

    /// Compares, after the body.
    pub(super) fn check(&self, got: &Digests) -> S3Result<()> {
        if let Some(md5) = &self.md5 {
            let want = STANDARD.decode(md5).ok().filter(|d| d.len() == got.md5.len());
            let want = want.ok_or_else(|| s3_error!(InvalidDigest, "Content-MD5 isn't the base64 of an MD5"))?;
            if want != got.md5 {
                return Err(s3_error!(BadDigest, "The Content-MD5 that was given is not that of the bytes received"));
            }
        }
        let trailing = self.trailer.as_ref().and_then(TrailingHeaders::take);
        let trailing = trailing.and_then(|h| Some(h.get(self.algorithm.header())?.to_str().ok()?.to_owned()));
        let header = self.algorithm.header();
        if self.trailer.is_some() && trailing.is_none() {
            return Err(s3_error!(InvalidRequest, "The trailer {header} was announced and did not come"));
        }
        match self.value.as_ref().or(trailing.as_ref()) {
            Some(want) if *want != got.sum.value => {
                Err(s3_error!(BadDigest, "The {header} that was given did not match the bytes received"))
            }
            _ => Ok(()),
        }
    }
}

/// The digests of a body.
#[derive(Debug, Clone)]
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    pub(super) sha256: [u8; 32],
    pub(super) sum: Sum,
}

enum Extra {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    /// Is made anyway.
    Sha256,
}

/// Makes the digests of a body while it comes: MD5 for the ETag, SHA-256 to keep equal content once, and the client's.
pub(super) struct Hasher {
    md5: Md5,
    sha256: Sha256,
    extra: Extra,
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let extra = match algorithm {
            Algorithm::Crc32 => Extra::Crc32(Crc32::new()),
            Algorithm::Crc32c => Extra::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Extra::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Extra::Sha1(Sha1::new()),
            Algorithm::Sha256 => Extra::Sha256,
        };
        Self { md5: Md5::new(), sha256: Sha256::new(), extra }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha256.update(bytes);
        match &mut self.extra {
            Extra::Crc32(h) => h.update(bytes),
            Extra::Crc32c(h) => h.update(bytes),
            Extra::Crc64Nvme(h) => h.update(bytes),
            Extra::Sha1(h) => h.update(bytes),
            Extra::Sha256 => {}
        }
    }

    pub(super) fn finish(self) -> Digests {
        let sha256 = self.sha256.finalize();
        let sum = match self.extra {
            Extra::Crc32(h) => Sum::new(Algorithm::Crc32, &h.finalize()),
            Extra::Crc32c(h) => Sum::new(Algorithm::Crc32c, &h.finalize()),
            Extra::Crc64Nvme(h) => Sum::new(Algorithm::Crc64Nvme, &h.finalize()),
            Extra::Sha1(h) => Sum::new(Algorithm::Sha1, &h.finalize()),
            Extra::Sha256 => Sum::new(Algorithm::Sha256, &sha256),
        };
        Digests { md5: self.md5.finalize(), sha256, sum }
    }
}

/// The checksums that an input's five fields give.
macro_rules! given {
    ($input:expr) => {{
        use $crate::engine::s3::sums::Algorithm;
        [
            (Algorithm::Crc32, $input.checksum_crc32.take()),
            (Algorithm::Crc32c, $input.checksum_crc32c.take()),
            (Algorithm::Crc64Nvme, $input.checksum_crc64nvme.take()),
            (Algorithm::Sha1, $input.checksum_sha1.take()),
            (Algorithm::Sha256, $input.checksum_sha256.take()),
        ]
    }};
}

/// Puts a checksum into the one of an output's five fields that is its.
macro_rules! give {
    ($output:expr, $sum:expr) => {{
        use $crate::engine::s3::sums::Algorithm;
        let sum = $sum;
        let value = Some(sum.value.clone());
        match sum.algorithm {
            Algorithm::Crc32 => $output.checksum_crc32 = value,
            Algorithm::Crc32c => $output.checksum_crc32c = value,
            Algorithm::Crc64Nvme => $output.checksum_crc64nvme = value,
            Algorithm::Sha1 => $output.checksum_sha1 = value,
            Algorithm::Sha256 => $output.checksum_sha256 = value,
        }
    }};
}

pub(super) use {give, given};

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(algorithm: Algorithm, bytes: &[u8]) -> Sum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish().sum
    }

    #[test]
    fn combined_crcs_are_those_of_the_whole() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let parts = [&b"a heron"[..], b" stands", b" in the reeds"];
            let sums: Vec<_> = parts.iter().map(|p| (hashed(algorithm, p), p.len() as u64)).collect();
            let whole = Sum::of_parts(Rule { algorithm, full: true }, &sums).unwrap();
            assert_eq!(whole, hashed(algorithm, &parts.concat()));
        }
    }

    #[test]
    fn a_composite_is_the_digest_of_digests() {
        let algorithm = Algorithm::Sha256;
        let sums = [(hashed(algorithm, b"one"), 3), (hashed(algorithm, b"two"), 3)];
        let whole = Sum::of_parts(Rule { algorithm, full: false }, &sums).unwrap();
        let digests = [Sha256::checksum(b"one"), Sha256::checksum(b"two")].concat();
        assert_eq!(whole.value, format!("{}-2", STANDARD.encode(Sha256::checksum(&digests))));
        assert_eq!(whole.kind().as_str(), ChecksumType::COMPOSITE);
    }

    #[test]
    fn known_values() {
        assert_eq!(hashed(Algorithm::Crc32, b"123456789").value, "y/Q5Jg==");
        assert_eq!(hashed(Algorithm::Crc32c, b"123456789").value, "4waSgw==");
        assert_eq!(hashed(Algorithm::Crc64Nvme, b"123456789").value, "rosUhgp5mIg=");
    }
}
