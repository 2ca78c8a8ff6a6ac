//! Versions in a bucket.
//!
//! A save claims a second ([`claim`]), puts the workspace's files below it ([`plan`] says how each gets there,
//! [`presign`] lets the mover send it), and publishes a manifest ([`manifest`], [`version`]). A version exists when its
//! manifest does. Lists are [`survey`]. The entries of a tree are the mover's ([`crate::inside::mover::words`]): both
//! ends and the bucket speak of the same thing.

mod bucket;
pub mod claim;
mod clock;
mod connection;
mod error;
mod heads;
mod keys;
pub mod manifest;
pub mod plan;
pub mod presign;
mod signers;
pub mod survey;
pub mod upload;
pub mod version;

pub use bucket::{Bucket, Listed, Page};
pub use error::{ErrorKind, StorageError};
pub use keys::{Control, Keys};
pub use signers::Signers;
pub use upload::Upload;
