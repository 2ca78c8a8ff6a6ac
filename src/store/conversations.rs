//! Conversations, what their transcripts show, and what they cost.

use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, StoreError, Tx, from_json, json, millis, parsed, signed, timestamp, unsigned};
use crate::{
    api::PlacedItem,
    core::{AccountId, ConversationId, Item, MicroDollars, Profile, SandboxId, Untrusted, Usage},
};

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// Our id for it.
    pub conversation: ConversationId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub profile: Profile,
    /// The sandbox it was last in.
    pub sandbox_id: SandboxId,
    /// The CLI's current session; none before the first turn has begun.
    pub session: Option<String>,
    /// What it is about, from its first prompt; the first one that is stored stays.
    pub title: Option<Untrusted>,
    /// The model that answered last.
    pub model: Option<Untrusted>,
    /// Tokens in its context after the last message.
    pub context_tokens: Option<u64>,
    /// When it began.
    pub created_at: Timestamp,
}

/// What one result of the CLI cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The process (exec) that gave it.
    pub process: String,
    /// Which of its results, from 0: with `process` the key by which a replay adds nothing.
    pub result_index: u64,
    /// Which conversation.
    pub conversation: ConversationId,
    /// Tokens and money.
    pub usage: Usage,
}

fn conversation(row: &SqliteRow) -> Result<ConversationRow, StoreError> {
    let text = |name: &str| Ok::<_, StoreError>(row.try_get::<Option<String>, _>(name)?.map(Untrusted::new));
    Ok(ConversationRow {
        conversation: parsed(row.try_get("conversation")?)?,
        account: parsed(row.try_get("account")?)?,
        profile: parsed(row.try_get("profile")?)?,
        sandbox_id: parsed(row.try_get("sandbox_id")?)?,
        session: row.try_get("session")?,
        title: text("title")?,
        model: text("model")?,
        context_tokens: row.try_get::<Option<i64>, _>("context_tokens")?.map(unsigned),
        created_at: timestamp(row.try_get("created_at")?),
    })
}

fn placed(id: ConversationId, row: &SqliteRow) -> Result<PlacedItem, StoreError> {
    Ok(PlacedItem {
        conversation: id,
        position: unsigned(row.try_get("position")?),
        at: timestamp(row.try_get("at")?),
        item: from_json(row.try_get("body")?)?,
    })
}

impl Store {
    /// One conversation.
    ///
    /// # Errors
    /// The database's.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM conversations WHERE conversation = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(conversation).transpose()
    }

    /// The conversation of a sandbox that was last used.
    ///
    /// # Errors
    /// The database's.
    pub async fn latest_conversation(&self, sandbox: &SandboxId) -> Result<Option<ConversationRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM conversations WHERE sandbox_id = ? ORDER BY updated_at DESC LIMIT 1")
            .bind(sandbox.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(conversation).transpose()
    }

    /// A conversation's items from a position on, in order, at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn items(&self, id: ConversationId, from: u64, limit: u32) -> Result<Vec<PlacedItem>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, at, body FROM items WHERE conversation = ? AND position >= ?
             ORDER BY position LIMIT ?",
        )
        .bind(id.to_string())
        .bind(signed(from))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| placed(id, row)).collect()
    }

    /// One item by its key.
    ///
    /// # Errors
    /// The database's.
    pub async fn item(&self, id: ConversationId, key: &str) -> Result<Option<PlacedItem>, StoreError> {
        let row = sqlx::query("SELECT position, at, body FROM items WHERE conversation = ? AND key = ?")
            .bind(id.to_string())
            .bind(key)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(|row| placed(id, row)).transpose()
    }

    /// How many items a conversation has. Their positions are the numbers below that: none is ever taken out.
    ///
    /// # Errors
    /// The database's.
    pub async fn item_count(&self, id: ConversationId) -> Result<u64, StoreError> {
        let next: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(position) + 1, 0) FROM items WHERE conversation = ?")
            .bind(id.to_string())
            .fetch_one(&self.readers)
            .await?;
        Ok(unsigned(next))
    }

    /// Positions of a conversation's items whose [`Item::searched`] text holds another in lower case, oldest first.
    ///
    /// Every text is read: for 10,000 items of 2 KB that takes some 50 ms, and it finds any part of any word in any
    /// language. An index of words finds no parts, and one of trigrams no text of two letters, at three times the
    /// room.
    ///
    /// # Errors
    /// The database's.
    pub async fn search_items(&self, id: ConversationId, lower: &str, limit: u32) -> Result<Vec<u64>, StoreError> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "SELECT position FROM texts WHERE conversation = ? AND instr(text, ?) > 0 ORDER BY position LIMIT ?",
        )
        .bind(id.to_string())
        .bind(lower)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        Ok(rows.into_iter().map(unsigned).collect())
    }

    /// What an account has spent from a time on.
    ///
    /// # Errors
    /// The database's.
    pub async fn spent_since(&self, account: &AccountId, since: Timestamp) -> Result<Usage, StoreError> {
        let sums: (i64, i64, i64) = sqlx::query_as(
            "SELECT COALESCE(SUM(cost_micros), 0), COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0)
             FROM usage JOIN conversations USING (conversation) WHERE at >= ? AND account = ?",
        )
        .bind(millis(since))
        .bind(account.as_str())
        .fetch_one(&self.readers)
        .await?;
        Ok(sum(sums))
    }

    /// What a conversation has cost so far.
    ///
    /// # Errors
    /// The database's.
    pub async fn usage(&self, id: ConversationId) -> Result<Usage, StoreError> {
        let sums: (i64, i64, i64) = sqlx::query_as(
            "SELECT COALESCE(SUM(cost_micros), 0), COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0)
             FROM usage WHERE conversation = ?",
        )
        .bind(id.to_string())
        .fetch_one(&self.readers)
        .await?;
        Ok(sum(sums))
    }
}

fn sum((cost, input, output): (i64, i64, i64)) -> Usage {
    Usage { input_tokens: unsigned(input), output_tokens: unsigned(output), cost: MicroDollars(unsigned(cost)) }
}

impl Tx {
    /// Stores a conversation unless it is there.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_conversation(&mut self, row: &ConversationRow) -> Result<(), StoreError> {
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM conversations WHERE conversation = ?")
            .bind(row.conversation.to_string())
            .fetch_optional(&mut **self)
            .await?;
        if known.is_none() { self.put_conversation(row).await } else { Ok(()) }
    }

    /// Stores a conversation, or its new session, model, sandbox and time of use.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_conversation(&mut self, row: &ConversationRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO conversations
                 (conversation, account, profile, sandbox_id, session, title, model, context_tokens, created_at,
                 updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (conversation) DO UPDATE SET
                 sandbox_id = excluded.sandbox_id, session = excluded.session, updated_at = excluded.updated_at,
                 title = COALESCE(conversations.title, excluded.title),
                 model = COALESCE(excluded.model, conversations.model),
                 context_tokens = COALESCE(excluded.context_tokens, conversations.context_tokens)",
        )
        .bind(row.conversation.to_string())
        .bind(row.account.as_str())
        .bind(row.profile.as_str())
        .bind(row.sandbox_id.as_str())
        .bind(&row.session)
        .bind(row.title.as_ref().map(Untrusted::raw))
        .bind(row.model.as_ref().map(Untrusted::raw))
        .bind(row.context_tokens.map(signed))
        .bind(millis(row.created_at))
        .bind(millis(Timestamp::now()))
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Stores an item. A key that is there keeps its place and time and takes the new body (a tool's output comes
    /// after its call); a new one goes to the end. It is published when the transaction is committed.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_item(&mut self, account: &AccountId, id: ConversationId, item: Item) -> Result<(), StoreError> {
        let (position, at): (i64, i64) = sqlx::query_as(
            "INSERT INTO items (conversation, key, position, at, body)
             VALUES (?1, ?2, (SELECT COALESCE(MAX(position) + 1, 0) FROM items WHERE conversation = ?1), ?3, ?4)
             ON CONFLICT (conversation, key) DO UPDATE SET body = excluded.body RETURNING position, at",
        )
        .bind(id.to_string())
        .bind(&item.key)
        .bind(millis(Timestamp::now()))
        .bind(json(&item)?)
        .fetch_one(&mut **self)
        .await?;
        if let Some(text) = item.searched() {
            sqlx::query(
                "INSERT INTO texts (conversation, position, text) VALUES (?, ?, ?)
                 ON CONFLICT (conversation, position) DO UPDATE SET text = excluded.text",
            )
            .bind(id.to_string())
            .bind(position)
            .bind(text)
            .execute(&mut **self)
            .await?;
        }
        let placed = PlacedItem { conversation: id, position: unsigned(position), at: timestamp(at), item };
        self.commit.items.push((account.clone(), placed));
        Ok(())
    }

    /// Stores what a result cost; one that is known adds nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_usage(&mut self, row: &UsageRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO usage (process, result_index, conversation, at, cost_micros, input_tokens, output_tokens)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&row.process)
        .bind(signed(row.result_index))
        .bind(row.conversation.to_string())
        .bind(millis(Timestamp::now()))
        .bind(signed(row.usage.cost.0))
        .bind(signed(row.usage.input_tokens))
        .bind(signed(row.usage.output_tokens))
        .execute(&mut **self)
        .await?;
        Ok(())
    }
}
