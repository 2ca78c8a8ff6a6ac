//! Rows of contents: bytes once for all objects and parts that have them, counted, and gone with the last.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    fault::Fault,
    files::NewFile,
    index::Tx,
    numbers::{signed, size},
    sums::Digests,
};

/// Content that came whole and fits what was said of it. Not yet named by a row: dropped, it is gone.
pub(super) struct Received {
    pub(super) size: u64,
    pub(super) digests: Digests,
    pub(super) content: Content,
}

/// Its bytes.
pub(super) enum Content {
    /// Few enough for the index.
    Small(Vec<u8>),
    /// On disk.
    File(NewFile),
}

impl Received {
    /// The ETag of an object that came in one piece.
    pub(super) fn etag(&self) -> String {
        hex::encode(self.digests.md5)
    }
}

/// Keeps a content that was received, or finds that it is kept already; its reference is counted.
pub(super) fn add(tx: &mut Tx<'_>, received: Received) -> Result<i64, Fault> {
    let sha256 = received.digests.sha256;
    let mut same = tx.db.prepare_cached("UPDATE blob SET refs = refs + 1 WHERE sha256 = ? RETURNING id")?;
    if let Some(id) = same.query_row([sha256], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let sql = "INSERT INTO blob (size, refs, sha256, file, data) VALUES (?, 1, ?, ?, ?)";
    let size = signed(received.size);
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
    let whole = tx.db.prepare_cached("INSERT INTO blob (size, refs) VALUES (?, 1)")?.insert([signed(size)])?;
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
    pub(super) place: Place,
}

/// Where bytes lie.
#[derive(Debug)]
pub(super) enum Place {
    /// In the index: these.
    Index(Vec<u8>),
    /// In this file.
    File(String),
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
            let place = match file {
                Some(name) => Place::File(name),
                None => Place::Index(row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default()),
            };
            Ok(Piece { size: size(row.get(0)?), place })
        });
        out.push(piece?);
    }
    Ok(out)
}
