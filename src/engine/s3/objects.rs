//! Objects: put, copy, delete.

use http::HeaderMap;
use s3s::{
    S3Request, S3Result,
    dto::{
        CopyObjectInput, CopyObjectOutput, CopyObjectResult, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
        DeleteObjectsOutput, DeletedObject, ETagCondition, MetadataDirective, PutObjectInput, PutObjectOutput,
    },
    s3_error,
};

use super::{
    Api, blobs, body,
    fault::Fault,
    index::Tx,
    numbers::{now, time},
    read::{refuse_version, source},
    rows::{self, Conditions, Headers, Object},
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

/// Refuses a request that has one of them.
pub(super) fn refuse_unknown(headers: &HeaderMap) -> S3Result<()> {
    match UNKNOWN.iter().find(|name| headers.contains_key(**name)) {
        Some(name) => Err(s3_error!(NotImplemented, "This store has no {name}")),
        None => Ok(()),
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
    let put = move |tx: &mut Tx<'_>| -> Result<Object, Fault> {
        let bucket = rows::bucket(tx.db, &bucket)?;
        let blob = blobs::add(tx, received)?;
        let object = Object { blob, size, etag, modified: now(), sum, headers };
        rows::put(tx, bucket, &key, &object, &on)?;
        Ok(object)
    };
    let object = api.index.write(put).await?;
    let mut output = PutObjectOutput { e_tag: Some(object.tag()), ..Default::default() };
    output.checksum_type = Some(object.sum.kind());
    give!(output, &object.sum);
    Ok(output)
}

pub(super) async fn copy(api: &Api, req: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
    refuse_unknown(&req.headers)?;
    let mut input = req.input;
    let on = conditions(&req.headers)?;
    let source = source!(input)?;
    let replace = input.metadata_directive.as_ref().is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    let headers: Option<Headers> = if replace { Some(rows::headers!(input)) } else { None };
    let (bucket, key) = (input.bucket, input.key);
    if !replace && source.names(&bucket, &key) {
        let why = "A copy of an object onto itself needs x-amz-metadata-directive: REPLACE";
        return Err(s3_error!(InvalidRequest, "{why}"));
    }
    api.files.check_room(0)?;
    let copy = move |tx: &mut Tx<'_>| -> Result<Object, Fault> {
        let mut object = source.object(tx.db)?;
        if object.size > body::MAX_BODY {
            let why = "Objects over 5 GiB are copied in parts (UploadPartCopy)";
            return Err(s3_error!(InvalidRequest, "{why}").into());
        }
        let bucket = rows::bucket(tx.db, &bucket)?;
        object.modified = now();
        object.headers = headers.unwrap_or(object.headers);
        blobs::hold(tx, object.blob)?;
        rows::put(tx, bucket, &key, &object, &on)?;
        Ok(object)
    };
    let object = api.index.write(copy).await?;
    let mut result = CopyObjectResult {
        e_tag: Some(object.tag()),
        last_modified: Some(time(object.modified)),
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
    let remove = move |tx: &mut Tx<'_>| {
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
    let remove = move |tx: &mut Tx<'_>| -> Result<_, Fault> {
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
