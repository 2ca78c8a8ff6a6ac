//! Sandboxes of the second kind (V2): create, find, list, wait, end.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use super::{
    connection::{How, Modal, SHORT},
    end::SandboxEnd,
    error::{ErrorKind, ModalError},
    mounts::MountId,
    router::Router,
    secrets::{SecretValues, named_source},
};
use crate::{
    core::{S3MountConfig, SandboxConfig, SandboxId, Untrusted},
    proto::client::{
        CloudBucketMount, GpuConfig, NetworkAccess, PortSpecs, Resources, Sandbox as Definition,
        SandboxCreateV2Request, SandboxGetFromNameRequest, SandboxListRequest, SandboxTag, SandboxTerminateRequest,
        SandboxWaitRequest, VolumeMount, cloud_bucket_mount::BucketType, network_access::NetworkAccessType,
        sandbox::OpenPortsOneof,
    },
};

/// How long the other side holds a question for the end; it is asked again.
const WAIT_HOLD: f32 = 10.0;

/// What a sandbox is made from, beside its configuration.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// Image, workspace, secrets, variables.
    pub config: SandboxConfig,
    /// Unique among the running sandboxes of the app.
    pub name: String,
    /// It ends by itself after this time; never left at Modal's default of five minutes.
    pub timeout: Duration,
    /// Files of this machine.
    pub mounts: Vec<MountId>,
    /// More volumes: (name, path).
    pub volumes: Vec<(String, String)>,
    /// To find it by.
    pub tags: BTreeMap<String, String>,
    /// The same for a repetition after a crash: it gives the same sandbox.
    pub key: Uuid,
}

/// What a creation is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The app, its volumes, and an image that may be there.
    Preparing,
    /// The image is not there: it is built.
    Image,
    /// A line of its log.
    Log(Untrusted),
    /// The container starts.
    Starting,
}

/// One running or ended sandbox that can be talked to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub(super) modal: Modal,
    pub(super) router: Router,
    /// Its id.
    pub id: SandboxId,
}

/// One row of a list.
#[derive(Debug, Clone)]
pub struct SandboxRow {
    /// Its id.
    pub id: SandboxId,
    /// Its name.
    pub name: Untrusted,
    /// When it was made.
    pub created_at: SystemTime,
    /// How it ended, if it has.
    pub end: Option<SandboxEnd>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

fn sandbox_id(text: &str, action: &str) -> Result<SandboxId, ModalError> {
    SandboxId::new(text).map_err(|e| ModalError::new(ErrorKind::Other, action, format!("the server's answer: {e}")))
}

impl Modal {
    /// Makes a sandbox: app, image, volumes, secrets, then the sandbox. It may still be starting when this returns.
    ///
    /// # Errors
    /// What failed, named.
    pub async fn create(&self, request: &CreateRequest, stage: &(dyn Fn(Stage) + Sync)) -> Result<Sandbox, ModalError> {
        let config = &request.config;
        stage(Stage::Preparing);
        let app = self.app(&config.account_id.app()).await?;
        // None of these needs another, and each is at least one question.
        let image = self.image(&app, &config.image, stage);
        let (volume_mounts, secret_ids, buckets, image_id) =
            tokio::try_join!(self.volume_mounts(request), self.secret_ids(config), self.bucket_mounts(config), image)?;
        stage(Stage::Starting);
        let mut sources: Vec<_> = secret_ids.iter().map(|id| named_source(id)).collect();
        if !config.environment_vars.is_empty() {
            // Last, so that they win over the secrets.
            sources.push(config.environment_vars.clone().into_iter().collect::<SecretValues>().source());
        }
        let definition = Definition {
            image_id,
            mount_ids: request.mounts.iter().map(|m| m.0.clone()).collect(),
            secret_ids,
            timeout_secs: u32::try_from(request.timeout.as_secs()).unwrap_or(u32::MAX),
            workdir: Some(config.workdir().to_owned()),
            volume_mounts,
            cloud_bucket_mounts: buckets.into_iter().collect(),
            name: Some(request.name.clone()),
            resources: Some(Resources { gpu_config: Some(GpuConfig::default()), ..Resources::default() }),
            open_ports_oneof: Some(OpenPortsOneof::OpenPorts(PortSpecs::default())),
            network_access: Some(NetworkAccess {
                network_access_type: NetworkAccessType::Open.into(),
                ..NetworkAccess::default()
            }),
            ..Definition::default()
        };
        let message = SandboxCreateV2Request {
            app_id: app,
            definition: Some(definition),
            tags: tags(&request.tags),
            secret_sources: sources,
            ..SandboxCreateV2Request::default()
        };
        let action = "create the sandbox";
        let how = How { key: Some(request.key), ..SHORT };
        let answer =
            self.call(action, how, message, |mut c, r| Box::pin(async move { c.sandbox_create_v2(r).await })).await?;
        let id = sandbox_id(&answer.sandbox_id, action)?;
        let router =
            Router::new(self, &id, Some(answer.task_id).filter(|t| !t.is_empty()), answer.command_router_access);
        Ok(Sandbox { modal: self.clone(), router, id })
    }

    async fn volume_mounts(&self, request: &CreateRequest) -> Result<Vec<VolumeMount>, ModalError> {
        let workspace = (request.config.volume(), request.config.volume_mount_path.clone());
        let mounts = std::iter::once(&workspace).chain(&request.volumes).map(async |(name, path)| {
            Ok(VolumeMount {
                volume_id: self.volume(name).await?,
                mount_path: path.clone(),
                allow_background_commits: true,
                ..VolumeMount::default()
            })
        });
        futures::future::try_join_all(mounts).await
    }

    async fn secret_ids(&self, config: &SandboxConfig) -> Result<Vec<String>, ModalError> {
        futures::future::try_join_all(config.secrets.iter().map(|name| self.secret(name, &[]))).await
    }

    async fn bucket_mounts(&self, config: &SandboxConfig) -> Result<Option<CloudBucketMount>, ModalError> {
        let Some(s3) = &config.s3_config else { return Ok(None) };
        let secret = self.secret(&s3.secret_name, &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]).await?;
        Ok(Some(bucket_mount(s3, secret)))
    }

    /// A sandbox that exists, by its id; nothing is asked yet.
    pub fn sandbox(&self, id: &SandboxId) -> Sandbox {
        Sandbox { modal: self.clone(), router: Router::new(self, id, None, None), id: id.clone() }
    }

    /// The running sandbox of a name in an app.
    ///
    /// # Errors
    /// There is none, or the call's.
    pub async fn sandbox_by_name(&self, app: &str, name: &str) -> Result<Sandbox, ModalError> {
        let request = SandboxGetFromNameRequest {
            sandbox_name: name.to_owned(),
            environment_name: self.environment(),
            app_name: app.to_owned(),
            ..SandboxGetFromNameRequest::default()
        };
        let action = format!("find the sandbox {name}");
        let answer = self
            .call(&action, SHORT, request, |mut c, r| Box::pin(async move { c.sandbox_get_from_name_v2(r).await }))
            .await?;
        Ok(self.sandbox(&sandbox_id(&answer.sandbox_id, &action)?))
    }

    /// All sandboxes of an app, newest first.
    ///
    /// # Errors
    /// The calls'.
    pub async fn sandboxes(&self, app_id: &str, include_finished: bool) -> Result<Vec<SandboxRow>, ModalError> {
        let action = "list the sandboxes";
        let mut rows: Vec<SandboxRow> = Vec::new();
        let mut before = 0.0;
        loop {
            let request = SandboxListRequest {
                app_id: app_id.to_owned(),
                before_timestamp: before,
                environment_name: self.environment(),
                include_finished,
                tags: Vec::new(),
            };
            let page = self
                .call(action, SHORT, request, |mut c, r| Box::pin(async move { c.sandbox_list_v2(r).await }))
                .await?
                .sandboxes;
            // A server that ignores the timestamp would be asked for ever.
            let last = page.last().map(|s| s.created_at).filter(|at| before == 0.0 || *at < before);
            for row in page {
                rows.push(SandboxRow {
                    id: sandbox_id(&row.id, action)?,
                    name: Untrusted::new(row.name),
                    created_at: SystemTime::UNIX_EPOCH
                        + Duration::try_from_secs_f64(row.created_at).unwrap_or_default(),
                    end: row.task_info.and_then(|t| t.result).as_ref().and_then(SandboxEnd::read),
                    tags: row.tags.into_iter().map(|t| (t.tag_name, t.tag_value)).collect(),
                });
            }
            match last {
                Some(at) => before = at,
                None => return Ok(rows),
            }
        }
    }
}

impl Sandbox {
    /// How it ended, if it has.
    ///
    /// # Errors
    /// It isn't known, or the call's.
    pub async fn poll(&self) -> Result<Option<SandboxEnd>, ModalError> {
        self.ask_end(0.0).await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It isn't known, or the call's.
    pub async fn wait(&self) -> Result<SandboxEnd, ModalError> {
        loop {
            if let Some(end) = self.ask_end(WAIT_HOLD).await? {
                return Ok(end);
            }
        }
    }

    async fn ask_end(&self, hold: f32) -> Result<Option<SandboxEnd>, ModalError> {
        let request = SandboxWaitRequest { sandbox_id: self.id.to_string(), timeout: hold };
        let how = How { policy: SHORT.policy.within(Duration::from_secs_f32(hold + 5.0)), ..SHORT };
        let answer = self
            .modal
            .call("look at the sandbox", how, request, |mut c, r| Box::pin(async move { c.sandbox_wait_v2(r).await }))
            .await?;
        Ok(answer.result.as_ref().and_then(SandboxEnd::read))
    }

    /// Ends it. One that has ended already is no error.
    ///
    /// # Errors
    /// The call's.
    pub async fn terminate(&self) -> Result<(), ModalError> {
        let request = SandboxTerminateRequest { sandbox_id: self.id.to_string() };
        self.modal
            .call("terminate the sandbox", SHORT, request, |mut c, r| {
                Box::pin(async move { c.sandbox_terminate_v2(r).await })
            })
            .await?;
        Ok(())
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<SandboxTag> {
    tags.iter().map(|(n, v)| SandboxTag { tag_name: n.clone(), tag_value: v.clone() }).collect()
}

fn bucket_mount(config: &S3MountConfig, secret: String) -> CloudBucketMount {
    let mut prefix = config.key_prefix.clone().unwrap_or_default();
    if let Some(version) = config.timestamp {
        prefix.push_str(&format!("{version}/"));
    }
    CloudBucketMount {
        bucket_name: config.bucket_name.clone(),
        mount_path: config.mount_path.clone(),
        credentials_secret_id: secret,
        read_only: config.read_only,
        bucket_type: BucketType::S3.into(),
        key_prefix: Some(prefix).filter(|p| !p.is_empty()),
        ..CloudBucketMount::default()
    }
}
