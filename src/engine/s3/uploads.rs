//! Rows of multipart uploads: those under way, their parts, and for a while those that were completed.

use rusqlite::{Connection, OptionalExtension, params};
use s3s::s3_error;

use super::{
    blobs::{self, Received},
    fault::Fault,
    index::Tx,
    numbers::{now, signed, size},
    rows::{self, Headers, Object},
    sums::{Rule, Sum},
};

/// S3's bound on part numbers.
pub(super) const MAX_PARTS: i32 = 10_000;

/// How long a completed upload is remembered, for a client that asks again: no client does so after an hour.
const REMEMBER_MS: i64 = 60 * 60 * 1000;

/// Which upload a client means; its key and bucket must be those that it was begun with.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) id: String,
}

/// An upload's row.
pub(super) struct Upload {
    pub(super) bucket: i64,
    pub(super) rule: Rule,
    /// Those of the object that it will make.
    pub(super) headers: Headers,
}

fn no_upload() -> Fault {
    s3_error!(NoSuchUpload, "There is no such upload: it was completed or aborted, or is not for this key").into()
}

/// Begins one.
pub(super) fn begin(tx: &mut Tx<'_>, target: &Target, rule: Rule, headers: &Headers) -> Result<(), Fault> {
    let bucket = rows::bucket(tx.db, &target.bucket)?;
    let headers = serde_json::to_string(headers)?;
    let sql = "INSERT INTO upload (id, bucket, key, started, rule, headers) VALUES (?, ?, ?, ?, ?, ?)";
    tx.db.execute(sql, params![target.id, bucket, target.key, now(), rule.stored(), headers])?;
    Ok(())
}

/// One that is under way.
pub(super) fn find(db: &Connection, target: &Target) -> Result<Upload, Fault> {
    let bucket = rows::bucket(db, &target.bucket)?;
    let mut query = db.prepare_cached("SELECT rule, headers FROM upload WHERE id = ? AND bucket = ? AND key = ?")?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let found = query.query_row(params![target.id, bucket, target.key], read).optional()?;
    let (rule, headers) = found.ok_or_else(no_upload)?;
    Ok(Upload { bucket, rule: Rule::parse(&rule)?, headers: serde_json::from_str(&headers)? })
}

/// One of a list.
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) id: String,
    /// Milliseconds since 1970.
    pub(super) started: i64,
    pub(super) rule: Rule,
}

/// Those under way whose keys begin with `prefix`, behind a key and id, in their order.
pub(super) fn list(
    db: &Connection,
    bucket: &str,
    prefix: &str,
    after: (&str, &str),
    limit: i32,
) -> Result<Vec<Listed>, Fault> {
    let bucket = rows::bucket(db, bucket)?;
    let mut query = db.prepare_cached(
        "SELECT key, id, started, rule FROM upload WHERE bucket = ? AND key >= ? AND (key, id) > (?, ?)
         ORDER BY key, id LIMIT ?",
    )?;
    let mut rows = query.query(params![bucket, prefix, after.0, after.1, limit])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        let rule = Rule::parse(&row.get::<_, String>(3)?)?;
        out.push(Listed { key, id: row.get(1)?, started: row.get(2)?, rule });
    }
    Ok(out)
}

/// A part's row.
pub(super) struct Part {
    pub(super) n: i32,
    pub(super) blob: i64,
    pub(super) size: u64,
    pub(super) etag: String,
    /// Milliseconds since 1970.
    pub(super) modified: i64,
    pub(super) sum: Sum,
}

/// Puts a part in place of what had its number.
pub(super) fn put_part(tx: &mut Tx<'_>, target: &Target, n: i32, received: Received) -> Result<(), Fault> {
    find(tx.db, target)?;
    let (etag, sum, size) = (received.etag(), received.digests.sum.stored(), signed(received.size));
    let blob = blobs::add(tx, received)?;
    let mut old = tx.db.prepare_cached("SELECT blob FROM part WHERE upload = ? AND n = ?")?;
    let old: Option<i64> = old.query_row(params![target.id, n], |row| row.get(0)).optional()?;
    let sql = "INSERT OR REPLACE INTO part (upload, n, blob, size, etag, modified, sum)
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    tx.db.prepare_cached(sql)?.execute(params![target.id, n, blob, size, etag, now(), sum])?;
    old.map_or(Ok(()), |old| blobs::release(tx, old))
}

/// The parts of an upload behind a number, in their order.
pub(super) fn parts(db: &Connection, upload: &str, after: i32, limit: i32) -> Result<Vec<Part>, Fault> {
    let mut query = db.prepare_cached(
        "SELECT n, blob, size, etag, modified, sum FROM part WHERE upload = ? AND n > ? ORDER BY n LIMIT ?",
    )?;
    let mut rows = query.query(params![upload, after, limit])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(Part {
            n: row.get(0)?,
            blob: row.get(1)?,
            size: size(row.get(2)?),
            etag: row.get(3)?,
            modified: row.get(4)?,
            sum: Sum::parse(&row.get::<_, String>(5)?)?,
        });
    }
    Ok(out)
}

/// Ends an upload; its parts go unless `keep` names their numbers.
pub(super) fn end(tx: &mut Tx<'_>, upload: &str, keep: &[i32]) -> Result<(), Fault> {
    for part in parts(tx.db, upload, 0, MAX_PARTS)? {
        if keep.binary_search(&part.n).is_err() {
            blobs::release(tx, part.blob)?;
        }
    }
    tx.db.execute("DELETE FROM part WHERE upload = ?", [upload])?;
    tx.db.execute("DELETE FROM upload WHERE id = ?", [upload])?;
    Ok(())
}

/// Ends all uploads to a bucket.
pub(super) fn end_all(tx: &mut Tx<'_>, bucket: i64) -> Result<(), Fault> {
    let mut query = tx.db.prepare("SELECT id FROM upload WHERE bucket = ?")?;
    let ids: Vec<String> = query.query_map([bucket], |row| row.get(0))?.collect::<Result<_, _>>()?;
    ids.iter().try_for_each(|id| end(tx, id, &[]))
}

/// Notes what an upload has made.
pub(super) fn remember(tx: &mut Tx<'_>, bucket: i64, target: &Target, made: &Object) -> Result<(), Fault> {
    tx.db.execute("DELETE FROM completed WHERE at < ?", [made.modified - REMEMBER_MS])?;
    let sql = "INSERT INTO completed (upload, bucket, key, etag, at) VALUES (?, ?, ?, ?, ?)";
    tx.db.execute(sql, params![target.id, bucket, target.key, made.etag, made.modified])?;
    Ok(())
}

/// What an upload has made, as long as it is still there.
pub(super) fn completed(db: &Connection, target: &Target) -> Result<Object, Fault> {
    let bucket = rows::bucket(db, &target.bucket)?;
    let mut query = db.prepare_cached("SELECT etag FROM completed WHERE upload = ? AND bucket = ? AND key = ?")?;
    let read = |row: &rusqlite::Row<'_>| row.get(0);
    let etag: Option<String> = query.query_row(params![target.id, bucket, target.key], read).optional()?;
    let object = rows::find(db, bucket, &target.key)?;
    object.filter(|object| Some(&object.etag) == etag.as_ref()).ok_or_else(no_upload)
}
