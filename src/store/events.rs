//! The event log of each account: append-only, numbered without gaps, payload compressed.

use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, StoreError, Tx, millis, parsed, signed, timestamp, unsigned};
use crate::{
    api::{Event, EventBody},
    core::{AccountId, Profile},
};

/// zstd's own default: higher levels gain little on lines of a few kilobytes.
const LEVEL: i32 = 3;

/// Some events in order.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// There may be more after the last.
    pub more: bool,
}

/// What an event is about, for reading all of one conversation or sandbox.
fn subject(body: &EventBody) -> String {
    match body {
        EventBody::Line { conversation, .. } => conversation.to_string(),
        EventBody::Sandbox { sandbox } => sandbox.sandbox_id.to_string(),
        EventBody::Version { version } => version.version.to_string(),
        EventBody::Command { request_id, .. } => request_id.to_string(),
    }
}

fn read(row: &SqliteRow) -> Result<Event, StoreError> {
    let payload: &[u8] = row.try_get("payload")?;
    let bytes = zstd::decode_all(payload).map_err(StoreError::damaged)?;
    Ok(Event {
        seq: unsigned(row.try_get("seq")?),
        account: parsed(row.try_get("account")?)?,
        profile: parsed(row.try_get("profile")?)?,
        at: timestamp(row.try_get("at")?),
        body: serde_json::from_slice(&bytes).map_err(StoreError::damaged)?,
    })
}

impl Store {
    /// The account's last number; 0 when nothing has happened.
    ///
    /// # Errors
    /// The database's.
    pub async fn last_seq(&self, account: &AccountId) -> Result<u64, StoreError> {
        let seq: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM events WHERE account = ?")
            .bind(account.as_str())
            .fetch_one(&self.readers)
            .await?;
        Ok(unsigned(seq))
    }

    /// The account's events after a number, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn events_after(&self, account: &AccountId, after: u64, limit: u32) -> Result<EventPage, StoreError> {
        let rows = sqlx::query(
            "SELECT account, seq, profile, at, payload FROM events WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(account.as_str())
        .bind(signed(after))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let events: Result<Vec<_>, _> = rows.iter().map(read).collect();
        Ok(EventPage { events: events?, more: rows.len() == limit as usize })
    }

    /// All events about one conversation, sandbox, version or command, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn events_about(&self, account: &AccountId, subject: &str) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query(
            "SELECT account, seq, profile, at, payload FROM events WHERE account = ? AND subject = ? ORDER BY seq",
        )
        .bind(account.as_str())
        .bind(subject)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Appends an event; it is published when the transaction is committed.
    ///
    /// # Errors
    /// The database's.
    pub async fn append_event(
        &mut self,
        account: &AccountId,
        profile: Profile,
        body: EventBody,
    ) -> Result<u64, StoreError> {
        let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM events WHERE account = ?")
            .bind(account.as_str())
            .fetch_one(&mut **self)
            .await?;
        let at = Timestamp::now();
        let bytes = serde_json::to_vec(&body).map_err(StoreError::damaged)?;
        sqlx::query(
            "INSERT INTO events (account, seq, profile, at, kind, subject, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(account.as_str())
        .bind(last + 1)
        .bind(profile.as_str())
        .bind(millis(at))
        .bind(body.kind())
        .bind(subject(&body))
        .bind(zstd::encode_all(bytes.as_slice(), LEVEL).map_err(StoreError::damaged)?)
        .execute(&mut **self)
        .await?;
        let seq = unsigned(last) + 1;
        let at = timestamp(millis(at));
        self.commit.events.push(Event { seq, account: account.clone(), profile, at, body });
        Ok(seq)
    }
}
