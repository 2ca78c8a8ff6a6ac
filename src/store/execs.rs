//! Commands in sandboxes: which exec belongs to which request, how far its output is stored, how it ended; and the
//! numbered lines for its input that the shim has not acknowledged.

use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, StoreError, Tx, millis, parsed, signed, timestamp, unsigned};
use crate::core::{AccountId, ConversationId, ExecId, Profile, SandboxId};

/// How far an exec is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecState {
    /// Its row is there; it may or may not have been started.
    Accepted,
    /// It was started.
    Running,
    /// It ended.
    Ended,
}

/// One exec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRow {
    /// Its id, the same for us and in the sandbox.
    pub exec_id: ExecId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub profile: Profile,
    /// In which sandbox.
    pub sandbox_id: SandboxId,
    /// Whose turn it is, for a run of Claude.
    pub conversation: Option<ConversationId>,
    /// What runs, as JSON of whoever started it.
    pub spec: String,
    /// How far it is.
    pub state: ExecState,
    /// Bytes of its output that are stored as events.
    pub committed: u64,
    /// Exit code, 128 + n for signal n.
    pub exit_code: Option<i32>,
    /// Why it ended, when not by itself.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl ExecRow {
    /// One that is asked for now.
    pub fn new(exec_id: ExecId, account: AccountId, profile: Profile, sandbox_id: SandboxId, spec: String) -> Self {
        Self {
            exec_id,
            account,
            profile,
            sandbox_id,
            conversation: None,
            spec,
            state: ExecState::Accepted,
            committed: 0,
            exit_code: None,
            reason: None,
            created_at: Timestamp::now(),
        }
    }

    fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let conversation: Option<String> = row.try_get("conversation")?;
        Ok(Self {
            exec_id: parsed(row.try_get("exec_id")?)?,
            account: parsed(row.try_get("account")?)?,
            profile: parsed(row.try_get("profile")?)?,
            sandbox_id: parsed(row.try_get("sandbox_id")?)?,
            conversation: conversation.map(|id| parsed(&id)).transpose()?,
            spec: row.try_get("spec")?,
            state: match row.try_get("state")? {
                "accepted" => ExecState::Accepted,
                "running" => ExecState::Running,
                _ => ExecState::Ended,
            },
            committed: unsigned(row.try_get("committed")?),
            exit_code: row.try_get("exit_code")?,
            reason: row.try_get("reason")?,
            created_at: timestamp(row.try_get("created_at")?),
        })
    }
}

impl Store {
    /// One exec.
    ///
    /// # Errors
    /// The database's.
    pub async fn exec(&self, id: ExecId) -> Result<Option<ExecRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM execs WHERE exec_id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(ExecRow::read).transpose()
    }

    /// Execs that have not ended, oldest first: what a new server follows again.
    ///
    /// # Errors
    /// The database's.
    pub async fn unfinished_execs(&self) -> Result<Vec<ExecRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM execs WHERE state <> 'ended' ORDER BY created_at, exec_id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(ExecRow::read).collect()
    }

    /// The last execs of a sandbox that have ended, in the order of their ends.
    ///
    /// # Errors
    /// The database's.
    pub async fn ended_execs(&self, sandbox: &SandboxId, last: u32) -> Result<Vec<ExecId>, StoreError> {
        let sql = "SELECT exec_id FROM execs WHERE sandbox_id = ? AND state = 'ended'
                   ORDER BY ended_at DESC, created_at DESC LIMIT ?";
        let rows: Vec<(String,)> =
            sqlx::query_as(sql).bind(sandbox.as_str()).bind(last).fetch_all(&self.readers).await?;
        rows.iter().rev().map(|(id,)| parsed(id)).collect()
    }

    /// Lines for an exec's input that were not acknowledged, in order.
    ///
    /// # Errors
    /// The database's.
    pub async fn outbox(&self, id: ExecId) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT number, line FROM outbox WHERE exec_id = ? ORDER BY number")
                .bind(id.to_string())
                .fetch_all(&self.readers)
                .await?;
        Ok(rows.into_iter().map(|(n, line)| (unsigned(n), line)).collect())
    }
}

impl Tx {
    /// Stores an exec that is about to be started; false when its id is known.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_exec(&mut self, row: &ExecRow) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO execs (exec_id, account, profile, sandbox_id, conversation, spec, state, created_at)
             VALUES (?, ?, ?, ?, ?, ?, 'accepted', ?) ON CONFLICT DO NOTHING",
        )
        .bind(row.exec_id.to_string())
        .bind(row.account.as_str())
        .bind(row.profile.as_str())
        .bind(row.sandbox_id.as_str())
        .bind(row.conversation.map(|id| id.to_string()))
        .bind(&row.spec)
        .bind(millis(row.created_at))
        .execute(&mut **self)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that an exec was started.
    ///
    /// # Errors
    /// The database's.
    pub async fn exec_started(&mut self, id: ExecId) -> Result<(), StoreError> {
        sqlx::query("UPDATE execs SET state = 'running' WHERE exec_id = ? AND state = 'accepted'")
            .bind(id.to_string())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Notes how many bytes of its output are stored: in the same transaction as the events that hold them.
    ///
    /// # Errors
    /// The database's.
    pub async fn exec_committed(&mut self, id: ExecId, offset: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE execs SET committed = MAX(committed, ?) WHERE exec_id = ?")
            .bind(signed(offset))
            .bind(id.to_string())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Notes how an exec ended; the first end is kept. Its outbox is emptied: nobody reads it any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn exec_ended(
        &mut self,
        id: ExecId,
        exit_code: Option<i32>,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE execs SET state = 'ended', exit_code = ?, reason = ?, ended_at = ?
             WHERE exec_id = ? AND state <> 'ended'",
        )
        .bind(exit_code)
        .bind(reason)
        .bind(millis(Timestamp::now()))
        .bind(id.to_string())
        .execute(&mut **self)
        .await?;
        sqlx::query("DELETE FROM outbox WHERE exec_id = ?").bind(id.to_string()).execute(&mut **self).await?;
        Ok(())
    }

    /// Stores a numbered line for an exec's input; a number that is there already is kept as it is.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_outbox(&mut self, id: ExecId, number: u64, line: &[u8]) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO outbox (exec_id, number, line) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(id.to_string())
            .bind(signed(number))
            .bind(line)
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Forgets the lines up to a number, which the shim has.
    ///
    /// # Errors
    /// The database's.
    pub async fn acknowledge_outbox(&mut self, id: ExecId, number: u64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM outbox WHERE exec_id = ? AND number <= ?")
            .bind(id.to_string())
            .bind(signed(number))
            .execute(&mut **self)
            .await?;
        Ok(())
    }
}
