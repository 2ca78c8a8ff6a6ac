//! Sandboxes: made, listed, waited for, ended; their keepers found again after a restart.

use std::sync::Arc;

use tonic::Status;

use super::{EngineError, Settings, Shared};
use crate::proto::client::{
    SandboxCreateV2Request, SandboxCreateV2Response, SandboxGetCommandRouterAccessRequest,
    SandboxGetCommandRouterAccessResponse, SandboxGetFromNameRequest, SandboxGetFromNameResponse,
    SandboxGetTaskIdRequest, SandboxGetTaskIdResponse, SandboxGetTunnelsRequest, SandboxGetTunnelsResponse,
    SandboxListRequest, SandboxListResponse, SandboxTagsGetRequest, SandboxTagsGetResponse, SandboxTagsSetRequest,
    SandboxTerminateRequest, SandboxTerminateResponse, SandboxWaitRequest, SandboxWaitResponse,
};

/// All sandboxes of a data dir.
#[derive(Debug, Default)]
pub struct Sandboxes {}

fn not_yet<T>(what: &str) -> Result<T, Status> {
    Err(Status::unimplemented(format!("the engine does not implement {what}")))
}

impl Sandboxes {
    /// The table of sandboxes; [`Self::recover`] then finds those that run.
    pub async fn open(_settings: &Settings) -> Result<Self, EngineError> {
        Ok(Self::default())
    }

    /// Finds the keepers of an earlier engine again.
    pub async fn recover(_shared: &Arc<Shared>) -> Result<(), EngineError> {
        Ok(())
    }

    /// How many run.
    pub fn running(&self) -> usize {
        0
    }

    /// Ends every sandbox of an app, as a client that disconnects asks.
    pub async fn stop_app(_shared: &Arc<Shared>, _app_id: &str) -> Result<(), Status> {
        Ok(())
    }

    /// SandboxCreateV2. Answers are kept by idempotency key around this call; the key is given too, so that a sandbox
    /// that was made before a crash is found again.
    pub async fn create(
        _shared: &Arc<Shared>,
        _request: SandboxCreateV2Request,
        _idempotency_key: Option<String>,
        _caller: &str,
    ) -> Result<SandboxCreateV2Response, Status> {
        not_yet("SandboxCreateV2")
    }

    /// SandboxWaitV2.
    pub async fn wait(_shared: &Arc<Shared>, _request: SandboxWaitRequest) -> Result<SandboxWaitResponse, Status> {
        not_yet("SandboxWaitV2")
    }

    /// SandboxTerminateV2.
    pub async fn terminate(
        _shared: &Arc<Shared>,
        _request: SandboxTerminateRequest,
    ) -> Result<SandboxTerminateResponse, Status> {
        not_yet("SandboxTerminateV2")
    }

    /// SandboxListV2.
    pub async fn list(_shared: &Arc<Shared>, _request: SandboxListRequest) -> Result<SandboxListResponse, Status> {
        not_yet("SandboxListV2")
    }

    /// SandboxGetFromNameV2.
    pub async fn get_from_name(
        _shared: &Arc<Shared>,
        _request: SandboxGetFromNameRequest,
    ) -> Result<SandboxGetFromNameResponse, Status> {
        not_yet("SandboxGetFromNameV2")
    }

    /// SandboxGetTaskIdV2.
    pub async fn get_task_id(
        _shared: &Arc<Shared>,
        _request: SandboxGetTaskIdRequest,
    ) -> Result<SandboxGetTaskIdResponse, Status> {
        not_yet("SandboxGetTaskIdV2")
    }

    /// SandboxTagsGetV2.
    pub async fn tags_get(
        _shared: &Arc<Shared>,
        _request: SandboxTagsGetRequest,
    ) -> Result<SandboxTagsGetResponse, Status> {
        not_yet("SandboxTagsGetV2")
    }

    /// SandboxTagsSetV2.
    pub async fn tags_set(_shared: &Arc<Shared>, _request: SandboxTagsSetRequest) -> Result<(), Status> {
        not_yet("SandboxTagsSetV2")
    }

    /// SandboxGetTunnelsV2.
    pub async fn get_tunnels(
        _shared: &Arc<Shared>,
        _request: SandboxGetTunnelsRequest,
    ) -> Result<SandboxGetTunnelsResponse, Status> {
        not_yet("SandboxGetTunnelsV2")
    }

    /// SandboxGetCommandRouterAccess. `caller` is the caller's `x-modal-client-type`, by which the URL's scheme is
    /// chosen: see [`super::grpc::auth::router_url`].
    pub async fn command_router_access(
        _shared: &Arc<Shared>,
        _request: SandboxGetCommandRouterAccessRequest,
        _caller: &str,
    ) -> Result<SandboxGetCommandRouterAccessResponse, Status> {
        not_yet("SandboxGetCommandRouterAccess")
    }
}
