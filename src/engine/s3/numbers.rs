//! Sizes and times as SQLite, Rust and S3's answers have them.

use std::time::{Duration, SystemTime};

use s3s::dto::Timestamp;

/// SQLite's integers are signed; sizes that were stored are not negative.
pub(super) fn size(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

/// The sizes of SQLite and of S3's answers are signed.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// As S3's answers have it.
pub(super) fn time(milliseconds: i64) -> Timestamp {
    let since = Duration::from_millis(milliseconds.try_into().unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + since)
}
