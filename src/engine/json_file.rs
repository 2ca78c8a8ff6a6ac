//! Small files of JSON that only their owner may read.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path};

use serde::{Serialize, de::DeserializeOwned};

/// Writes a small file so that readers see all of it or nothing. Mode 0600.
pub fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, &serde_json::to_vec(value)?)?;
    fs::rename(&new, path)
}

/// Reads one; `None` when it isn't there.
pub fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
