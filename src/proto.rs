//! Modal's two gRPC services as `build.rs` compiles them from `proto/`: plain messages, clients and servers.
//! Nothing here is written by hand, and nothing here knows who calls or who answers.

/// The control plane (`modal.client.ModalClient`) and every message it shares with the router.
pub mod client {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("modal.client");
}

/// The command router of one worker (`modal.task_command_router.TaskCommandRouter`): exec and its bytes.
pub mod task_command_router {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("modal.task_command_router");
}

/// All descriptors of `proto/`, as a serialized `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.fds"));

/// Largest message either side accepts: Modal's Go and JavaScript SDKs set 100 MiB for both directions, tonic's own
/// default of 4 MiB refuses what they send.
pub const MAX_MESSAGE: usize = 100 << 20;

/// HTTP/2 window for a stream and for a connection, as Modal's SDKs set it.
pub const WINDOW: u32 = 64 << 20;
