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

/// HTTP/2 window of a stream: what may wait of one output that nobody takes. 40 MB/s where a packet and its answer
/// take 100 ms.
pub const STREAM_WINDOW: u32 = 4 << 20;

/// HTTP/2 window of a connection: the most that there is, so that 500 outputs which nobody takes leave room for the
/// answers beside them. With the 64 MiB for both that Modal's SDKs set, one or two of them stop everything.
pub const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
