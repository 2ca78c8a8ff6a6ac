//! Commands of clients: a row before anything happens, and what came of it.

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{Store, StoreError, Tx, from_json, json, millis, parsed, timestamp, unsigned};
use crate::{
    api::{ApiError, CommandAnswer, CommandRequest, CommandState, CommandSummary, EventBody},
    core::{AccountId, Profile, RequestId},
};

/// One command.
#[derive(Debug, Clone)]
pub struct CommandRow {
    /// What was asked.
    pub request: CommandRequest,
    /// How far it is, and what came out.
    pub answer: CommandAnswer,
    /// How often it was begun.
    pub attempts: u64,
}

const COLUMNS: &str = "SELECT request_id, body, state, result, error, attempts FROM commands WHERE request_id = ?";

impl CommandRow {
    fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let request: CommandRequest = from_json(row.try_get("body")?)?;
        let result: Option<String> = row.try_get("result")?;
        let error: Option<String> = row.try_get("error")?;
        let answer = CommandAnswer {
            request_id: request.request_id,
            kind: request.command.kind().to_owned(),
            state: state(row.try_get("state")?)?,
            result: result.map_or(Ok(serde_json::Value::Null), |text| from_json(&text))?,
            error: error.map(|text| from_json(&text)).transpose()?,
        };
        Ok(Self { request, answer, attempts: unsigned(row.try_get("attempts")?) })
    }
}

fn state(text: &str) -> Result<CommandState, StoreError> {
    Ok(match text {
        "accepted" => CommandState::Accepted,
        "running" => CommandState::Running,
        "done" => CommandState::Done,
        "failed" => CommandState::Failed,
        other => return Err(StoreError::damaged(format!("a command's state is {other:?}"))),
    })
}

impl Store {
    /// One command.
    ///
    /// # Errors
    /// The database's.
    pub async fn command(&self, id: RequestId) -> Result<Option<CommandRow>, StoreError> {
        let row = sqlx::query(COLUMNS).bind(id.to_string()).fetch_optional(&self.readers).await?;
        row.as_ref().map(CommandRow::read).transpose()
    }

    /// Commands that have not ended, oldest first: what a new server takes up again.
    ///
    /// # Errors
    /// The database's.
    pub async fn unfinished_commands(&self) -> Result<Vec<RequestId>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT request_id FROM commands WHERE state IN ('accepted', 'running') ORDER BY created_at, request_id",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|id| parsed(id)).collect()
    }

    /// An account's commands in a place that have not ended, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn commands_under_way(
        &self,
        account: &AccountId,
        profile: Profile,
    ) -> Result<Vec<CommandSummary>, StoreError> {
        let rows = sqlx::query(
            "SELECT body, state, created_at FROM commands
             WHERE state IN ('accepted', 'running') AND account = ? AND profile = ? ORDER BY created_at, request_id",
        )
        .bind(account.as_str())
        .bind(profile.as_str())
        .fetch_all(&self.readers)
        .await?;
        let summary = |row: &SqliteRow| {
            let request: CommandRequest = from_json(row.try_get("body")?)?;
            Ok(CommandSummary {
                request_id: request.request_id,
                kind: request.command.kind().to_owned(),
                state: state(row.try_get("state")?)?,
                sandbox: request.command.sandbox().map(str::to_owned),
                created_at: timestamp(row.try_get("created_at")?),
            })
        };
        rows.iter().map(summary).collect()
    }
}

impl Tx {
    /// Stores a command. Gives the row that was there already when the id is known.
    ///
    /// # Errors
    /// The database's.
    pub async fn accept_command(&mut self, request: &CommandRequest) -> Result<Option<CommandRow>, StoreError> {
        if let Some(row) = sqlx::query(COLUMNS).bind(request.request_id.to_string()).fetch_optional(&mut **self).await?
        {
            return CommandRow::read(&row).map(Some);
        }
        let now = millis(Timestamp::now());
        sqlx::query(
            "INSERT INTO commands (request_id, kind, account, profile, body, state, created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, 'accepted', ?, ?)",
        )
        .bind(request.request_id.to_string())
        .bind(request.command.kind())
        .bind(request.account.as_str())
        .bind(request.profile.as_str())
        .bind(json(request)?)
        .bind(now)
        .bind(now)
        .execute(&mut **self)
        .await?;
        self.command_event(request, CommandState::Accepted).await?;
        Ok(None)
    }

    /// Notes that a command is being done, once more.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin_command(&mut self, request: &CommandRequest) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE commands SET state = 'running', attempts = attempts + 1, updated_at = ? WHERE request_id = ?",
        )
        .bind(millis(Timestamp::now()))
        .bind(request.request_id.to_string())
        .execute(&mut **self)
        .await?;
        self.command_event(request, CommandState::Running).await
    }

    /// Notes how a command ended. One that has ended already keeps its first end.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_command(
        &mut self,
        request: &CommandRequest,
        outcome: &Result<serde_json::Value, ApiError>,
    ) -> Result<(), StoreError> {
        let (state, result, error) = match outcome {
            Ok(value) => (CommandState::Done, Some(json(value)?), None),
            Err(error) => (CommandState::Failed, None, Some(json(error)?)),
        };
        let changed = end(self, request.request_id, state, result, error).await?;
        if changed {
            self.command_event(request, state).await?;
        }
        Ok(())
    }

    async fn command_event(&mut self, request: &CommandRequest, state: CommandState) -> Result<(), StoreError> {
        let command = request.command.kind().to_owned();
        let body = EventBody::Command {
            request_id: request.request_id,
            command,
            state,
            sandbox: request.command.sandbox().map(str::to_owned),
        };
        self.append_event(&request.account, request.profile, body).await.map(drop)
    }
}

async fn end(
    connection: &mut SqliteConnection,
    id: RequestId,
    state: CommandState,
    result: Option<String>,
    error: Option<String>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE commands SET state = ?, result = ?, error = ?, updated_at = ?
         WHERE request_id = ? AND state IN ('accepted', 'running')",
    )
    .bind(state.as_str())
    .bind(result)
    .bind(error)
    .bind(millis(Timestamp::now()))
    .bind(id.to_string())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
