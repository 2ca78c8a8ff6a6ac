//! The database as a file: older ones, newer ones, full disks.

use super::*;
use crate::core::{ConversationId, ExecId, Item};

/// A database as the first version made it.
#[tokio::test]
async fn rows_of_before_have_titles_and_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let first = sqlx::migrate::Migrator {
        migrations: vec![MIGRATIONS.migrations[0].clone()].into(),
        ..sqlx::migrate::Migrator::DEFAULT
    };
    let mut old = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    first.run(&mut old).await.unwrap();
    let id = ConversationId::new();
    sqlx::query("INSERT INTO conversations VALUES (?, 'default', 'local', 'sb-1', NULL, 1, 1)")
        .bind(id.to_string())
        .execute(&mut old)
        .await
        .unwrap();
    let item = json(&Item::prompt("p", "Count the herons\nand egrets")).unwrap();
    sqlx::query("INSERT INTO items VALUES (?, 'p', 0, 1, ?)")
        .bind(id.to_string())
        .bind(item)
        .execute(&mut old)
        .await
        .unwrap();
    sqlx::Connection::close(old).await.unwrap();

    let store = Store::open(&path, |_| {}).await.unwrap();
    let row = store.conversation(id).await.unwrap().unwrap();
    assert_eq!(row.title.unwrap().raw(), "Count the herons");
    assert_eq!(store.search_items(id, "count", 10).await.unwrap(), [0]);
}

#[tokio::test]
async fn a_database_of_a_newer_program_says_upgrade() {
    let f = Fixture::new().await;
    f.store
        .write::<_, StoreError, _>(Pace::Now, |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (9999, 'later', 1, x'00', 0)",
                )
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    f.store.close().await;
    let error = Store::open(f.store.path(), |_| {}).await.unwrap_err().to_string();
    assert!(error.ends_with("was made by a newer sandbank; upgrade this binary"), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_said_as_such() {
    let f = Fixture::new().await;
    f.store
        .write::<_, StoreError, _>(Pace::Now, |tx| {
            Box::pin(async move {
                // SQLite's own limit gives the very error that a full disk gives.
                let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut **tx).await?;
                sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).execute(&mut **tx).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let error = f
        .store
        .write::<_, StoreError, _>(Pace::Now, |tx| {
            Box::pin(async move { tx.add_outbox(ExecId::new(), 1, &vec![0; 1 << 20]).await })
        })
        .await
        .unwrap_err();
    assert_eq!(error, StoreError::Full);
    assert_eq!(f.store.last_seq(&account()).await.unwrap(), 0, "reading goes on");
}
