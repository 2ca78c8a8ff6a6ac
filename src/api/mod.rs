//! The words between client and server: `/v1`, JSON over HTTP on a Unix socket.
//!
//! Plain serde types, no IO. What may change within `/v1`: fields are added, never renamed or removed; a reader
//! ignores fields and kinds that it doesn't know. No secret and no internal path stands in an answer.

pub mod command;
pub mod error;
pub mod event;
pub mod exec;
pub mod hello;
pub mod query;
pub mod status;

pub use command::{Command, CommandAnswer, CommandRequest, CommandState, CommandSummary};
pub use error::{ApiError, ErrorBody, ErrorCode};
pub use event::{Event, EventBody, Live, OUTPUT, OpenBlock, Published};
pub use exec::{ExecClientFrame, ExecServerFrame, ExecStart};
pub use hello::{Hello, Welcome};
pub use query::{
    ConversationInfo, ConversationPage, Doctor, DoctorCheck, EngineAccess, EventsQuery, LogsQuery, PageQuery,
    PlacedItem, SandboxDetail, Scope, SearchQuery, TranscriptQuery, UsageQuery, Window,
};
pub use status::{EngineStatus, ServerFile, ServerStatus, StartReport, Stop};

/// Version of these words. A server and a client that differ in it don't talk: the older one says so or is replaced.
pub const PROTOCOL: u32 = 1;

/// This build: crate version and commit. Two builds of one version are told apart by the commit.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of this build, or `release`.
pub const BUILD: &str = env!("SANDBANK_COMMIT");

/// Header with the id that [`Welcome`] gave: whose environment a request runs with.
pub const CLIENT_HEADER: &str = "x-sandbank-client";
