//! Listings: one range scan for a page, one seek for a common prefix.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::{Connection, params};
use s3s::{
    S3Result,
    dto::{
        ChecksumAlgorithm, CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
        ListObjectsV2Output, Object, ObjectStorageClass, Owner,
    },
    s3_error,
};

use super::{
    Api,
    fault::Fault,
    numbers::{signed, size, time},
    rows,
    sums::Sum,
};

/// S3's bound on a page.
const MAX_KEYS: i32 = 1000;

/// What S3 leaves as it is where `encoding-type=url` is asked for.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// What to list. `from` is the least key that may come.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    pub(super) from: String,
    pub(super) max: usize,
}

/// Something listed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    Key { key: String, size: u64, etag: String, modified: i64, sum: String },
    Prefix(String),
}

/// A page, and the least key that may come on the next one.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) next: Option<String>,
}

/// The least string that is greater than all that begin with `prefix`; none if there is no such string.
fn beyond(prefix: &str) -> Option<String> {
    let mut out = prefix.to_owned();
    while let Some(last) = out.pop() {
        // Between these two, numbers are no characters.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            out.push(next);
            return Some(out);
        }
    }
    None
}

pub(super) fn page(db: &Connection, bucket: i64, query: &Query) -> Result<Page, Fault> {
    let Query { prefix, delimiter, from, max } = query;
    let mut page = Page::default();
    if *max == 0 {
        return Ok(page);
    }
    let mut scan = db.prepare_cached(
        "SELECT key, size, etag, modified, sum FROM object WHERE bucket = ? AND key >= ? ORDER BY key",
    )?;
    let mut from = from.clone().max(prefix.clone());
    'seek: loop {
        let mut rows = scan.query(params![bucket, from])?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            let Some(rest) = key.strip_prefix(prefix.as_str()) else { return Ok(page) };
            if page.entries.len() == *max {
                page.next = Some(from);
                return Ok(page);
            }
            let cut = delimiter.as_deref().and_then(|d| Some(rest.find(d)? + d.len()));
            if let Some(cut) = cut {
                let common = key[..prefix.len() + cut].to_owned();
                let after = beyond(&common);
                page.entries.push(Entry::Prefix(common));
                let Some(after) = after else { return Ok(page) };
                from = after;
                continue 'seek;
            }
            let size = size(row.get(1)?);
            from = format!("{key}\0");
            page.entries.push(Entry::Key { key, size, etag: row.get(2)?, modified: row.get(3)?, sum: row.get(4)? });
        }
        return Ok(page);
    }
}

/// How the client wants keys written.
#[derive(Clone, Copy)]
pub(super) struct Encoder(bool);

impl Encoder {
    pub(super) fn new(asked: Option<&EncodingType>) -> Self {
        Self(asked.is_some_and(|e| e.as_str() == EncodingType::URL))
    }

    pub(super) fn text(self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, PLAIN).to_string() } else { text.to_owned() }
    }
}

pub(super) fn max(asked: Option<i32>) -> S3Result<i32> {
    match asked.unwrap_or(MAX_KEYS) {
        n if n < 0 => Err(s3_error!(InvalidArgument, "A page can't have {n} entries")),
        n => Ok(n.min(MAX_KEYS)),
    }
}

/// The one owner.
pub(super) fn owner() -> Owner {
    Owner { display_name: Some("sandbank".into()), id: Some("sandbank".into()) }
}

fn answer(entries: Vec<Entry>, encode: Encoder, owned: bool) -> S3Result<(Vec<Object>, Vec<CommonPrefix>)> {
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(encode.text(&prefix)) }),
            Entry::Key { key, size, etag, modified, sum } => {
                let sum = Sum::parse(&sum)?;
                contents.push(Object {
                    key: Some(encode.text(&key)),
                    size: Some(signed(size)),
                    e_tag: Some(ETag::Strong(etag)),
                    last_modified: Some(time(modified)),
                    checksum_algorithm: Some(vec![ChecksumAlgorithm::from_static(sum.algorithm.name())]),
                    checksum_type: Some(sum.kind()),
                    storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                    owner: owned.then(owner),
                    restore_status: None,
                });
            }
        }
    }
    Ok((contents, prefixes))
}

async fn look(api: &Api, bucket: String, query: Query) -> S3Result<Page> {
    api.index.read(move |db| page(db, rows::bucket(db, &bucket)?, &query)).await
}

pub(super) async fn v2(api: &Api, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let max = max(input.max_keys)?;
    let from = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token is not one of this store"))?,
        (None, Some(after)) => format!("{after}\0"),
        (None, None) => String::new(),
    };
    let delimiter = input.delimiter.filter(|d| !d.is_empty());
    let prefix = input.prefix.unwrap_or_default();
    let query =
        Query { prefix: prefix.clone(), delimiter: delimiter.clone(), from, max: usize::try_from(max).unwrap_or(0) };
    let page = look(api, input.bucket.clone(), query).await?;
    let encode = Encoder::new(input.encoding_type.as_ref());
    let count = page.entries.len();
    let (contents, prefixes) = answer(page.entries, encode, input.fetch_owner.unwrap_or_default())?;
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encode.text(&prefix)),
        max_keys: Some(max),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|n| URL_SAFE_NO_PAD.encode(n)),
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        delimiter: delimiter.map(|d| encode.text(&d)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|s| encode.text(&s)),
        request_charged: None,
    })
}

/// The older listing: its marker is the last key, or common prefix, of the page before.
pub(super) async fn v1(api: &Api, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let max = max(input.max_keys)?;
    let delimiter = input.delimiter.filter(|d| !d.is_empty());
    let prefix = input.prefix.unwrap_or_default();
    let marker = input.marker.unwrap_or_default();
    let inside = marker.strip_prefix(prefix.as_str()).zip(delimiter.as_deref());
    let common = inside.is_some_and(|(rest, d)| rest.find(d).is_some_and(|at| at + d.len() == rest.len()));
    let (from, ended) = match (marker.is_empty(), common) {
        (true, _) => (String::new(), false),
        (false, false) => (format!("{marker}\0"), false),
        (false, true) => beyond(&marker).map_or_else(|| (String::new(), true), |from| (from, false)),
    };
    let limit = if ended { 0 } else { usize::try_from(max).unwrap_or(0) };
    let query = Query { prefix: prefix.clone(), delimiter: delimiter.clone(), from, max: limit };
    let page = look(api, input.bucket.clone(), query).await?;
    let encode = Encoder::new(input.encoding_type.as_ref());
    let last = page.entries.last().filter(|_| page.next.is_some()).map(|entry| match entry {
        Entry::Key { key, .. } | Entry::Prefix(key) => encode.text(key),
    });
    let (contents, prefixes) = answer(page.entries, encode, true)?;
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encode.text(&prefix)),
        marker: Some(encode.text(&marker)),
        max_keys: Some(max),
        is_truncated: Some(last.is_some()),
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        delimiter: delimiter.map(|d| encode.text(&d)),
        next_marker: last,
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

#[cfg(test)]
mod tests;
