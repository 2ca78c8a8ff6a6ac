//! Files of the user's own that are always whole.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Replaces a file: it is written beside it, mode 0600, and renamed, so that whoever is killed meanwhile leaves the one
/// before, and two screens don't mix theirs.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?.write_all(bytes)?;
    fs::rename(new, path)
}
