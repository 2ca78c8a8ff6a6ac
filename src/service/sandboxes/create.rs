//! A sandbox is made: a row first, then what it needs, then the sandbox.

use std::{
    collections::{BTreeMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use jiff::{Timestamp, Unit};

use super::is_live;
use crate::{
    agent::command::AGENT_DIR,
    api::{ApiError, CommandRequest, command::Created},
    core::{Profile, SandboxConfig, SandboxInfo, SandboxStatus},
    modal::{CreateRequest, Modal, Sandbox, Stage},
    service::{clients::ClientEnv, errors::interrupted, inner::Inner, names, outcome::Outcome, run::Run},
    store::{Pace, SandboxRow, StoreError},
};

/// Tag by which sandboxes of this program are told from others of the same app.
const TAG: &str = "sandbank";

impl Inner {
    /// Starts a sandbox, or finds the one that an earlier attempt started.
    pub(in crate::service) async fn create(
        &self,
        request: &CommandRequest,
        client: &ClientEnv,
        run: &Run,
        name: Option<String>,
        mut config: SandboxConfig,
        timeout_secs: Option<u32>,
    ) -> Result<Outcome, ApiError> {
        if config.image.base_image.is_empty() {
            config.image.base_image = match request.profile {
                Profile::Local => self.config.local.image.clone(),
                Profile::Modal => self.config.modal.image.clone(),
            };
        }
        let modal = self.places.modal(request.profile, &client.env).await?;
        let live: Vec<SandboxInfo> = self
            .all(&modal, &request.account, request.profile, false)
            .await?
            .into_iter()
            .map(|(info, _)| info)
            .filter(|info| is_live(info.status))
            .collect();
        let mut row = self.sandbox_row(request, name, config, &live).await?;
        if let Some(info) = row.info() {
            return Outcome::of(&info);
        }
        let others = self.sharing(&row).await?;
        let mut notices = Vec::new();
        if !others.is_empty() {
            let has = if others.len() > 1 { "have" } else { "has" };
            let notice = format!(
                "{} {has} the same workspace: what one writes the other sees only after a commit and a reload",
                others.join(", ")
            );
            run.step(&notice);
            notices.push(notice);
        }
        let timeout = Duration::from_secs(timeout_secs.unwrap_or(self.config.sandbox.timeout_secs).into());
        match self.start(&modal, &row, timeout, run).await {
            Ok(sandbox) => {
                row.sandbox_id = Some(sandbox.id.clone());
                row.status = SandboxStatus::Running;
                self.keep_client(&sandbox);
                if run.cancel.is_cancelled() {
                    self.end(&mut row, &sandbox).await?;
                    self.put_sandbox(&row).await?;
                    return Err(ApiError::interrupted("the sandbox was ended again: its creation was interrupted"));
                }
                let info = row.info().ok_or_else(|| ApiError::failed("a sandbox without an id"))?;
                // A server that dies before this is stored leaves a row whose next attempt finds the same sandbox.
                Ok(Outcome::of(&Created { sandbox: info, notices })?.with_row(row))
            }
            Err(error) => {
                row.status = SandboxStatus::Error;
                row.reason = Some(error.message.clone());
                row.ended_at = Some(Timestamp::now());
                self.put_sandbox(&row).await?;
                Err(error)
            }
        }
    }

    /// The row of a creation: the one of an earlier attempt, or a new one under a name that is free.
    async fn sandbox_row(
        &self,
        request: &CommandRequest,
        name: Option<String>,
        config: SandboxConfig,
        live: &[SandboxInfo],
    ) -> Result<SandboxRow, ApiError> {
        if let Some(row) = self.store.sandbox_of(request.request_id).await? {
            return Ok(row);
        }
        let mut taken: HashSet<String> = live.iter().map(|s| s.name.clone()).collect();
        loop {
            let named = match &name {
                Some(name) => name.clone(),
                None => names::make(request.request_id.0, &taken),
            };
            let row = SandboxRow {
                request_id: request.request_id,
                sandbox_id: None,
                name: named.clone(),
                profile: request.profile,
                config: config.clone(),
                status: SandboxStatus::Pending,
                reason: None,
                ending: false,
                // As it is stored: what is told now is told again later.
                created_at: Timestamp::now().round(Unit::Millisecond).unwrap_or_default(),
                ended_at: None,
            };
            let new = row.clone();
            let added: Result<bool, StoreError> = match taken.contains(&named) {
                true => Ok(false),
                false => {
                    self.store.write(Pace::Now, move |tx| Box::pin(async move { tx.add_sandbox(&new).await })).await
                }
            };
            if added? {
                return Ok(row);
            }
            if name.is_some() {
                return Err(ApiError::conflict(format!("a sandbox named {named} is there already"))
                    .hint("choose another name, or leave it out"));
            }
            taken.insert(named);
        }
    }

    /// Names of other living sandboxes on the same volume.
    pub(in crate::service) async fn sharing(&self, row: &SandboxRow) -> Result<Vec<String>, ApiError> {
        let rows = self.store.sandboxes(&row.config.account_id, row.profile).await?;
        let shares = |other: &&SandboxRow| {
            other.request_id != row.request_id && is_live(other.status) && other.config.volume() == row.config.volume()
        };
        Ok(rows.iter().filter(shares).map(|r| r.name.clone()).collect())
    }

    async fn start(&self, modal: &Modal, row: &SandboxRow, timeout: Duration, run: &Run) -> Result<Sandbox, ApiError> {
        let account = &row.config.account_id;
        let app = modal.app(&account.app()).await?;
        let mount = self.carried.mount(modal, &app, || run.step("sending what sandbank runs inside")).await?;
        let request = CreateRequest {
            config: row.config.clone(),
            name: row.name.clone(),
            timeout,
            mounts: vec![mount],
            volumes: vec![(account.agent_volume(), AGENT_DIR.to_owned())],
            tags: BTreeMap::from([(TAG.to_owned(), row.request_id.to_string())]),
            key: row.request_id.0,
        };
        let committed = AtomicBool::new(false);
        let stage = |stage: Stage| match stage {
            Stage::Preparing => run.step("opening the volumes and the image"),
            Stage::Image => run.step("building the image"),
            Stage::Log(line) if line.raw().trim().is_empty() => {}
            Stage::Log(line) => run.step(line.raw()),
            Stage::Starting => {
                committed.store(true, Ordering::Relaxed);
                run.step("starting the sandbox");
            }
        };
        let creating = modal.create(&request, &stage);
        tokio::pin!(creating);
        tokio::select! {
            biased;
            made = &mut creating => Ok(made?),
            () = run.cancel.cancelled() => {
                // Once it was asked for it may be there: only the answer says which one has to be ended.
                if committed.load(Ordering::Relaxed) { Ok(creating.await?) } else { Err(interrupted()) }
            }
        }
    }
}
