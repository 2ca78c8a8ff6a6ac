//! Versions in S3: layout, manifest, plan, transfer.
