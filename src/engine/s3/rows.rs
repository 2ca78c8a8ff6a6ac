//! Rows of buckets and objects, and the conditions of a write.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use s3s::{
    dto::{ETag, ETagCondition, Timestamp, TimestampFormat},
    s3_error,
};
use serde::{Deserialize, Serialize};

use super::{
    blobs::release,
    fault::Fault,
    index::Tx,
    numbers::{signed, size},
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

/// As HTTP writes it.
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

    /// Its ETag as answers have it.
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

/// The id of a bucket.
pub(super) fn bucket(db: &Connection, name: &str) -> Result<i64, Fault> {
    let mut query = db.prepare_cached("SELECT id FROM bucket WHERE name = ?")?;
    let found = query.query_row([name], |row| row.get(0)).optional()?;
    found.ok_or_else(|| s3_error!(NoSuchBucket, "There is no bucket {name}").into())
}

/// An object, if it is there.
pub(super) fn find(db: &Connection, bucket: i64, key: &str) -> Result<Option<Object>, Fault> {
    let sql = format!("SELECT {} FROM object WHERE bucket = ? AND key = ?", Object::COLUMNS);
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query(params![bucket, key])?;
    rows.next()?.map(Object::from_row).transpose()
}

/// An object that must be there.
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
        signed(object.size),
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
