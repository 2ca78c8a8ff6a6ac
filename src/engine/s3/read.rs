//! Objects that are read: GET, HEAD, and the sources of copies, each on its conditions.

use std::ops::Range;

use http::HeaderMap;
use rusqlite::Connection;
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        ChecksumMode, CopySource, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
        Timestamp, TimestampFormat,
    },
    s3_error,
};

use super::{
    Api,
    blobs::{self, Piece},
    body,
    fault::Fault,
    numbers::{signed, time},
    rows::{self, Object},
    sums::give,
};

/// There are no versions: only `null` names what is there.
pub(super) fn refuse_version(id: Option<&str>) -> S3Result<()> {
    match id {
        Some(id) if id != "null" => Err(s3_error!(NoSuchVersion, "This store keeps no versions of an object")),
        _ => Ok(()),
    }
}

/// The conditions of a read, in the order of RFC 9110 (13.2.2).
struct Reading {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

impl Reading {
    fn check(&self, object: &Object) -> S3Result<()> {
        // HTTP's dates have whole seconds.
        let modified = time(object.modified / 1000 * 1000);
        let unmet = || s3_error!(PreconditionFailed, "At least one of the preconditions that were given did not hold");
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(tag), _) if !rows::names(tag, &object.etag) => return Err(unmet()),
            (None, Some(since)) if modified > *since => return Err(unmet()),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(tag), _) if rows::names(tag, &object.etag) => Err(not_modified(object)),
            (None, Some(since)) if modified <= *since => Err(not_modified(object)),
            _ => Ok(()),
        }
    }
}

/// 304 tells the ETag, so that caches know what they have.
fn not_modified(object: &Object) -> S3Error {
    let mut error = s3_error!(NotModified);
    if let Ok(tag) = object.tag().to_http_header() {
        error.set_headers(HeaderMap::from_iter([(http::header::ETAG, tag)]));
    }
    error
}

/// What a GET or a HEAD asks for.
struct Wanted {
    bucket: String,
    key: String,
    reading: Reading,
    range: Option<s3s::dto::Range>,
    part: Option<i32>,
    /// The checksum too.
    sum: bool,
}

/// The [`Wanted`] of an input that has its fields.
macro_rules! wanted {
    ($input:expr) => {{
        let input = $input;
        refuse_version(input.version_id.as_deref())?;
        Wanted {
            bucket: input.bucket,
            key: input.key,
            reading: Reading {
                if_match: input.if_match,
                if_none_match: input.if_none_match,
                if_modified_since: input.if_modified_since,
                if_unmodified_since: input.if_unmodified_since,
            },
            range: input.range,
            part: input.part_number,
            sum: input.checksum_mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED),
        }
    }};
}

/// What is there for it.
struct Found {
    object: Object,
    /// Those that are wanted.
    bytes: Range<u64>,
    /// How to say so, when they are not all.
    range: Option<String>,
    /// How many parts there are, for who asked for one.
    parts: Option<usize>,
    sum: bool,
}

impl Wanted {
    /// Looks, with the pieces of the content or, if nothing needs them, without.
    async fn find(&self, api: &Api, content: bool) -> S3Result<(Found, Vec<Piece>)> {
        let (bucket, key, pieces) = (self.bucket.clone(), self.key.clone(), content || self.part.is_some());
        let look = move |db: &Connection| -> Result<_, Fault> {
            let object = rows::get(db, rows::bucket(db, &bucket)?, &key)?;
            let pieces = if pieces { blobs::pieces(db, object.blob)? } else { Vec::new() };
            Ok((object, pieces))
        };
        let (object, pieces) = api.index.read(look).await?;
        self.reading.check(&object)?;
        let (bytes, range) = select(object.size, self.range, self.part, &pieces)?;
        let parts = self.part.map(|_| pieces.len());
        // A checksum is that of the whole: beside a part of the bytes it would be compared with them.
        let sum = self.sum && range.is_none();
        Ok((Found { object, bytes, range, parts, sum }, pieces))
    }
}

/// The output of a kind that has these fields, from what was found.
macro_rules! tell {
    ($Output:ident, $found:expr) => {{
        let Found { object, bytes, range, parts, sum } = $found;
        let mut output = $Output {
            accept_ranges: Some("bytes".into()),
            content_length: Some(signed(bytes.end - bytes.start)),
            content_range: range,
            e_tag: Some(object.tag()),
            last_modified: Some(time(object.modified)),
            parts_count: parts.and_then(|n| i32::try_from(n).ok()),
            ..Default::default()
        };
        if sum {
            output.checksum_type = Some(object.sum.kind());
            give!(output, &object.sum);
        }
        let headers = object.headers;
        // What S3 says of an object whose sender didn't.
        output.content_type = headers.content_type.or_else(|| Some("binary/octet-stream".into()));
        output.cache_control = headers.cache_control;
        output.content_disposition = headers.content_disposition;
        output.content_encoding = headers.content_encoding;
        output.content_language = headers.content_language;
        output.expires = headers.expires.and_then(|e| Timestamp::parse(TimestampFormat::HttpDate, &e).ok());
        output.metadata = Some(headers.metadata.into_iter().collect());
        output
    }};
}

/// Which bytes to send, and how to say so.
fn select(
    size: u64,
    range: Option<s3s::dto::Range>,
    part: Option<i32>,
    pieces: &[Piece],
) -> S3Result<(Range<u64>, Option<String>)> {
    let bytes = match (range, part) {
        (Some(_), Some(_)) => return Err(s3_error!(InvalidRequest, "Range and partNumber exclude each other")),
        (None, None) => return Ok((0..size, None)),
        (Some(range), None) => range.check(size)?,
        (None, Some(part)) => {
            let n = usize::try_from(part).ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < pieces.len());
            let n = n.ok_or_else(|| s3_error!(InvalidRange, "The object has no part {part}"))?;
            let start = pieces[..n].iter().map(|p| p.size).sum();
            start..start + pieces[n].size
        }
    };
    let said = format!("bytes {}-{}/{size}", bytes.start, bytes.end.saturating_sub(1));
    let said = (!bytes.is_empty()).then_some(said);
    Ok((bytes, said))
}

/// How often an object is looked up again when its file was deleted between the row and the file: each time means that
/// somebody replaced it meanwhile.
const TRIES: usize = 5;

pub(super) async fn get(api: &Api, req: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
    let wanted = wanted!(req.input);
    let mut tries = 0;
    loop {
        let (found, pieces) = wanted.find(api, true).await?;
        tries += 1;
        match body::send(api.files.clone(), pieces, found.bytes.clone()).await {
            Ok(body) => return Ok(GetObjectOutput { body: Some(body), ..tell!(GetObjectOutput, found) }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && tries < TRIES => {}
            Err(e) => return Err(Fault::Io(e).into()),
        }
    }
}

pub(super) async fn head(api: &Api, req: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
    let (found, _) = wanted!(req.input).find(api, false).await?;
    Ok(tell!(HeadObjectOutput, found))
}

/// Whence to copy, and on which conditions.
pub(super) struct Source {
    bucket: String,
    key: String,
    reading: Reading,
}

/// The [`Source`] of an input that has its fields.
macro_rules! source {
    ($input:expr) => {
        $crate::engine::s3::read::Source::new(
            &$input.copy_source,
            $input.copy_source_if_match.take(),
            $input.copy_source_if_none_match.take(),
            $input.copy_source_if_modified_since.take(),
            $input.copy_source_if_unmodified_since.take(),
        )
    };
}
pub(super) use source;

impl Source {
    pub(super) fn new(
        source: &CopySource,
        if_match: Option<ETagCondition>,
        if_none_match: Option<ETagCondition>,
        if_modified_since: Option<Timestamp>,
        if_unmodified_since: Option<Timestamp>,
    ) -> S3Result<Self> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "Copies come from a bucket of this store"));
        };
        refuse_version(version_id.as_deref())?;
        let reading = Reading { if_match, if_none_match, if_modified_since, if_unmodified_since };
        Ok(Self { bucket: bucket.to_string(), key: key.to_string(), reading })
    }

    /// Is it this object?
    pub(super) fn names(&self, bucket: &str, key: &str) -> bool {
        self.bucket == bucket && self.key == key
    }

    /// The object, if the conditions hold. For a copy, 304 would be no answer.
    pub(super) fn object(&self, db: &Connection) -> Result<Object, Fault> {
        let object = rows::get(db, rows::bucket(db, &self.bucket)?, &self.key)?;
        self.reading.check(&object).map_err(|e| match e.code() {
            s3s::S3ErrorCode::NotModified => s3_error!(PreconditionFailed, "The source is as the condition excludes"),
            _ => e,
        })?;
        Ok(object)
    }
}
