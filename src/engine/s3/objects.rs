//! Objects: put, get, head, copy, delete.

use std::ops::Range;

use http::HeaderMap;
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        ChecksumMode, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput,
        DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, GetObjectInput,
        GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective, PutObjectInput, PutObjectOutput,
        Timestamp,
    },
    s3_error,
};

use super::{
    Api, body,
    fault::Fault,
    rows::{self, Conditions, Headers, Object, Piece},
    sums::{Declared, give, given},
};

/// Headers that would change what is stored and that this store doesn't know: refused, because an answer of 200 would
/// be a lie. (An ACL, a storage class, encryption at rest: there is one owner and one disk, so they are let pass.)
const UNKNOWN: [&str; 6] = [
    "x-amz-tagging",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
];

pub(super) fn refuse_unknown(headers: &HeaderMap) -> S3Result<()> {
    match UNKNOWN.iter().find(|name| headers.contains_key(**name)) {
        Some(name) => Err(s3_error!(NotImplemented, "This store has no {name}")),
        None => Ok(()),
    }
}

/// There are no versions: only `null` names what is there.
fn refuse_version(id: Option<&str>) -> S3Result<()> {
    match id {
        Some(id) if id != "null" => Err(s3_error!(NoSuchVersion, "This store keeps no versions of an object")),
        _ => Ok(()),
    }
}

pub(super) async fn put(api: &Api, req: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    refuse_unknown(&req.headers)?;
    let mut input = req.input;
    let given = given!(input);
    let asked = input.checksum_algorithm.as_ref();
    let declared = Declared::new(given, asked, input.content_md5.take(), &req.headers, req.trailing_headers)?;
    let on = Conditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
    let headers: Headers = rows::headers!(input);
    let received = body::receive(&api.files, input.body.take(), input.content_length, declared).await?;
    let (etag, sum, size) = (received.etag(), received.digests.sum.clone(), received.size);
    let (bucket, key) = (input.bucket, input.key);
    let put = move |tx: &mut super::index::Tx<'_>| -> Result<Object, Fault> {
        let bucket = rows::bucket(tx.db, &bucket)?;
        let blob = rows::add(tx, received)?;
        let object = Object { blob, size, etag, modified: rows::now(), sum, headers };
        rows::put(tx, bucket, &key, &object, &on)?;
        Ok(object)
    };
    let object = api.index.write(put).await?;
    let mut output = PutObjectOutput { e_tag: Some(object.tag()), ..Default::default() };
    output.checksum_type = Some(object.sum.kind());
    give!(output, &object.sum);
    Ok(output)
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
        let modified = rows::time(object.modified / 1000 * 1000);
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

pub(super) async fn read(api: &Api, req: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
    let input = req.input;
    refuse_version(input.version_id.as_deref())?;
    let reading = Reading {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let mut tries = 0;
    let (object, blob, bytes, range, parts) = loop {
        let (object, pieces) = lookup(api, input.bucket.clone(), input.key.clone()).await?;
        reading.check(&object)?;
        let parts = input.part_number.map(|_| pieces.len());
        let (bytes, range) = select(object.size, input.range, input.part_number, &pieces)?;
        tries += 1;
        match body::send(api.files.clone(), pieces, bytes.clone()).await {
            Ok(blob) => break (object, blob, bytes, range, parts),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && tries < TRIES => {}
            Err(e) => return Err(Fault::Io(e).into()),
        }
    };
    let mut output = GetObjectOutput {
        accept_ranges: Some("bytes".into()),
        body: Some(blob),
        content_length: Some(signed(bytes.end - bytes.start)),
        content_range: range,
        e_tag: Some(object.tag()),
        last_modified: Some(rows::time(object.modified)),
        parts_count: parts.and_then(|n| i32::try_from(n).ok()),
        ..Default::default()
    };
    // A checksum is that of the whole: beside a part of the bytes it would be compared with them.
    if asked(input.checksum_mode.as_ref()) && output.content_range.is_none() {
        output.checksum_type = Some(object.sum.kind());
        give!(output, &object.sum);
    }
    describe!(output, object.headers);
    Ok(output)
}

pub(super) async fn head(api: &Api, req: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
    let input = req.input;
    refuse_version(input.version_id.as_deref())?;
    let reading = Reading {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let (object, pieces) = if input.part_number.is_some() {
        lookup(api, input.bucket, input.key).await?
    } else {
        let (bucket, key) = (input.bucket, input.key);
        (api.index.read(move |db| rows::get(db, rows::bucket(db, &bucket)?, &key)).await?, Vec::new())
    };
    reading.check(&object)?;
    let (bytes, range) = select(object.size, input.range, input.part_number, &pieces)?;
    let mut output = HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: Some(signed(bytes.end - bytes.start)),
        content_range: range,
        e_tag: Some(object.tag()),
        last_modified: Some(rows::time(object.modified)),
        parts_count: input.part_number.and(i32::try_from(pieces.len()).ok()),
        ..Default::default()
    };
    if asked(input.checksum_mode.as_ref()) && output.content_range.is_none() {
        output.checksum_type = Some(object.sum.kind());
        give!(output, &object.sum);
    }
    describe!(output, object.headers);
    Ok(output)
}

/// The headers that were given with the object.
macro_rules! describe {
    ($output:expr, $headers:expr) => {{
        let headers = $headers;
        // What S3 says of an object whose sender didn't.
        $output.content_type = headers.content_type.or_else(|| Some("binary/octet-stream".into()));
        $output.cache_control = headers.cache_control;
        $output.content_disposition = headers.content_disposition;
        $output.content_encoding = headers.content_encoding;
        $output.content_language = headers.content_language;
        $output.expires =
            headers.expires.and_then(|e| s3s::dto::Timestamp::parse(s3s::dto::TimestampFormat::HttpDate, &e).ok());
        $output.metadata = Some(headers.metadata.into_iter().collect());
    }};
}
use describe;

fn asked(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|m| m.as_str() == ChecksumMode::ENABLED)
}

/// S3's sizes are signed.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

async fn lookup(api: &Api, bucket: String, key: String) -> S3Result<(Object, Vec<Piece>)> {
    let look = move |db: &rusqlite::Connection| -> Result<_, Fault> {
        let object = rows::get(db, rows::bucket(db, &bucket)?, &key)?;
        let pieces = rows::pieces(db, object.blob)?;
        Ok((object, pieces))
    };
    api.index.read(look).await
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
        $crate::engine::s3::objects::Source::new(
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

    /// The object, if the conditions hold. For a copy, 304 would be no answer.
    pub(super) fn object(&self, db: &rusqlite::Connection) -> Result<Object, Fault> {
        let object = rows::get(db, rows::bucket(db, &self.bucket)?, &self.key)?;
        self.reading.check(&object).map_err(|e| match e.code() {
            s3s::S3ErrorCode::NotModified => s3_error!(PreconditionFailed, "The source is as the condition excludes"),
            _ => e,
        })?;
        Ok(object)
    }
}

pub(super) async fn copy(api: &Api, req: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
    refuse_unknown(&req.headers)?;
    let mut input = req.input;
    let on = conditions(&req.headers)?;
    let source = source!(input)?;
    let replace = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    let headers: Option<Headers> = if replace { Some(rows::headers!(input)) } else { None };
    let (bucket, key) = (input.bucket, input.key);
    if !replace && source.bucket == bucket && source.key == key {
        let why = "A copy of an object onto itself needs x-amz-metadata-directive: REPLACE";
        return Err(s3_error!(InvalidRequest, "{why}"));
    }
    api.files.check_room(0)?;
    let copy = move |tx: &mut super::index::Tx<'_>| -> Result<Object, Fault> {
        let mut object = source.object(tx.db)?;
        if object.size > body::MAX_BODY {
            let why = "Objects over 5 GiB are copied in parts (UploadPartCopy)";
            return Err(s3_error!(InvalidRequest, "{why}").into());
        }
        let bucket = rows::bucket(tx.db, &bucket)?;
        object.modified = rows::now();
        object.headers = headers.unwrap_or(object.headers);
        rows::hold(tx, object.blob)?;
        rows::put(tx, bucket, &key, &object, &on)?;
        Ok(object)
    };
    let object = api.index.write(copy).await?;
    let mut result = CopyObjectResult {
        e_tag: Some(object.tag()),
        last_modified: Some(rows::time(object.modified)),
        checksum_type: Some(object.sum.kind()),
        ..Default::default()
    };
    give!(result, &object.sum);
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
}

/// Conditions on the target of a copy: `s3s` doesn't read them there.
fn conditions(headers: &HeaderMap) -> S3Result<Conditions> {
    let read = |name: http::HeaderName| {
        let parse = |v: &http::HeaderValue| ETagCondition::parse_http_header(v.as_bytes());
        let value = headers.get(&name).map(parse).transpose();
        value.map_err(|_| s3_error!(InvalidArgument, "{name} is neither * nor an ETag"))
    };
    Ok(Conditions { if_match: read(http::header::IF_MATCH)?, if_none_match: read(http::header::IF_NONE_MATCH)? })
}

pub(super) async fn delete(api: &Api, req: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
    let input = req.input;
    refuse_version(input.version_id.as_deref())?;
    let remove = move |tx: &mut super::index::Tx<'_>| {
        let bucket = rows::bucket(tx.db, &input.bucket)?;
        rows::remove(tx, bucket, &input.key, input.if_match.as_ref())
    };
    api.index.write(remove).await?;
    Ok(DeleteObjectOutput::default())
}

/// S3's bound, so that one change stays short.
const MAX_DELETES: usize = 1000;

pub(super) async fn delete_many(api: &Api, req: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
    let input = req.input;
    let objects = input.delete.objects;
    if objects.len() > MAX_DELETES {
        return Err(s3_error!(MalformedXML, "One request deletes at most {MAX_DELETES} objects"));
    }
    let quiet = input.delete.quiet.unwrap_or_default();
    let remove = move |tx: &mut super::index::Tx<'_>| -> Result<_, Fault> {
        let bucket = rows::bucket(tx.db, &input.bucket)?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            let if_match = object.e_tag.map(ETagCondition::ETag);
            let version = refuse_version(object.version_id.as_deref()).map_err(Fault::from);
            match version.and_then(|()| rows::remove(tx, bucket, &object.key, if_match.as_ref())) {
                Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..Default::default() }),
                Err(Fault::Answer(error)) => errors.push(s3s::dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: None,
                }),
                Err(fault) => return Err(fault),
            }
        }
        Ok((deleted, errors))
    };
    let (deleted, errors) = api.index.write(remove).await?;
    let deleted = (!quiet).then_some(deleted);
    Ok(DeleteObjectsOutput { deleted, errors: Some(errors), request_charged: None })
}
