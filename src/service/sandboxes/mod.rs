//! Sandboxes: started, found, listed, ended. What Modal says of one is the truth; a row keeps what Modal doesn't know.

mod create;
mod end;

use std::collections::HashMap;

use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::{clients::ClientEnv, errors::has_ended, inner::Inner, names, versions};
use crate::{
    api::{ApiError, SandboxDetail, Scope},
    core::{AccountId, Profile, SandboxId, SandboxInfo, SandboxStatus},
    modal::{EndKind, ErrorKind, Modal, Sandbox, SandboxEnd},
    store::{Pace, SandboxRow, StoreError},
};

/// What is known of a sandbox, with its row if it is ours.
type Known = (SandboxInfo, Option<SandboxRow>);

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
        if self.info.status.is_over() {
            return Err(has_ended(&self.info.name, self.info.reason.as_deref().unwrap_or("nobody knows why")));
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

/// Why one ended, as far as its place still knows.
fn reason(end: Option<&SandboxEnd>) -> String {
    end.map_or_else(|| "it is not known there any more".to_owned(), SandboxEnd::reason)
}

fn ended(row: &mut SandboxRow, end: Option<&SandboxEnd>) {
    row.status = match end.map(|e| e.kind) {
        Some(EndKind::NotStarted) => SandboxStatus::Error,
        _ => SandboxStatus::Terminated,
    };
    row.reason = Some(reason(end));
    row.ended_at = Some(Timestamp::now());
}

fn is_live(status: SandboxStatus) -> bool {
    matches!(status, SandboxStatus::Pending | SandboxStatus::Running)
}

/// The one that the user means.
fn meant(all: Vec<Known>, name: &str) -> Result<Known, ApiError> {
    let (mut infos, mut rows): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let wanted = names::resolve(&infos, name)?;
    let at = infos.iter().position(|info| info.sandbox_id == wanted.sandbox_id).unwrap_or_default();
    Ok((infos.swap_remove(at), rows.swap_remove(at)))
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
    ) -> Result<Vec<Known>, ApiError> {
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
        let (info, row) = meant(all, name)?;
        let sandbox = self.sandbox_client(&modal, &info.sandbox_id);
        Ok(Found { info, row, sandbox })
    }

    /// The sandbox that the user means, by our own rows alone. One that they don't know may be another program's.
    async fn meant_by_rows(
        &self,
        account: &AccountId,
        profile: Profile,
        name: &str,
    ) -> Result<Option<Known>, ApiError> {
        let rows = self.store.sandboxes(account, profile).await?;
        let known = rows.into_iter().filter_map(|row| Some((row.info()?, Some(row))));
        Ok(meant(known.collect(), name).ok())
    }

    /// The id of the sandbox that the user means. For what our own rows tell of it: its place is not asked.
    pub(super) async fn known(
        &self,
        client: &ClientEnv,
        account: &AccountId,
        profile: Profile,
        name: &str,
    ) -> Result<SandboxId, ApiError> {
        match self.meant_by_rows(account, profile, name).await? {
            Some((info, _)) => Ok(info.sandbox_id),
            None => Ok(self.find(client, account, profile, name).await?.info.sandbox_id),
        }
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
        let found = match self.meant_by_rows(account, profile, name).await? {
            Some((info, row)) if is_live(info.status) => {
                let modal = self.places.modal(profile, &client.env).await?;
                let sandbox = self.sandbox_client(&modal, &info.sandbox_id);
                Found { info, row, sandbox }
            }
            // It may be another program's, also when one of ours had the name and has ended.
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
        has_ended(&found.info.name, &reason(end.as_ref()))
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
}
