//! Sandboxes that we asked for. What Modal says of one is newer; a row keeps what Modal doesn't: our name for it,
//! what it was made from, and why it ended.

use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, StoreError, Tx, from_json, json, millis, parsed, timestamp};
use crate::{
    api::EventBody,
    core::{AccountId, Profile, RequestId, SandboxConfig, SandboxId, SandboxInfo, SandboxStatus},
};

/// One sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxRow {
    /// The command that asked for it.
    pub request_id: RequestId,
    /// Modal's id, once it is known.
    pub sandbox_id: Option<SandboxId>,
    /// The name.
    pub name: String,
    /// Where it runs.
    pub profile: Profile,
    /// What it is made from, and whose it is.
    pub config: SandboxConfig,
    /// What it was doing when somebody last looked.
    pub status: SandboxStatus,
    /// Why it ended.
    pub reason: Option<String>,
    /// We asked Modal to end it.
    pub ending: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl SandboxRow {
    /// What lists show; nothing for one that Modal has not named yet.
    pub fn info(&self) -> Option<SandboxInfo> {
        Some(SandboxInfo {
            sandbox_id: self.sandbox_id.clone()?,
            name: self.name.clone(),
            account_id: self.config.account_id.clone(),
            status: self.status,
            image: self.config.image.base_image.clone(),
            backend: self.profile.backend(),
            created_at: self.created_at,
            ended_at: self.ended_at,
            reason: self.reason.clone(),
        })
    }

    fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let sandbox_id: Option<String> = row.try_get("sandbox_id")?;
        let ended_at: Option<i64> = row.try_get("ended_at")?;
        Ok(Self {
            request_id: parsed(row.try_get("request_id")?)?,
            sandbox_id: sandbox_id.map(|id| parsed(&id)).transpose()?,
            name: row.try_get("name")?,
            profile: parsed(row.try_get("profile")?)?,
            config: from_json(row.try_get("config")?)?,
            status: match row.try_get("status")? {
                "pending" => SandboxStatus::Pending,
                "running" => SandboxStatus::Running,
                "terminated" => SandboxStatus::Terminated,
                _ => SandboxStatus::Error,
            },
            reason: row.try_get("reason")?,
            ending: row.try_get("ending")?,
            created_at: timestamp(row.try_get("created_at")?),
            ended_at: ended_at.map(timestamp),
        })
    }
}

impl Store {
    /// All sandboxes of an account in a place, newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn sandboxes(&self, account: &AccountId, profile: Profile) -> Result<Vec<SandboxRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM sandboxes WHERE account = ? AND profile = ? ORDER BY created_at DESC, request_id",
        )
        .bind(account.as_str())
        .bind(profile.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(SandboxRow::read).collect()
    }

    /// The sandbox that a command asked for.
    ///
    /// # Errors
    /// The database's.
    pub async fn sandbox_of(&self, request: RequestId) -> Result<Option<SandboxRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM sandboxes WHERE request_id = ?")
            .bind(request.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(SandboxRow::read).transpose()
    }
}

impl Tx {
    /// Stores a sandbox that is about to be asked for. False when a live one has its name.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_sandbox(&mut self, row: &SandboxRow) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO sandboxes
                 (request_id, sandbox_id, name, account, profile, config, status, reason, ending, created_at, ended_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(row.request_id.to_string())
        .bind(row.sandbox_id.as_ref().map(SandboxId::as_str))
        .bind(&row.name)
        .bind(row.config.account_id.as_str())
        .bind(row.profile.as_str())
        .bind(json(&row.config)?)
        .bind(row.status.to_string())
        .bind(&row.reason)
        .bind(row.ending)
        .bind(millis(row.created_at))
        .bind(row.ended_at.map(millis))
        .execute(&mut **self)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Stores what has changed about a sandbox, and publishes it once Modal has named it.
    ///
    /// # Errors
    /// The database's.
    pub async fn change_sandbox(&mut self, row: &SandboxRow) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE sandboxes SET sandbox_id = ?, status = ?, reason = ?, ending = ?, ended_at = ? WHERE request_id = ?",
        )
        .bind(row.sandbox_id.as_ref().map(SandboxId::as_str))
        .bind(row.status.to_string())
        .bind(&row.reason)
        .bind(row.ending)
        .bind(row.ended_at.map(millis))
        .bind(row.request_id.to_string())
        .execute(&mut **self)
        .await?;
        if let Some(sandbox) = row.info() {
            let body = EventBody::Sandbox { sandbox };
            self.append_event(&row.config.account_id, row.profile, body).await?;
        }
        Ok(())
    }
}
