//! Plain data that every room shares: ids, configurations, versions, text. No IO, no clock, no randomness but new ids.

pub mod claude;
pub mod figures;
pub mod ids;
pub mod invalid;
pub mod item;
pub mod profile;
pub mod sandbox;
pub mod text;
pub mod usage;
pub mod version;

pub use claude::{ClaudeExecConfig, ClaudeProcess, OutputFormat};
pub use ids::{AccountId, ConversationId, ExecId, RequestId, SandboxId, VersionId};
pub use invalid::{Invalid, Problems};
pub use item::{Item, ItemBody};
pub use profile::Profile;
pub use sandbox::{Backend, ImageConfig, S3MountConfig, SandboxConfig, SandboxInfo, SandboxStatus, WORKSPACE};
pub use text::{Clean, Untrusted};
pub use usage::{MicroDollars, Usage};
pub use version::{SyncStats, UnfinishedSave, Version};
