//! Sandboxes: started, found, listed, ended. What Modal says of one is the truth; a row keeps what Modal doesn't know.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::{ClientEnv, Inner, Run, commands::Outcome, names, versions};
use crate::{
    agent::command::AGENT_DIR,
    api::{ApiError, CommandRequest, EventBody, SandboxDetail, Scope, command::Terminated},
    core::{AccountId, ExecId, Profile, SandboxConfig, SandboxId, SandboxInfo, SandboxStatus, Untrusted},
    modal::{CreateRequest, EndKind, ErrorKind, ExecRequest, Modal, ModalError, Sandbox, SandboxEnd, Stage},
    store::{Pace, SandboxRow, StoreError},
};

/// How long Modal may take to say that a sandbox which it was told to end has ended.
const ENDING: Duration = Duration::from_secs(15);

/// How long a commit of a volume may take before what waits for it goes on without: the place commits by itself too.
const COMMIT: Duration = Duration::from_secs(60);

/// Tag by which sandboxes of this program are told from others of the same app.
const TAG: &str = "sandbank";

/// One sandbox that was asked for by name.
pub(super) struct Found {
    pub info: SandboxInfo,
    /// Absent for one that another program made.
    pub row: Option<SandboxRow>,
    pub sandbox: Sandbox,
}

impl Found {
    /// The workspace, and where it is mounted.
    pub(super) fn workspace(&self) -> versions::Workspace<'_> {
        let root = self.row.as_ref().map_or(crate::core::WORKSPACE, |r| &r.config.volume_mount_path);
        versions::Workspace { sandbox: &self.sandbox, root }
    }

    /// Where commands start.
    pub(super) fn workdir(&self) -> String {
        self.row.as_ref().map_or(crate::core::WORKSPACE, |r| r.config.workdir()).to_owned()
    }

    /// # Errors
    /// It has ended, or is not one of ours.
    pub(super) fn must_run(&self) -> Result<(), ApiError> {
        if matches!(self.info.status, SandboxStatus::Terminated | SandboxStatus::Error) {
            let why = self.info.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
            return Err(ApiError::conflict(format!("the sandbox {} has ended{why}", self.info.name))
                .hint("start another with `sandbank sandbox create`; the workspace is still there"));
        }
        if self.row.is_none() {
            return Err(ApiError::refused(format!(
                "the sandbox {} was made by another program and lacks what sandbank runs in its own",
                self.info.name
            ))
            .hint("start one with `sandbank sandbox create`"));
        }
        Ok(())
    }
}

fn ended(row: &mut SandboxRow, end: Option<&SandboxEnd>) {
    row.status = match end.map(|e| e.kind) {
        Some(EndKind::NotStarted) => SandboxStatus::Error,
        _ => SandboxStatus::Terminated,
    };
    row.reason = Some(end.map_or_else(|| "it is not known there any more".to_owned(), SandboxEnd::reason));
    row.ended_at = Some(Timestamp::now());
}

fn is_live(status: SandboxStatus) -> bool {
    matches!(status, SandboxStatus::Pending | SandboxStatus::Running)
}

/// A sandbox of the app that another program made.
fn foreign(row: crate::modal::SandboxRow, account: &AccountId, profile: Profile) -> SandboxInfo {
    let name = row.name.clean_line().to_string();
    SandboxInfo {
        name: if name.is_empty() { row.id.to_string() } else { name },
        sandbox_id: row.id,
        account_id: account.clone(),
        status: match &row.end {
            None => SandboxStatus::Running,
            Some(end) if end.kind == EndKind::NotStarted => SandboxStatus::Error,
            Some(_) => SandboxStatus::Terminated,
        },
        image: String::new(),
        backend: profile.backend(),
        created_at: Timestamp::try_from(row.created_at).unwrap_or_default(),
        ended_at: None,
        reason: row.end.as_ref().map(SandboxEnd::reason),
    }
}

impl Inner {
    pub(super) async fn put_sandbox(&self, row: &SandboxRow) -> Result<(), ApiError> {
        let row = row.clone();
        self.store
            .write(Pace::Now, move |tx| Box::pin(async move { tx.change_sandbox(&row).await }))
            .await
            .map_err(|e: StoreError| e.into())
    }

    /// All sandboxes of an account in a place, newest first, each with its row if it is ours. Rows learn what Modal says.
    async fn all(
        &self,
        modal: &Modal,
        account: &AccountId,
        profile: Profile,
        with_ended: bool,
    ) -> Result<Vec<(SandboxInfo, Option<SandboxRow>)>, ApiError> {
        let mut rows = self.store.sandboxes(account, profile).await?;
        let mut listed: HashMap<SandboxId, crate::modal::SandboxRow> = match modal.existing_app(&account.app()).await? {
            Some(app) => modal.sandboxes(&app, with_ended).await?.into_iter().map(|s| (s.id.clone(), s)).collect(),
            None => HashMap::new(),
        };
        let mut all = Vec::new();
        for mut row in rows.drain(..) {
            let Some(id) = row.sandbox_id.clone() else { continue };
            let seen = listed.remove(&id);
            if is_live(row.status) {
                let end = match seen {
                    Some(seen) => Ok(seen.end),
                    // A list of what runs leaves out what has ended: how it did is asked for.
                    None => modal.sandbox(&id).poll().await,
                };
                let before = row.status;
                match end {
                    Ok(None) => row.status = SandboxStatus::Running,
                    Ok(Some(end)) => ended(&mut row, Some(&end)),
                    Err(error) if error.kind == ErrorKind::NotFound => ended(&mut row, None),
                    Err(error) => return Err(error.into()),
                }
                if row.status != before {
                    self.put_sandbox(&row).await?;
                }
            }
            all.extend(row.info().map(|info| (info, Some(row))));
        }
        all.extend(listed.into_values().map(|row| (foreign(row, account, profile), None)));
        all.sort_by_key(|(info, _)| (std::cmp::Reverse(info.created_at), info.sandbox_id.clone()));
        Ok(all)
    }

    pub(super) async fn list(&self, client: &ClientEnv, scope: &Scope) -> Result<Vec<SandboxInfo>, ApiError> {
        let modal = self.places.modal(scope.profile, &client.env).await?;
        let all = self.all(&modal, &scope.account, scope.profile, scope.all).await?;
        Ok(all.into_iter().map(|(info, _)| info).filter(|info| scope.all || is_live(info.status)).collect())
    }

    /// The sandbox that the user means.
    pub(super) async fn find(
        &self,
        client: &ClientEnv,
        account: &AccountId,
        profile: Profile,
        name: &str,
    ) -> Result<Found, ApiError> {
        let modal = self.places.modal(profile, &client.env).await?;
        let all = self.all(&modal, account, profile, false).await?;
        let (infos, mut rows): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let info = names::resolve(&infos, name)?.clone();
        let at = infos.iter().position(|i| i.sandbox_id == info.sandbox_id).unwrap_or_default();
        let row = rows.get_mut(at).and_then(Option::take);
        let sandbox = self.sandbox_client(&modal, &info.sandbox_id);
        Ok(Found { info, row, sandbox })
    }

    /// The sandbox that the user means, if it can be worked in. What our rows say is believed, so that a command costs
    /// no question more than its own; when they are wrong, the command's start fails and [`Inner::why`] tells why.
    pub(super) async fn find_running(
        &self,
        client: &ClientEnv,
        account: &AccountId,
        profile: Profile,
        name: &str,
    ) -> Result<Found, ApiError> {
        let rows = self.store.sandboxes(account, profile).await?;
        let infos: Vec<_> = rows.iter().filter_map(SandboxRow::info).collect();
        let found = match names::resolve(&infos, name) {
            Ok(info) if is_live(info.status) => {
                let modal = self.places.modal(profile, &client.env).await?;
                let row = rows.iter().find(|r| r.sandbox_id.as_ref() == Some(&info.sandbox_id)).cloned();
                Found { info: info.clone(), row, sandbox: self.sandbox_client(&modal, &info.sandbox_id) }
            }
            // It may be another program's, or one that our rows don't know to have ended.
            _ => self.find(client, account, profile, name).await?,
        };
        found.must_run()?;
        Ok(found)
    }

    /// Why something failed in a sandbox that our rows thought to be running: its own end, if it has ended.
    pub(super) async fn why(&self, found: &Found, error: ApiError) -> ApiError {
        let end = match found.sandbox.poll().await {
            Ok(Some(end)) => Some(end),
            Err(gone) if gone.kind == ErrorKind::NotFound => None,
            _ => return error,
        };
        if let Some(mut row) = found.row.clone() {
            ended(&mut row, end.as_ref());
            if let Err(error) = self.put_sandbox(&row).await {
                tracing::warn!(%error, "a sandbox's end could not be stored");
            }
        }
        let why = end.map_or_else(|| "it is not known there any more".to_owned(), |e| e.reason());
        ApiError::conflict(format!("the sandbox {} has ended: {why}", found.info.name))
            .hint("start another with `sandbank sandbox create`; the workspace is still there")
    }

    pub(super) async fn detail(
        &self,
        client: &ClientEnv,
        scope: &Scope,
        name: &str,
    ) -> Result<SandboxDetail, ApiError> {
        let found = self.find(client, &scope.account, scope.profile, name).await?;
        let config = found.row.map(|row| {
            let mut config = row.config;
            // People put keys there.
            config.environment_vars.values_mut().for_each(|value| *value = "(set, not shown)".to_owned());
            config
        });
        Ok(SandboxDetail { info: found.info, config })
    }

    pub(super) async fn logs(
        &self,
        client: &ClientEnv,
        scope: &Scope,
        name: &str,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, ApiError>>, ApiError> {
        use futures::StreamExt;
        let found = self.find(client, &scope.account, scope.profile, name).await?;
        Ok(found.sandbox.logs(follow).map(|piece| piece.map_err(ApiError::from)).boxed())
    }

    /// Starts a sandbox, or finds the one that an earlier attempt started.
    pub(super) async fn create(
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
        if !others.is_empty() {
            run.step(&format!(
                "{} has the same workspace: what one writes the other sees only after a commit and a reload",
                others.join(", ")
            ));
        }
        let timeout = Duration::from_secs(timeout_secs.unwrap_or(self.config.sandbox.timeout_secs).into());
        match self.start(&modal, &row, timeout, run).await {
            Ok(sandbox) => {
                row.sandbox_id = Some(sandbox.id.clone());
                row.status = SandboxStatus::Running;
                self.put_sandbox(&row).await?;
                self.keep_client(&sandbox);
                if run.cancel.is_cancelled() {
                    self.end(&mut row, &sandbox).await?;
                    return Err(ApiError::interrupted("the sandbox was ended again: its creation was interrupted"));
                }
                row.info().as_ref().map_or_else(|| Err(ApiError::failed("a sandbox without an id")), Outcome::of)
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
                created_at: Timestamp::now(),
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
    pub(super) async fn sharing(&self, row: &SandboxRow) -> Result<Vec<String>, ApiError> {
        let rows = self.store.sandboxes(&row.config.account_id, row.profile).await?;
        let shares = |other: &&SandboxRow| {
            other.request_id != row.request_id && is_live(other.status) && other.config.volume() == row.config.volume()
        };
        Ok(rows.iter().filter(shares).map(|r| r.name.clone()).collect())
    }

    async fn start(&self, modal: &Modal, row: &SandboxRow, timeout: Duration, run: &Run) -> Result<Sandbox, ApiError> {
        let account = &row.config.account_id;
        let app = modal.app(&account.app()).await?;
        let sent = |file: &str| run.step(&format!("sent {file}"));
        let mount = self.carried.mount(modal, &app, &sent).await?;
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
            Stage::Preparing => run.step("opening the volumes"),
            Stage::Image => run.step("building the image"),
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

    /// Ends a sandbox, after a save if it was asked for.
    pub(super) async fn terminate(
        &self,
        request: &CommandRequest,
        client: &ClientEnv,
        run: &Run,
        name: &str,
        save: bool,
    ) -> Result<Outcome, ApiError> {
        let mut found = self.find(client, &request.account, request.profile, name).await?;
        let was_ours = run.attempts > 1 && found.row.as_ref().is_some_and(|r| r.ending);
        if !is_live(found.info.status) {
            // The server before this one ended it and died before it could say so.
            if was_ours {
                let saved = match save {
                    true => {
                        let place = self.places.place(request.profile, &client.env).await?;
                        versions::saved_by(&place, &request.account, run).await?
                    }
                    false => None,
                };
                let events = saved.iter().map(|done| EventBody::Version { version: done.version.clone() }).collect();
                return Ok(Outcome::of(&Terminated { sandbox: found.info, saved })?.with(events));
            }
            found.must_run()?;
        }
        let mut events = Vec::new();
        let mut saved = None;
        if save {
            found.must_run()?;
            let place = self.places.place(request.profile, &client.env).await?;
            let done = versions::save(&place, &found.workspace(), &request.account, "before its end", run).await?;
            events.push(EventBody::Version { version: done.version.clone() });
            saved = Some(done);
        }
        if run.cancel.is_cancelled() {
            return Err(interrupted());
        }
        run.step("ending the sandbox");
        if found.row.is_some() {
            self.commit(&found.sandbox, &[found.workspace().root.to_owned(), AGENT_DIR.to_owned()]).await;
        }
        match &mut found.row {
            Some(row) => {
                self.end(row, &found.sandbox).await?;
                if let Some(info) = row.info() {
                    found.info = info;
                }
            }
            None => {
                found.sandbox.terminate().await?;
                found.info.status = SandboxStatus::Terminated;
                found.info.ended_at = Some(Timestamp::now());
                events.push(EventBody::Sandbox { sandbox: found.info.clone() });
            }
        }
        Outcome::of(&Terminated { sandbox: found.info, saved }).map(|outcome| outcome.with(events))
    }

    /// Ends one of ours and notes it.
    async fn end(&self, row: &mut SandboxRow, sandbox: &Sandbox) -> Result<(), ApiError> {
        row.ending = true;
        self.put_sandbox(row).await?;
        sandbox.terminate().await?;
        let end = match tokio::time::timeout(ENDING, sandbox.wait()).await {
            Ok(Ok(end)) => end,
            Ok(Err(error)) if error.kind != ErrorKind::NotFound => return Err(error.into()),
            // It was told; if it lingers, the next look at it says so.
            _ => SandboxEnd { kind: EndKind::Terminated, code: 137, message: Untrusted::default() },
        };
        ended(row, Some(&end));
        self.put_sandbox(row).await
    }

    /// Commits volumes of a sandbox. Trouble is no failure: the place commits by itself, only later.
    pub(super) async fn commit(&self, sandbox: &Sandbox, mounts: &[String]) {
        let words = ["sync".to_owned()].into_iter().chain(mounts.iter().cloned());
        let done = async {
            let exec = sandbox.exec(&ExecRequest::new(ExecId::new(), words)).await?;
            exec.wait().await
        };
        let outcome: Result<_, ModalError> = match tokio::time::timeout(COMMIT, done).await {
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::warn!(sandbox = %sandbox.id, "a commit takes long; going on without it");
                return;
            }
        };
        match outcome {
            Ok(exit) if exit.code() == 0 => {}
            Ok(exit) => tracing::warn!(sandbox = %sandbox.id, code = exit.code(), "a commit failed"),
            Err(error) => tracing::warn!(sandbox = %sandbox.id, %error, "a commit failed"),
        }
    }
}

pub(super) fn interrupted() -> ApiError {
    ApiError::interrupted("interrupted before its end; nothing was changed")
}
