//! Versions in a bucket: layout, manifest, plan, transfer.

/// A bucket of versions, with keys of its own. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {}
