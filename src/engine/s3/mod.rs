//! The engine's S3: protocol by `s3s`, bytes on disk.
