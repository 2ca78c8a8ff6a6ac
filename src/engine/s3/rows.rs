//! What the index holds, as Rust has it: contents and objects.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use s3s::{
    dto::{ETag, ETagCondition, Timestamp, TimestampFormat},
    s3_error,
};
use serde::{Deserialize, Serialize};

use super::{
    body::{Content, Received},
    fault::Fault,
    index::Tx,
    sums::Sum,
};

/// What a client says of an object beside its bytes; given back with them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_language: Option<String>,
    /// As HTTP writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
}

/// The [`Headers`] of an input that has their fields.
macro_rules! headers {
    ($input:expr) => {
        $crate::engine::s3::rows::Headers {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::engine::s3::rows::encoding($input.content_encoding.take()),
            content_language: $input.content_language.take(),
            expires: $input.expires.take().as_ref().and_then($crate::engine::s3::rows::http_date),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(super) use headers;

/// `aws-chunked` is how the body came, not what it is.
pub(super) fn encoding(header: Option<String>) -> Option<String> {
    let kept: Vec<&str> =
        header.as_deref()?.split(',').map(str::trim).filter(|e| !e.is_empty() && *e != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn http_date(time: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    time.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// An object's row.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) blob: i64,
    pub(super) size: u64,
    pub(super) etag: String,
    /// Milliseconds since 1970.
    pub(super) modified: i64,
    pub(super) sum: Sum,
    pub(super) headers: Headers,
}

impl Object {
    const COLUMNS: &str = "blob, size, etag, modified, sum, headers";

    fn from_row(row: &Row<'_>) -> Result<Self, Fault> {
        Ok(Self {
            blob: row.get(0)?,
            size: size(row.get(1)?),
            etag: row.get(2)?,
            modified: row.get(3)?,
            sum: Sum::parse(&row.get::<_, String>(4)?)?,
            headers: serde_json::from_str(&row.get::<_, String>(5)?)?,
        })
    }

    pub(super) fn tag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }
}

/// Does `condition` name this ETag, or any?
pub(super) fn names(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.value() == etag,
    }
}

/// SQLite's integers are signed; sizes that were stored are not negative.
pub(super) fn size(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// As S3's answers have it.
pub(super) fn time(milliseconds: i64) -> Timestamp {
    let since = std::time::Duration::from_millis(milliseconds.try_into().unwrap_or_default());
    Timestamp::from(std::time::SystemTime::UNIX_EPOCH + since)
}

pub(super) fn bucket(db: &Connection, name: &str) -> Result<i64, Fault> {
    let mut query = db.prepare_cached("SELECT id FROM bucket WHERE name = ?")?;
    let found = query.query_row([name], |row| row.get(0)).optional()?;
    found.ok_or_else(|| s3_error!(NoSuchBucket, "There is no bucket {name}").into())
}

pub(super) fn find(db: &Connection, bucket: i64, key: &str) -> Result<Option<Object>, Fault> {
    let sql = format!("SELECT {} FROM object WHERE bucket = ? AND key = ?", Object::COLUMNS);
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query(params![bucket, key])?;
    rows.next()?.map(Object::from_row).transpose()
}

pub(super) fn get(db: &Connection, bucket: i64, key: &str) -> Result<Object, Fault> {
    find(db, bucket, key)?.ok_or_else(|| s3_error!(NoSuchKey, "There is no object with this key").into())
}

/// Conditions of a write.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Conditions {
    fn check(&self, there: Option<&Object>) -> Result<(), Fault> {
        let unmet = || s3_error!(PreconditionFailed, "At least one of the preconditions that were given did not hold");
        if let (Some(condition), Some(object)) = (&self.if_none_match, there)
            && names(condition, &object.etag)
        {
            return Err(unmet().into());
        }
        match (&self.if_match, there) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(s3_error!(NoSuchKey, "There is no object with this key").into()),
            (Some(condition), Some(object)) if names(condition, &object.etag) => Ok(()),
            _ => Err(unmet().into()),
        }
    }
}

/// Puts an object in place of what was there; its blob's reference is counted already.
pub(super) fn put(tx: &mut Tx<'_>, bucket: i64, key: &str, object: &Object, on: &Conditions) -> Result<(), Fault> {
    let there = find(tx.db, bucket, key)?;
    on.check(there.as_ref())?;
    let sql = "INSERT OR REPLACE INTO object (bucket, key, blob, size, etag, modified, sum, headers)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let headers = serde_json::to_string(&object.headers)?;
    tx.db.prepare_cached(sql)?.execute(params![
        bucket,
        key,
        object.blob,
        i64::try_from(object.size).unwrap_or(i64::MAX),
        object.etag,
        object.modified,
        object.sum.stored(),
        headers
    ])?;
    there.map_or(Ok(()), |old| release(tx, old.blob))
}

/// Removes an object; that there is none is as good.
pub(super) fn remove(tx: &mut Tx<'_>, bucket: i64, key: &str, if_match: Option<&ETagCondition>) -> Result<(), Fault> {
    let there = find(tx.db, bucket, key)?;
    if if_match.is_some() {
        Conditions { if_match: if_match.cloned(), if_none_match: None }.check(there.as_ref())?;
    }
    let Some(old) = there else { return Ok(()) };
    tx.db.prepare_cached("DELETE FROM object WHERE bucket = ? AND key = ?")?.execute(params![bucket, key])?;
    release(tx, old.blob)
}

/// Keeps a content that was received, or finds that it is kept already; its reference is counted.
pub(super) fn add(tx: &mut Tx<'_>, received: Received) -> Result<i64, Fault> {
    let sha256 = received.digests.sha256;
    let mut same = tx.db.prepare_cached("UPDATE blob SET refs = refs + 1 WHERE sha256 = ? RETURNING id")?;
    if let Some(id) = same.query_row([sha256], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let sql = "INSERT INTO blob (size, refs, sha256, file, data) VALUES (?, 1, ?, ?, ?)";
    let size = i64::try_from(received.size).unwrap_or(i64::MAX);
    let mut insert = tx.db.prepare_cached(sql)?;
    match received.content {
        Content::Small(data) => Ok(insert.insert(params![size, sha256, None::<String>, data])?),
        Content::File(file) => {
            let id = insert.insert(params![size, sha256, file.name, None::<Vec<u8>>])?;
            tx.landed.push(file);
            Ok(id)
        }
    }
}

/// Makes one content of parts, whose references go over to it.
pub(super) fn join(tx: &Tx<'_>, size: u64, parts: &[i64]) -> Result<i64, Fault> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let whole = tx.db.prepare_cached("INSERT INTO blob (size, refs) VALUES (?, 1)")?.insert([size])?;
    let mut insert = tx.db.prepare_cached("INSERT INTO piece (whole, n, part) VALUES (?, ?, ?)")?;
    for (n, part) in parts.iter().enumerate() {
        insert.execute(params![whole, i64::try_from(n).unwrap_or(i64::MAX), part])?;
    }
    Ok(whole)
}

/// One more needs this content.
pub(super) fn hold(tx: &Tx<'_>, blob: i64) -> Result<(), Fault> {
    tx.db.prepare_cached("UPDATE blob SET refs = refs + 1 WHERE id = ?")?.execute([blob])?;
    Ok(())
}

/// One less needs this content; with the last it goes.
pub(super) fn release(tx: &mut Tx<'_>, blob: i64) -> Result<(), Fault> {
    let mut count = tx.db.prepare_cached("UPDATE blob SET refs = refs - 1 WHERE id = ? RETURNING refs, file")?;
    let (refs, file): (i64, Option<String>) = count.query_row([blob], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if refs > 0 {
        return Ok(());
    }
    tx.freed.extend(file);
    for part in parts(tx.db, blob)? {
        release(tx, part)?;
    }
    tx.db.prepare_cached("DELETE FROM piece WHERE whole = ?")?.execute([blob])?;
    tx.db.prepare_cached("DELETE FROM blob WHERE id = ?")?.execute([blob])?;
    Ok(())
}

fn parts(db: &Connection, whole: i64) -> Result<Vec<i64>, Fault> {
    let mut query = db.prepare_cached("SELECT part FROM piece WHERE whole = ? ORDER BY n")?;
    let rows = query.query_map([whole], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A stretch of an object's bytes.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) size: u64,
    pub(super) bytes: Bytes,
}

/// Where bytes lie.
#[derive(Debug)]
pub(super) enum Bytes {
    File(String),
    Small(Vec<u8>),
}

/// The pieces of a content, in order.
pub(super) fn pieces(db: &Connection, blob: i64) -> Result<Vec<Piece>, Fault> {
    let mut out = Vec::new();
    let mut ids = parts(db, blob)?;
    if ids.is_empty() {
        ids.push(blob);
    }
    let mut query = db.prepare_cached("SELECT size, file, data FROM blob WHERE id = ?")?;
    for id in ids {
        let piece = query.query_row([id], |row| {
            let file: Option<String> = row.get(1)?;
            let bytes = match file {
                Some(name) => Bytes::File(name),
                None => Bytes::Small(row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default()),
            };
            Ok(Piece { size: size(row.get(0)?), bytes })
        });
        out.push(piece?);
    }
    Ok(out)
}
