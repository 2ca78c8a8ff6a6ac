//! Signers for a transfer that takes longer than one of them is good for.

use std::time::{Duration, Instant};

use super::{bucket::Bucket, error::StorageError, presign::Signer};

/// A signer is made for its moment; URLs of the next minute are good for four at least.
const LIFE: Duration = Duration::from_secs(60);

/// A bucket's signers, one after the other.
#[derive(Debug)]
pub struct Signers<'a> {
    bucket: &'a Bucket,
    made: Option<(Instant, Signer)>,
}

impl<'a> Signers<'a> {
    /// Makes none yet.
    pub fn new(bucket: &'a Bucket) -> Self {
        Self { bucket, made: None }
    }

    /// The signer of this minute.
    ///
    /// # Errors
    /// No keys.
    pub async fn now(&mut self) -> Result<&Signer, StorageError> {
        let fresh = self.made.take().filter(|(made, _)| made.elapsed() < LIFE);
        let signer = match fresh {
            Some(signer) => signer,
            None => (Instant::now(), self.bucket.signer().await?),
        };
        Ok(&self.made.insert(signer).1)
    }

    /// The next URL is of a new moment, and perhaps of new keys: one of before was refused.
    pub fn renew(&mut self) {
        self.made = None;
    }
}
