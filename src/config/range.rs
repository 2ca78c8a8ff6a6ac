//! Values with limits: the reader itself refuses what is out of range, so the error knows its line and key.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, de::Error};

use crate::core::sandbox::HOST_IMAGE;

/// A number from `MIN` to `MAX`.
pub(super) fn within<'de, const MIN: u64, const MAX: u64, T, D>(d: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let n = i64::deserialize(d)?;
    u64::try_from(n)
        .ok()
        .filter(|n| (MIN..=MAX).contains(n))
        .and_then(|n| T::try_from(n).ok())
        .ok_or_else(|| D::Error::custom(format!("{n} is out of range; allowed: {MIN} to {MAX}")))
}

/// Text or a path that stands for "not set" when it is empty, so that the example can show every key.
pub(super) fn unless_empty<'de, T, D>(d: D) -> Result<Option<T>, D::Error>
where
    T: From<String>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(d)?;
    Ok((!text.is_empty()).then(|| T::from(text)))
}

/// A file's or program's path. It must be absolute: the server, which uses it, runs in a folder of its own.
pub(super) fn path<'de, D: Deserializer<'de>>(d: D) -> Result<Option<PathBuf>, D::Error> {
    unless_empty::<PathBuf, D>(d)?.map(absolute).transpose()
}

/// Paths of folders, absolute as in [`path`].
pub(super) fn paths<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<PathBuf>, D::Error> {
    Vec::<PathBuf>::deserialize(d)?.into_iter().map(absolute).collect()
}

fn absolute<E: Error>(path: PathBuf) -> Result<PathBuf, E> {
    if path.is_absolute() {
        return Ok(path);
    }
    Err(E::custom(format!("{path:?} is not an absolute path; allowed: paths that begin with `/`")))
}

/// Images that other names may stand for: the engine has one.
pub(super) fn stand_ins<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    let names = BTreeMap::<String, String>::deserialize(d)?;
    match names.iter().find(|(_, meant)| *meant != HOST_IMAGE) {
        Some((name, meant)) => Err(D::Error::custom(format!(
            "{name:?} can't mean {meant:?}, which the engine has not; allowed: {HOST_IMAGE:?}"
        ))),
        None => Ok(names),
    }
}

/// A URL of a server.
pub(super) fn url<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    match unless_empty::<String, D>(d)? {
        Some(text) if !(text.starts_with("http://") || text.starts_with("https://")) => {
            Err(D::Error::custom(format!("{text:?} is not a URL; allowed: http://… or https://…")))
        }
        other => Ok(other),
    }
}

/// The name of a bucket.
pub(super) fn bucket<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    match unless_empty::<String, D>(d)? {
        Some(text)
            if !(3..=63).contains(&text.len())
                || !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)) =>
        {
            Err(D::Error::custom(format!(
                "{text:?} is not a bucket's name; allowed: 3 to 63 of lower-case letters, digits, '-' and '.'"
            )))
        }
        other => Ok(other),
    }
}
