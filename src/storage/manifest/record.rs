//! One line of the tree.

use std::io::{self, Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    core::VersionId,
    inside::mover::words::{Content, Digest, Entry, Kind, MAX_PATH, part_count},
    storage::keys::Keys,
};

/// Where a file's object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// In the folder of this version, under the key of its path.
    Version(VersionId),
    /// Under this key.
    Key(String),
}

/// An entry of the tree and, for a file, the object that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Path and all that is kept of it.
    pub entry: Entry,
    /// Which object; every file has one, nothing else has.
    pub holder: Option<Holder>,
    /// That object's ETag when the version was made, so that a later save copies that one or none.
    pub etag: String,
}

/// The line as JSON has it. Bytes that are no UTF-8 stand in base64 under another name.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: Type,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path64: Option<String>,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime_ns: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<VersionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target64: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Folder,
    File,
    Link,
    LeftOut,
}

fn text_or_64(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}

fn bytes_of(text: Option<String>, base64: Option<String>) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(coded)) => BASE64_STANDARD.decode(coded).map(Some).map_err(|_| "it has bad base64".to_owned()),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("it has a name twice".to_owned()),
    }
}

fn digest(hexed: &str) -> Result<Digest, String> {
    let mut digest = [0; 32];
    hex::decode_to_slice(hexed, &mut digest).map_err(|_| "it has a bad digest".to_owned())?;
    Ok(Digest(digest))
}

impl Record {
    /// What a file holds; `None` for what is none.
    pub fn content(&self) -> Option<&Content> {
        match &self.entry.kind {
            Kind::File(content) => Some(content),
            Kind::Folder | Kind::Link { .. } | Kind::LeftOut => None,
        }
    }

    /// A path that the version names and doesn't hold.
    pub fn left_out(path: Vec<u8>) -> Self {
        let entry = Entry { path, kind: Kind::LeftOut, mode: 0, uid: 0, gid: 0, mtime_ns: 0 };
        Self { entry, holder: None, etag: String::new() }
    }

    /// The key of a file's object; `None` for what is no file.
    pub fn key(&self, keys: &Keys) -> Option<String> {
        self.holder.as_ref().map(|holder| match holder {
            Holder::Version(version) => keys.object(*version, &self.entry.path),
            Holder::Key(key) => key.clone(),
        })
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let entry = &self.entry;
        let (path, path64) = text_or_64(&entry.path);
        let (version, key) = match &self.holder {
            Some(Holder::Version(version)) => (Some(*version), None),
            Some(Holder::Key(key)) => (None, Some(key.clone())),
            None => (None, None),
        };
        let mut line = Line {
            kind: Type::Folder,
            path,
            path64,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime_ns: entry.mtime_ns,
            size: None,
            sha256: None,
            parts: None,
            version,
            key,
            etag: self.etag.clone(),
            target: None,
            target64: None,
        };
        match &entry.kind {
            Kind::Folder => {}
            Kind::LeftOut => line.kind = Type::LeftOut,
            Kind::File(content) => {
                line.kind = Type::File;
                line.size = Some(content.size);
                match content.digests.as_slice() {
                    [whole] => line.sha256 = Some(whole.to_string()),
                    parts => line.parts = Some(parts.iter().map(Digest::to_string).collect()),
                }
            }
            Kind::Link { target } => {
                line.kind = Type::Link;
                (line.target, line.target64) = text_or_64(target);
            }
        }
        serde_json::to_writer(out, &line).map_err(io::Error::from)
    }

    /// Reads a line. What is wrong is said without the line: it may hold anything. Path and order are checked by the
    /// caller.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let line: Line = serde_json::from_slice(line).map_err(|e| format!("it is no entry ({:?})", e.classify()))?;
        let path = bytes_of(line.path, line.path64)?.ok_or("it has no path")?;
        let target = bytes_of(line.target, line.target64)?;
        let kind = match (line.kind, line.size, target) {
            (Type::Folder, None, None) => Kind::Folder,
            (Type::LeftOut, None, None) => Kind::LeftOut,
            (Type::Link, None, Some(target)) if target.len() <= MAX_PATH => Kind::Link { target },
            (Type::File, Some(size), None) => {
                let digests = match (line.sha256, line.parts) {
                    (Some(whole), None) => vec![digest(&whole)?],
                    (None, Some(parts)) => parts.iter().map(|p| digest(p)).collect::<Result<_, _>>()?,
                    _ => return Err("it has not one digest".to_owned()),
                };
                if digests.len() as u64 != part_count(size) {
                    return Err("its digests don't fit its size".to_owned());
                }
                Kind::File(Content { size, digests, inode: None })
            }
            _ => return Err("its fields don't fit its type".to_owned()),
        };
        let holder = match (&kind, line.version, line.key) {
            (Kind::File(_), Some(version), None) => Some(Holder::Version(version)),
            (Kind::File(_), None, Some(key)) => Some(Holder::Key(key)),
            (Kind::Folder | Kind::Link { .. } | Kind::LeftOut, None, None) => None,
            _ => return Err("it has not one object".to_owned()),
        };
        if line.mode > 0o7777 {
            return Err("it has a mode that can't be".to_owned());
        }
        let entry = Entry { path, kind, mode: line.mode, uid: line.uid, gid: line.gid, mtime_ns: line.mtime_ns };
        Ok(Self { entry, holder, etag: line.etag })
    }
}
