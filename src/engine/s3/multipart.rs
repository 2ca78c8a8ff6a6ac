//! Multipart uploads. A part is a content as any other; completing makes one content of them by their list, so no byte
//! is written twice and a completion that failed can be asked for again.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use s3s::{
    S3Request, S3Result,
    crypto::{Checksum as _, Md5},
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CompletedPart, CopyPartResult, CreateMultipartUploadInput,
        CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
        ListPartsOutput, MultipartUpload, Part, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
        UploadPartOutput,
    },
    s3_error,
};

use super::{
    Api,
    body::{self, Received},
    fault::Fault,
    index::Tx,
    list,
    objects::{self, refuse_unknown, signed},
    rows::{self, Conditions, Headers, Object},
    sums::{Declared, Rule, Sum, give, given},
};

/// S3's bound on part numbers.
const MAX_PARTS: i32 = 10_000;

/// S3's bound from below on every part but the last: what works here must work there.
const MIN_PART: u64 = 5 << 20;

/// S3's bound on an object: 5 TiB.
const MAX_OBJECT: u64 = 5 << 40;

/// A page of parts or uploads.
const MAX_PAGE: i32 = 1000;

/// How long a completed upload is remembered, for a client that asks again: no client does so after an hour.
const REMEMBER_MS: i64 = 60 * 60 * 1000;

/// An upload's row.
struct Upload {
    bucket: i64,
    rule: Rule,
    headers: String,
}

fn no_upload() -> Fault {
    s3_error!(NoSuchUpload, "There is no such upload: it was completed or aborted, or is not for this key").into()
}

fn find(db: &Connection, bucket: &str, key: &str, id: &str) -> Result<Upload, Fault> {
    let bucket = rows::bucket(db, bucket)?;
    let mut query = db.prepare_cached("SELECT rule, headers FROM upload WHERE id = ? AND bucket = ? AND key = ?")?;
    let found = query.query_row(params![id, bucket, key], |r| Ok((r.get::<_, String>(0)?, r.get(1)?))).optional()?;
    let (rule, headers) = found.ok_or_else(no_upload)?;
    Ok(Upload { bucket, rule: Rule::parse(&rule)?, headers })
}

pub(super) async fn create(
    api: &Api,
    req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    refuse_unknown(&req.headers)?;
    let mut input = req.input;
    let rule = Rule::new(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
    let headers: Headers = rows::headers!(input);
    let headers = serde_json::to_string(&headers).map_err(Fault::from)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), id.clone());
    api.files.check_room(0)?;
    let create = move |tx: &mut Tx<'_>| -> Result<(), Fault> {
        let bucket = rows::bucket(tx.db, &bucket)?;
        let sql = "INSERT INTO upload (id, bucket, key, started, rule, headers) VALUES (?, ?, ?, ?, ?, ?)";
        tx.db.execute(sql, params![upload, bucket, key, rows::now(), rule.stored(), headers])?;
        Ok(())
    };
    api.index.write(create).await?;
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
    let target = (input.bucket, input.key, input.upload_id);
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

/// Bucket, key, upload.
type Target = (String, String, String);

async fn rule_of(api: &Api, (bucket, key, id): Target) -> S3Result<Rule> {
    api.index.read(move |db| Ok(find(db, &bucket, &key, &id)?.rule)).await
}

async fn keep(api: &Api, (bucket, key, id): Target, n: i32, received: Received) -> S3Result<()> {
    let keep = move |tx: &mut Tx<'_>| -> Result<(), Fault> {
        find(tx.db, &bucket, &key, &id)?;
        let (etag, sum, size) = (received.etag(), received.digests.sum.stored(), signed(received.size));
        let blob = rows::add(tx, received)?;
        let mut old = tx.db.prepare_cached("SELECT blob FROM part WHERE upload = ? AND n = ?")?;
        let old: Option<i64> = old.query_row(params![id, n], |row| row.get(0)).optional()?;
        let sql = "INSERT OR REPLACE INTO part (upload, n, blob, size, etag, modified, sum)
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        tx.db.prepare_cached(sql)?.execute(params![id, n, blob, size, etag, rows::now(), sum])?;
        old.map_or(Ok(()), |old| rows::release(tx, old))
    };
    api.index.write(keep).await
}

pub(super) async fn copy(api: &Api, req: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
    let mut input = req.input;
    check_number(input.part_number)?;
    let source = objects::source!(input)?;
    let target = (input.bucket, input.key, input.upload_id);
    let rule = rule_of(api, target.clone()).await?;
    let look = move |db: &Connection| -> Result<_, Fault> {
        let object = source.object(db)?;
        Ok((rows::pieces(db, object.blob)?, object.size))
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
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(etag)),
        last_modified: Some(rows::time(rows::now())),
        ..Default::default()
    };
    give!(result, &sum);
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
}

/// A part's row.
struct Kept {
    n: i32,
    blob: i64,
    size: u64,
    etag: String,
    modified: i64,
    sum: Sum,
}

fn parts(db: &Connection, upload: &str, after: i32, limit: i32) -> Result<Vec<Kept>, Fault> {
    let mut query = db.prepare_cached(
        "SELECT n, blob, size, etag, modified, sum FROM part WHERE upload = ? AND n > ? ORDER BY n LIMIT ?",
    )?;
    let mut rows = query.query(params![upload, after, limit])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(Kept {
            n: row.get(0)?,
            blob: row.get(1)?,
            size: rows::size(row.get(2)?),
            etag: row.get(3)?,
            modified: row.get(4)?,
            sum: Sum::parse(&row.get::<_, String>(5)?)?,
        });
    }
    Ok(out)
}

/// Ends an upload; its parts go unless `keep` names their numbers.
fn end(tx: &mut Tx<'_>, upload: &str, keep: &[i32]) -> Result<(), Fault> {
    for part in parts(tx.db, upload, 0, MAX_PARTS)? {
        if keep.binary_search(&part.n).is_err() {
            rows::release(tx, part.blob)?;
        }
    }
    tx.db.execute("DELETE FROM part WHERE upload = ?", [upload])?;
    tx.db.execute("DELETE FROM upload WHERE id = ?", [upload])?;
    Ok(())
}

pub(super) async fn abort(
    api: &Api,
    req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let input = req.input;
    let abort = move |tx: &mut Tx<'_>| -> Result<(), Fault> {
        find(tx.db, &input.bucket, &input.key, &input.upload_id)?;
        end(tx, &input.upload_id, &[])
    };
    api.index.write(abort).await?;
    Ok(AbortMultipartUploadOutput::default())
}

/// Ends all uploads to a bucket.
pub(super) fn abort_all(tx: &mut Tx<'_>, bucket: i64) -> Result<(), Fault> {
    let mut query = tx.db.prepare("SELECT id FROM upload WHERE bucket = ?")?;
    let ids: Vec<String> = query.query_map([bucket], |row| row.get(0))?.collect::<Result<_, _>>()?;
    ids.iter().try_for_each(|id| end(tx, id, &[]))
}

/// The parts that the client lists, if they are those that were kept.
fn chosen(mut kept: BTreeMap<i32, Kept>, listed: Vec<CompletedPart>, rule: Rule) -> S3Result<Vec<Kept>> {
    let count = listed.len();
    if !listed.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(InvalidPartOrder, "The parts must be listed in the order of their numbers, each once"));
    }
    let mut out: Vec<Kept> = Vec::with_capacity(count);
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
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id);
    let complete = move |tx: &mut Tx<'_>| -> Result<Object, Fault> {
        let upload = match find(tx.db, &bucket, &key, &id) {
            Err(Fault::Answer(_)) => return completed(tx.db, &bucket, &key, &id),
            found => found?,
        };
        let kept = parts(tx.db, &id, 0, MAX_PARTS)?.into_iter().map(|part| (part.n, part)).collect();
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
            blob: rows::join(tx, total, &blobs)?,
            size: total,
            etag,
            modified: rows::now(),
            sum,
            headers: serde_json::from_str(&upload.headers)?,
        };
        rows::put(tx, upload.bucket, &key, &object, &on)?;
        let numbers: Vec<i32> = parts.iter().map(|part| part.n).collect();
        end(tx, &id, &numbers)?;
        tx.db.execute("DELETE FROM completed WHERE at < ?", [object.modified - REMEMBER_MS])?;
        let sql = "INSERT INTO completed (upload, bucket, key, etag, at) VALUES (?, ?, ?, ?, ?)";
        tx.db.execute(sql, params![id, upload.bucket, key, object.etag, object.modified])?;
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

/// The answer once more, as long as the object is the one that the upload made.
fn completed(db: &Connection, bucket: &str, key: &str, id: &str) -> Result<Object, Fault> {
    let bucket = rows::bucket(db, bucket)?;
    let mut query = db.prepare_cached("SELECT etag FROM completed WHERE upload = ? AND bucket = ? AND key = ?")?;
    let etag: Option<String> = query.query_row(params![id, bucket, key], |row| row.get(0)).optional()?;
    let object = rows::find(db, bucket, key)?;
    object.filter(|object| Some(&object.etag) == etag.as_ref()).ok_or_else(no_upload)
}

pub(super) async fn list_parts(api: &Api, req: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
    let input = req.input;
    let max = input.max_parts.unwrap_or(MAX_PAGE).clamp(0, MAX_PAGE);
    let after = input.part_number_marker.unwrap_or_default();
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let look = move |db: &Connection| -> Result<_, Fault> {
        let rule = find(db, &bucket, &key, &id)?.rule;
        Ok((rule, parts(db, &id, after, max + 1)?))
    };
    let (rule, mut kept) = api.index.read(look).await?;
    let limit = usize::try_from(max).unwrap_or_default();
    let more = kept.len() > limit && limit > 0;
    kept.truncate(limit);
    let last = kept.last().map(|part| part.n);
    let parts = kept.into_iter().map(|part| {
        let mut out = Part {
            part_number: Some(part.n),
            size: Some(signed(part.size)),
            e_tag: Some(ETag::Strong(part.etag)),
            last_modified: Some(rows::time(part.modified)),
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
    let look = move |db: &Connection| -> Result<_, Fault> {
        let bucket = rows::bucket(db, &bucket)?;
        let mut query = db.prepare_cached(
            "SELECT key, id, started, rule FROM upload WHERE bucket = ? AND key >= ? AND (key, id) > (?, ?)
             ORDER BY key, id LIMIT ?",
        )?;
        let mut rows = query.query(params![bucket, wanted, key, id, max + 1])?;
        let mut out: Vec<(String, String, i64, Rule)> = Vec::new();
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            if !key.starts_with(&wanted) {
                break;
            }
            out.push((key, row.get(1)?, row.get(2)?, Rule::parse(&row.get::<_, String>(3)?)?));
        }
        Ok(out)
    };
    let mut found = api.index.read(look).await?;
    let limit = usize::try_from(max).unwrap_or_default();
    let more = found.len() > limit && limit > 0;
    found.truncate(limit);
    let encode = list::Encoder::new(input.encoding_type.as_ref());
    let last = found.last().filter(|_| more).map(|(key, id, ..)| (encode.text(key), id.clone()));
    let (next_key, next_id) = last.unzip();
    let uploads = found.into_iter().map(|(key, id, started, rule)| MultipartUpload {
        key: Some(encode.text(&key)),
        upload_id: Some(id),
        initiated: Some(rows::time(started)),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(rule.algorithm.name())),
        checksum_type: Some(rule.kind()),
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
