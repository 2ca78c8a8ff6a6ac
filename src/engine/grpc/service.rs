//! The service's RPCs, each handed to the function that it is about.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::Stream;
use tonic::{Request, Response, Status};

use super::{apps, auth, blobs, mounts, secrets};
use crate::{
    engine::{Shared, images, room, sandboxes::Sandboxes, volumes},
    proto::client::{
        AppClientDisconnectRequest, AppCreateRequest, AppCreateResponse, AppGetOrCreateRequest, AppGetOrCreateResponse,
        AppHeartbeatRequest, AppListRequest, AppListResponse, AppPublishRequest, AppPublishResponse, AppStopRequest,
        AuthTokenGetRequest, AuthTokenGetResponse, BlobCreateRequest, BlobCreateResponse, BlobGetRequest,
        BlobGetResponse, ClientHelloResponse, EnvironmentGetOrCreateRequest, EnvironmentGetOrCreateResponse,
        ImageFromIdRequest, ImageFromIdResponse, ImageGetOrCreateRequest, ImageGetOrCreateResponse,
        ImageJoinStreamingRequest, ImageJoinStreamingResponse, MountBatchedCheckExistenceRequest,
        MountBatchedCheckExistenceResponse, MountGetOrCreateRequest, MountGetOrCreateResponse, MountPutFileRequest,
        MountPutFileResponse, ObjectCreationType, SandboxCreateV2Request, SandboxCreateV2Response,
        SandboxGetCommandRouterAccessRequest, SandboxGetCommandRouterAccessResponse, SandboxGetFromNameRequest,
        SandboxGetFromNameResponse, SandboxGetTaskIdRequest, SandboxGetTaskIdResponse, SandboxGetTunnelsRequest,
        SandboxGetTunnelsResponse, SandboxListRequest, SandboxListResponse, SandboxTagsGetRequest,
        SandboxTagsGetResponse, SandboxTagsSetRequest, SandboxTerminateRequest, SandboxTerminateResponse,
        SandboxWaitRequest, SandboxWaitResponse, SecretDeleteRequest, SecretGetOrCreateRequest,
        SecretGetOrCreateResponse, SecretListRequest, SecretListResponse, TokenInfoGetRequest, TokenInfoGetResponse,
        UserIdentity, VolumeCommitRequest, VolumeCommitResponse, VolumeDeleteRequest, VolumeGetFile2Request,
        VolumeGetFile2Response, VolumeGetOrCreateRequest, VolumeGetOrCreateResponse, VolumeHeartbeatRequest,
        VolumeListFiles2Request, VolumeListFiles2Response, VolumeListRequest, VolumeListResponse,
        VolumePutFiles2Request, VolumePutFiles2Response, VolumeReloadRequest, VolumeRemoveFile2Request,
        WorkspaceNameLookupResponse, modal_client_server::ModalClient, token_info_get_response::Identity,
    },
};

/// Life of the token that calls about sandboxes carry. Clients renew it half-way; it only must not be for ever.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// The workspace's name, where Modal has the account's.
const WORKSPACE: &str = "local";

/// Answers every RPC.
#[derive(Debug, Clone)]
pub struct Service(pub Arc<Shared>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    /// Calls the function of an RPC.
    async fn answer<Q, A, W>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(Arc<Shared>, Q) -> W,
    ) -> Result<Response<A>, Status>
    where
        W: Future<Output = Result<A, Status>>,
    {
        let answer = work(Arc::clone(&self.0), request.into_inner()).await;
        answer.map(Response::new).map_err(|e| room::status(&self.0, e))
    }

    /// Calls the function of an RPC that makes or deletes something: once for each idempotency key, and to its end, also
    /// when the caller is gone.
    async fn once<Q, A, W>(
        &self,
        method: &'static str,
        request: Request<Q>,
        work: impl FnOnce(Arc<Shared>, Q) -> W,
    ) -> Result<Response<A>, Status>
    where
        A: prost::Message + Default + 'static,
        W: Future<Output = Result<A, Status>> + Send + 'static,
    {
        let key = auth::header(request.metadata(), "x-idempotency-key").to_owned();
        let work = work(Arc::clone(&self.0), request.into_inner());
        let shared = Arc::clone(&self.0);
        let run =
            async move { if key.is_empty() { work.await } else { shared.answers.once(method, &key, work).await } };
        let answer = tokio::spawn(run).await.map_err(|_| Status::internal(format!("{method} was cut off")))?;
        answer.map(Response::new).map_err(|e| room::status(&self.0, e))
    }
}

/// An RPC that this engine does not serve.
fn not_here(method: &str) -> Status {
    Status::unimplemented(format!("the local engine does not serve {method}; Modal does"))
}

async fn hello(_: Arc<Shared>, (): ()) -> Result<ClientHelloResponse, Status> {
    Ok(ClientHelloResponse { image_builder_version: apps::BUILDER.to_owned(), ..ClientHelloResponse::default() })
}

async fn auth_token(shared: Arc<Shared>, _: AuthTokenGetRequest) -> Result<AuthTokenGetResponse, Status> {
    Ok(AuthTokenGetResponse { token: shared.tokens.issue("api", TOKEN_LIFE) })
}

async fn token_info(shared: Arc<Shared>, _: TokenInfoGetRequest) -> Result<TokenInfoGetResponse, Status> {
    let user = UserIdentity { user_id: "us-local".to_owned(), username: WORKSPACE.to_owned() };
    Ok(TokenInfoGetResponse {
        token_id: shared.access.token_id.clone(),
        workspace_id: "ac-local".to_owned(),
        workspace_name: WORKSPACE.to_owned(),
        identity: Some(Identity::UserIdentity(user)),
        ..TokenInfoGetResponse::default()
    })
}

async fn workspace(_: Arc<Shared>, (): ()) -> Result<WorkspaceNameLookupResponse, Status> {
    Ok(WorkspaceNameLookupResponse { username: WORKSPACE.to_owned(), ..WorkspaceNameLookupResponse::default() })
}

#[tonic::async_trait]
impl ModalClient for Service {
    type ImageJoinStreamingStream = Answers<ImageJoinStreamingResponse>;
    type VolumeListFiles2Stream = Answers<VolumeListFiles2Response>;

    async fn image_join_streaming(
        &self,
        request: Request<ImageJoinStreamingRequest>,
    ) -> Result<Response<Self::ImageJoinStreamingStream>, Status> {
        let log = images::join(Arc::clone(&self.0), request.into_inner()).await?;
        Ok(Response::new(Box::pin(log)))
    }

    async fn volume_list_files2(
        &self,
        _request: Request<VolumeListFiles2Request>,
    ) -> Result<Response<Self::VolumeListFiles2Stream>, Status> {
        Err(not_here("VolumeListFiles2"))
    }

    async fn sandbox_create_v2(
        &self,
        request: Request<SandboxCreateV2Request>,
    ) -> Result<Response<SandboxCreateV2Response>, Status> {
        let header = |name| auth::header(request.metadata(), name).to_owned();
        let (key, caller) = (header("x-idempotency-key"), header("x-modal-client-type"));
        let key = Some(key).filter(|k| !k.is_empty());
        let create = |s: Arc<Shared>, q| async move { Sandboxes::create(&s, q, key, &caller).await };
        // Its key is kept with the sandbox itself, and its answer holds a token that must be fresh.
        self.answer(request, create).await
    }

    async fn sandbox_get_command_router_access(
        &self,
        request: Request<SandboxGetCommandRouterAccessRequest>,
    ) -> Result<Response<SandboxGetCommandRouterAccessResponse>, Status> {
        let caller = auth::header(request.metadata(), "x-modal-client-type").to_owned();
        let access = |s: Arc<Shared>, q| async move { Sandboxes::command_router_access(&s, q, &caller).await };
        self.answer(request, access).await
    }

    async fn client_hello(&self, request: Request<()>) -> Result<Response<ClientHelloResponse>, Status> {
        self.answer(request, hello).await
    }

    async fn auth_token_get(
        &self,
        request: Request<AuthTokenGetRequest>,
    ) -> Result<Response<AuthTokenGetResponse>, Status> {
        self.answer(request, auth_token).await
    }

    async fn token_info_get(
        &self,
        request: Request<TokenInfoGetRequest>,
    ) -> Result<Response<TokenInfoGetResponse>, Status> {
        self.answer(request, token_info).await
    }

    async fn workspace_name_lookup(
        &self,
        request: Request<()>,
    ) -> Result<Response<WorkspaceNameLookupResponse>, Status> {
        self.answer(request, workspace).await
    }

    async fn environment_get_or_create(
        &self,
        request: Request<EnvironmentGetOrCreateRequest>,
    ) -> Result<Response<EnvironmentGetOrCreateResponse>, Status> {
        self.answer(request, apps::environment).await
    }

    async fn app_get_or_create(
        &self,
        request: Request<AppGetOrCreateRequest>,
    ) -> Result<Response<AppGetOrCreateResponse>, Status> {
        self.answer(request, apps::get_or_create).await
    }

    async fn app_create(&self, request: Request<AppCreateRequest>) -> Result<Response<AppCreateResponse>, Status> {
        self.once("app_create", request, apps::create).await
    }

    async fn app_publish(&self, request: Request<AppPublishRequest>) -> Result<Response<AppPublishResponse>, Status> {
        self.answer(request, apps::publish).await
    }

    async fn app_heartbeat(&self, request: Request<AppHeartbeatRequest>) -> Result<Response<()>, Status> {
        self.answer(request, apps::heartbeat).await
    }

    async fn app_client_disconnect(
        &self,
        request: Request<AppClientDisconnectRequest>,
    ) -> Result<Response<()>, Status> {
        self.answer(request, apps::disconnect).await
    }

    async fn app_list(&self, request: Request<AppListRequest>) -> Result<Response<AppListResponse>, Status> {
        self.answer(request, apps::list).await
    }

    async fn app_stop(&self, request: Request<AppStopRequest>) -> Result<Response<()>, Status> {
        self.answer(request, apps::stop).await
    }

    async fn image_get_or_create(
        &self,
        request: Request<ImageGetOrCreateRequest>,
    ) -> Result<Response<ImageGetOrCreateResponse>, Status> {
        self.answer(request, images::get_or_create).await
    }

    async fn image_from_id(
        &self,
        request: Request<ImageFromIdRequest>,
    ) -> Result<Response<ImageFromIdResponse>, Status> {
        self.answer(request, images::from_id).await
    }

    async fn mount_get_or_create(
        &self,
        request: Request<MountGetOrCreateRequest>,
    ) -> Result<Response<MountGetOrCreateResponse>, Status> {
        self.answer(request, mounts::get_or_create).await
    }

    async fn mount_put_file(
        &self,
        request: Request<MountPutFileRequest>,
    ) -> Result<Response<MountPutFileResponse>, Status> {
        self.answer(request, mounts::put).await
    }

    async fn mount_batched_check_existence(
        &self,
        request: Request<MountBatchedCheckExistenceRequest>,
    ) -> Result<Response<MountBatchedCheckExistenceResponse>, Status> {
        self.answer(request, mounts::check).await
    }

    async fn blob_create(&self, request: Request<BlobCreateRequest>) -> Result<Response<BlobCreateResponse>, Status> {
        self.answer(request, blobs::create).await
    }

    async fn blob_get(&self, request: Request<BlobGetRequest>) -> Result<Response<BlobGetResponse>, Status> {
        self.answer(request, blobs::get).await
    }

    async fn volume_get_or_create(
        &self,
        mut request: Request<VolumeGetOrCreateRequest>,
    ) -> Result<Response<VolumeGetOrCreateResponse>, Status> {
        // Asked again, it finds by its name what it made: no answer to keep, which would cost each start of a sandbox a
        // flush.
        if request.get_ref().object_creation_type() == ObjectCreationType::CreateIfMissing {
            request.metadata_mut().remove("x-idempotency-key");
        }
        self.once("volume_get_or_create", request, volumes::get_or_create).await
    }

    async fn volume_list(&self, request: Request<VolumeListRequest>) -> Result<Response<VolumeListResponse>, Status> {
        self.answer(request, volumes::list).await
    }

    async fn volume_delete(&self, request: Request<VolumeDeleteRequest>) -> Result<Response<()>, Status> {
        self.once("volume_delete", request, volumes::delete).await
    }

    async fn volume_put_files2(
        &self,
        _request: Request<VolumePutFiles2Request>,
    ) -> Result<Response<VolumePutFiles2Response>, Status> {
        Err(not_here("VolumePutFiles2"))
    }

    async fn volume_get_file2(
        &self,
        _request: Request<VolumeGetFile2Request>,
    ) -> Result<Response<VolumeGetFile2Response>, Status> {
        Err(not_here("VolumeGetFile2"))
    }

    async fn volume_remove_file2(&self, _request: Request<VolumeRemoveFile2Request>) -> Result<Response<()>, Status> {
        Err(not_here("VolumeRemoveFile2"))
    }

    async fn volume_commit(
        &self,
        request: Request<VolumeCommitRequest>,
    ) -> Result<Response<VolumeCommitResponse>, Status> {
        self.answer(request, volumes::commit).await
    }

    async fn volume_reload(&self, request: Request<VolumeReloadRequest>) -> Result<Response<()>, Status> {
        self.answer(request, volumes::reload).await
    }

    async fn volume_heartbeat(&self, request: Request<VolumeHeartbeatRequest>) -> Result<Response<()>, Status> {
        self.answer(request, volumes::heartbeat).await
    }

    async fn secret_get_or_create(
        &self,
        request: Request<SecretGetOrCreateRequest>,
    ) -> Result<Response<SecretGetOrCreateResponse>, Status> {
        self.once("secret_get_or_create", request, secrets::get_or_create).await
    }

    async fn secret_list(&self, request: Request<SecretListRequest>) -> Result<Response<SecretListResponse>, Status> {
        self.answer(request, secrets::list).await
    }

    async fn secret_delete(&self, request: Request<SecretDeleteRequest>) -> Result<Response<()>, Status> {
        self.once("secret_delete", request, secrets::delete).await
    }

    async fn sandbox_get_task_id_v2(
        &self,
        request: Request<SandboxGetTaskIdRequest>,
    ) -> Result<Response<SandboxGetTaskIdResponse>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::get_task_id(&s, q).await }).await
    }

    async fn sandbox_wait_v2(
        &self,
        request: Request<SandboxWaitRequest>,
    ) -> Result<Response<SandboxWaitResponse>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::wait(&s, q).await }).await
    }

    async fn sandbox_terminate_v2(
        &self,
        request: Request<SandboxTerminateRequest>,
    ) -> Result<Response<SandboxTerminateResponse>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::terminate(&s, q).await }).await
    }

    async fn sandbox_list_v2(
        &self,
        request: Request<SandboxListRequest>,
    ) -> Result<Response<SandboxListResponse>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::list(&s, q).await }).await
    }

    async fn sandbox_get_from_name_v2(
        &self,
        request: Request<SandboxGetFromNameRequest>,
    ) -> Result<Response<SandboxGetFromNameResponse>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::get_from_name(&s, q).await }).await
    }

    async fn sandbox_tags_get_v2(
        &self,
        request: Request<SandboxTagsGetRequest>,
    ) -> Result<Response<SandboxTagsGetResponse>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::tags_get(&s, q).await }).await
    }

    async fn sandbox_tags_set_v2(&self, request: Request<SandboxTagsSetRequest>) -> Result<Response<()>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::tags_set(&s, q).await }).await
    }

    async fn sandbox_get_tunnels_v2(
        &self,
        request: Request<SandboxGetTunnelsRequest>,
    ) -> Result<Response<SandboxGetTunnelsResponse>, Status> {
        self.answer(request, |s, q| async move { Sandboxes::get_tunnels(&s, q).await }).await
    }
}
