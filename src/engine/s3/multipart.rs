//! Multipart uploads, by operation; `uploads` has their rows. A part is a content as any other; completing makes one
//! content of them by their list, so no byte is written twice and a completion that failed can be asked for again.

use std::collections::BTreeMap;

use rusqlite::Connection;
use s3s::{
    S3Request, S3Result,
    crypto::{Checksum as _, Md5},
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CompletedPart, CopyPartResult, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
        ListPartsOutput, MultipartUpload, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};

use super::{
    Api,
    blobs::{self, Received},
    body,
    fault::Fault,
    index::Tx,
    list,
    numbers::{now, signed, time},
    objects::refuse_unknown,
    read::source,
    rows::{self, Conditions, Headers, Object},
    sums::{Declared, Rule, Sum, give, given},
    uploads::{self, MAX_PARTS, Part, Target},
};

/// S3's bound from below on every part but the last: what works here must work there.
const MIN_PART: u64 = 5 << 20;

/// S3's bound on an object: 5 TiB.
const MAX_OBJECT: u64 = 5 << 40;

/// A page of parts or uploads.
const MAX_PAGE: i32 = 1000;

pub(super) async fn create(
    api: &Api,
    req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    refuse_unknown(&req.headers)?;
    let mut input = req.input;
    let rule = Rule::new(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
    let headers: Headers = rows::headers!(input);
    let id = uuid::Uuid::new_v4().simple().to_string();
    let target = Target { bucket: input.bucket.clone(), key: input.key.clone(), id: id.clone() };
    api.files.check_room(0)?;
    api.index.write(move |tx: &mut Tx<'_>| uploads::begin(tx, &target, rule, &headers)).await?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(rule.algorithm.name())),
        checksum_type: Some(rule.kind()),
        ..Default::default()
    })
}

fn check_number(n: i32) -> S3Result<()> {
    if (1..=MAX_PARTS).contains(&n) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Part number must be between 1 and {MAX_PARTS}"))
}

pub(super) async fn upload(api: &Api, req: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
    let mut input = req.input;
    check_number(input.part_number)?;
    let target = Target { bucket: input.bucket, key: input.key, id: input.upload_id };
    let rule = rule_of(api, target.clone()).await?;
    let given = given!(input);
    let asked = input.checksum_algorithm.as_ref();
    let declared = Declared::new(given, asked, input.content_md5.take(), &req.headers, req.trailing_headers)?;
    let declared = declared.or_keep(rule.algorithm);
    let said = declared.algorithm;
    let received = body::receive(&api.files, input.body.take(), input.content_length, declared).await?;
    let (etag, sum) = (received.etag(), received.digests.sum.clone());
    if said != rule.algorithm {
        let (said, kept) = (said.name(), rule.algorithm.name());
        return Err(s3_error!(
            InvalidRequest,
            "Checksum type mismatch: the upload was created with {kept}, the part has {said}. Create it with {said}."
        ));
    }
    keep(api, target, input.part_number, received).await?;
    let mut output = UploadPartOutput { e_tag: Some(ETag::Strong(etag)), ..Default::default() };
    give!(output, &sum);
    Ok(output)
}

async fn rule_of(api: &Api, target: Target) -> S3Result<Rule> {
    api.index.read(move |db| Ok(uploads::find(db, &target)?.rule)).await
}

async fn keep(api: &Api, target: Target, n: i32, received: Received) -> S3Result<()> {
    api.index.write(move |tx: &mut Tx<'_>| uploads::put_part(tx, &target, n, received)).await
}

pub(super) async fn copy(api: &Api, req: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
    let mut input = req.input;
    check_number(input.part_number)?;
    let source = source!(input)?;
    let target = Target { bucket: input.bucket, key: input.key, id: input.upload_id };
    let rule = rule_of(api, target.clone()).await?;
    let look = move |db: &Connection| -> Result<_, Fault> {
        let object = source.object(db)?;
        Ok((blobs::pieces(db, object.blob)?, object.size))
    };
    let (pieces, size) = api.index.read(look).await?;
    let range = match input.copy_source_range.as_deref() {
        None => 0..size,
        Some(text) => {
            let range = s3s::dto::Range::parse(text);
            let range = range.map_err(|_| s3_error!(InvalidArgument, "The copy range is not bytes=FIRST-LAST"))?;
            range.check(size)?
        }
    };
    let length = range.end - range.start;
    let bytes = body::send(api.files.clone(), pieces, range).await.map_err(Fault::Io)?;
    let declared = Declared::none(rule.algorithm);
    let received = body::receive(&api.files, Some(bytes), Some(signed(length)), declared).await?;
    let (etag, sum) = (received.etag(), received.digests.sum.clone());
    keep(api, target, input.part_number, received).await?;
    let mut result =
        CopyPartResult { e_tag: Some(ETag::Strong(etag)), last_modified: Some(time(now())), ..Default::default() };
    give!(result, &sum);
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
}

pub(super) async fn abort(
    api: &Api,
    req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let input = req.input;
    let target = Target { bucket: input.bucket, key: input.key, id: input.upload_id };
    let abort = move |tx: &mut Tx<'_>| -> Result<(), Fault> {
        uploads::find(tx.db, &target)?;
        uploads::end(tx, &target.id, &[])
    };
    api.index.write(abort).await?;
    Ok(AbortMultipartUploadOutput::default())
}

/// The parts that the client lists, if they are those that were kept.
fn chosen(mut kept: BTreeMap<i32, Part>, listed: Vec<CompletedPart>, rule: Rule) -> S3Result<Vec<Part>> {
    let count = listed.len();
    if !listed.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(InvalidPartOrder, "The parts must be listed in the order of their numbers, each once"));
    }
    let mut out: Vec<Part> = Vec::with_capacity(count);
    for mut part in listed {
        let n = part.part_number.unwrap_or_default();
        let wrong = || s3_error!(InvalidPart, "Part {n} was not uploaded, or has another ETag or checksum");
        let there = kept.remove(&n).ok_or_else(wrong)?;
        let given = given!(part).into_iter().find(|(algorithm, _)| *algorithm == rule.algorithm);
        let sum = given.and_then(|(_, value)| value);
        let etag = part.e_tag.as_ref().map(ETag::value);
        if etag != Some(there.etag.as_str()) || sum.is_some_and(|sum| sum != there.sum.value) {
            return Err(wrong());
        }
        if there.size < MIN_PART && out.len() + 1 < count {
            return Err(s3_error!(EntityTooSmall, "Part {n} is smaller than 5 MiB and not the last"));
        }
        out.push(there);
    }
    match out.is_empty() {
        true => Err(s3_error!(MalformedXML, "The list of parts is empty")),
        false => Ok(out),
    }
}

pub(super) async fn complete(
    api: &Api,
    req: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let mut input = req.input;
    let given = given!(input);
    let on = Conditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
    let listed = input.multipart_upload.and_then(|m| m.parts).unwrap_or_default();
    let size = input.mpu_object_size;
    let target = Target { bucket: input.bucket.clone(), key: input.key.clone(), id: input.upload_id };
    let complete = move |tx: &mut Tx<'_>| -> Result<Object, Fault> {
        let upload = match uploads::find(tx.db, &target) {
            Err(Fault::Answer(_)) => return uploads::completed(tx.db, &target),
            found => found?,
        };
        let kept = uploads::parts(tx.db, &target.id, 0, MAX_PARTS)?.into_iter().map(|part| (part.n, part)).collect();
        let parts = chosen(kept, listed, upload.rule)?;
        let sums: Vec<_> = parts.iter().map(|part| (part.sum.clone(), part.size)).collect();
        let sum = Sum::of_parts(upload.rule, &sums)?;
        let said = given.into_iter().find(|(algorithm, _)| *algorithm == sum.algorithm).and_then(|(_, value)| value);
        // Some clients leave out the number of parts.
        if said.is_some_and(|v| v != sum.value && sum.value.split('-').next() != Some(v.as_str())) {
            return Err(s3_error!(BadDigest, "The checksum that was given is not that of the parts").into());
        }
        let total = parts.iter().map(|part| part.size).sum::<u64>();
        if size.is_some_and(|size| size != signed(total)) {
            return Err(s3_error!(InvalidRequest, "The parts have {total} bytes, not x-amz-mp-object-size").into());
        }
        if total > MAX_OBJECT {
            return Err(s3_error!(EntityTooLarge, "An object has at most 5 TiB").into());
        }
        let md5s: Vec<u8> = parts.iter().filter_map(|part| hex::decode(&part.etag).ok()).flatten().collect();
        let etag = format!("{}-{}", hex::encode(Md5::checksum(&md5s)), parts.len());
        let blobs: Vec<i64> = parts.iter().map(|part| part.blob).collect();
        let object = Object {
            blob: blobs::join(tx, total, &blobs)?,
            size: total,
            etag,
            modified: now(),
            sum,
            headers: upload.headers,
        };
        rows::put(tx, upload.bucket, &target.key, &object, &on)?;
        let numbers: Vec<i32> = parts.iter().map(|part| part.n).collect();
        uploads::end(tx, &target.id, &numbers)?;
        uploads::remember(tx, upload.bucket, &target, &object)?;
        Ok(object)
    };
    let object = api.index.write(complete).await?;
    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(object.tag()),
        checksum_type: Some(object.sum.kind()),
        ..Default::default()
    };
    give!(output, &object.sum);
    Ok(output)
}

pub(super) async fn list_parts(api: &Api, req: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
    let input = req.input;
    let max = input.max_parts.unwrap_or(MAX_PAGE).clamp(0, MAX_PAGE);
    let after = input.part_number_marker.unwrap_or_default();
    let target = Target { bucket: input.bucket.clone(), key: input.key.clone(), id: input.upload_id.clone() };
    let look = move |db: &Connection| -> Result<_, Fault> {
        let rule = uploads::find(db, &target)?.rule;
        Ok((rule, uploads::parts(db, &target.id, after, max + 1)?))
    };
    let (rule, mut kept) = api.index.read(look).await?;
    let limit = usize::try_from(max).unwrap_or_default();
    let more = kept.len() > limit && limit > 0;
    kept.truncate(limit);
    let last = kept.last().map(|part| part.n);
    let parts = kept.into_iter().map(|part| {
        let mut out = s3s::dto::Part {
            part_number: Some(part.n),
            size: Some(signed(part.size)),
            e_tag: Some(ETag::Strong(part.etag)),
            last_modified: Some(time(part.modified)),
            ..Default::default()
        };
        give!(out, &part.sum);
        out
    });
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        max_parts: Some(max),
        part_number_marker: Some(after),
        next_part_number_marker: last,
        is_truncated: Some(more),
        parts: Some(parts.collect()),
        owner: Some(list::owner()),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(rule.algorithm.name())),
        checksum_type: Some(rule.kind()),
        ..Default::default()
    })
}

pub(super) async fn list_uploads(
    api: &Api,
    req: S3Request<ListMultipartUploadsInput>,
) -> S3Result<ListMultipartUploadsOutput> {
    let input = req.input;
    if input.delimiter.as_ref().is_some_and(|d| !d.is_empty()) {
        return Err(s3_error!(NotImplemented, "Uploads are listed without a delimiter only"));
    }
    let max = input.max_uploads.unwrap_or(MAX_PAGE).clamp(0, MAX_PAGE);
    let prefix = input.prefix.clone().unwrap_or_default();
    let key = input.key_marker.clone().unwrap_or_default();
    // Without an upload's id, all uploads of the marker's key were listed: no id is above this one.
    let id = input.upload_id_marker.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| "~".into());
    let (bucket, wanted) = (input.bucket.clone(), prefix.clone());
    let look = move |db: &Connection| uploads::list(db, &bucket, &wanted, (&key, &id), max + 1);
    let mut found = api.index.read(look).await?;
    let limit = usize::try_from(max).unwrap_or_default();
    let more = found.len() > limit && limit > 0;
    found.truncate(limit);
    let encode = list::Encoder::new(input.encoding_type.as_ref());
    let last = found.last().filter(|_| more).map(|last| (encode.text(&last.key), last.id.clone()));
    let (next_key, next_id) = last.unzip();
    let uploads = found.into_iter().map(|upload| MultipartUpload {
        key: Some(encode.text(&upload.key)),
        upload_id: Some(upload.id),
        initiated: Some(time(upload.started)),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(upload.rule.algorithm.name())),
        checksum_type: Some(upload.rule.kind()),
        owner: Some(list::owner()),
        ..Default::default()
    });
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: Some(encode.text(&prefix)),
        key_marker: input.key_marker.map(|k| encode.text(&k)),
        upload_id_marker: input.upload_id_marker,
        next_key_marker: next_key,
        next_upload_id_marker: next_id,
        max_uploads: Some(max),
        is_truncated: Some(more),
        uploads: Some(uploads.collect()),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}
