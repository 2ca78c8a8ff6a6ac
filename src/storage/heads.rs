//! Heads of manifests that were read before: a manifest never changes, so a list costs no more than what is new.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::manifest::Head;

/// Heads that are kept: 2 KiB each at most, and more than anybody's versions.
const MAX: usize = 20_000;

/// Heads by key and ETag.
#[derive(Default)]
pub(super) struct Heads(Mutex<HashMap<(String, String), Head>>);

impl Heads {
    /// One that was read before.
    pub fn get(&self, key: &str, etag: &str) -> Option<Head> {
        let heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heads.get(&(key.to_owned(), etag.to_owned())).cloned()
    }

    /// Remembers one.
    pub fn put(&self, key: &str, etag: String, head: Head) {
        let mut heads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= MAX {
            heads.clear();
        }
        heads.insert((key.to_owned(), etag), head);
    }
}
