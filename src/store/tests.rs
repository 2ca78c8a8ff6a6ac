use std::sync::{Arc, Mutex};

use super::*;
use crate::{
    api::{ApiError, Command, CommandRequest, CommandState, EventBody},
    core::{
        AccountId, ConversationId, ExecId, Item, ItemBody, MicroDollars, Profile, RequestId, SandboxConfig, SandboxId,
        SandboxStatus, Untrusted, Usage, item::Tool,
    },
};

struct Fixture {
    dir: tempfile::TempDir,
    store: Store,
    published: Arc<Mutex<Vec<Event>>>,
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let published = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&published);
        let store = Store::open(&dir.path().join("s.db"), move |commit| sink.lock().unwrap().extend(commit.events))
            .await
            .unwrap();
        Self { dir, store, published }
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let store = Store::open(&self.dir.path().join("s.db"), |_| {}).await.unwrap();
        Self { store, ..self }
    }
}

fn account() -> AccountId {
    AccountId::new("default").unwrap()
}

fn request() -> CommandRequest {
    CommandRequest {
        request_id: RequestId::new(),
        account: account(),
        profile: Profile::Local,
        command: Command::SandboxTerminate { sandbox: "heron".into(), save: false },
    }
}

fn sandbox(name: &str) -> SandboxRow {
    SandboxRow {
        request_id: RequestId::new(),
        sandbox_id: None,
        name: name.into(),
        profile: Profile::Local,
        config: SandboxConfig::new(account()),
        status: SandboxStatus::Pending,
        reason: None,
        ending: false,
        created_at: timestamp(1),
        ended_at: None,
    }
}

async fn accept(store: &Store, request: &CommandRequest) -> Option<CommandRow> {
    let request = request.clone();
    store
        .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.accept_command(&request).await }))
        .await
        .unwrap()
}

async fn line(store: &Store, pace: Pace, text: &str) {
    let raw = Untrusted::new(text);
    store
        .write::<_, StoreError, _>(pace, move |tx| {
            Box::pin(async move {
                let body = EventBody::Line { conversation: ConversationId(uuid::Uuid::nil()), request_id: None, raw };
                tx.append_event(&account(), Profile::Local, body).await
            })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_command_is_stored_once_and_keeps_its_first_end() {
    let f = Fixture::new().await;
    let request = request();
    assert!(accept(&f.store, &request).await.is_none());
    assert_eq!(accept(&f.store, &request).await.unwrap().answer.state, CommandState::Accepted);
    assert_eq!(f.store.unfinished_commands().await.unwrap(), [request.request_id]);
    let [summary] = &f.store.commands_under_way(&account(), Profile::Local).await.unwrap()[..] else {
        panic!("one command is under way")
    };
    assert_eq!((summary.request_id, summary.kind.as_str()), (request.request_id, "sandbox_terminate"));
    assert_eq!((summary.state, summary.sandbox.as_deref()), (CommandState::Accepted, Some("heron")));
    assert!(f.store.commands_under_way(&account(), Profile::Modal).await.unwrap().is_empty());
    assert!(f.store.commands_under_way(&AccountId::new("b").unwrap(), Profile::Local).await.unwrap().is_empty());

    let ended = request.clone();
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                tx.begin_command(&ended).await?;
                tx.end_command(&ended, &Ok(serde_json::json!({"a": 1}))).await?;
                tx.end_command(&ended, &Err(ApiError::failed("late"))).await
            })
        })
        .await
        .unwrap();

    let f = f.reopen().await;
    let row = f.store.command(request.request_id).await.unwrap().unwrap();
    assert_eq!((row.answer.state, row.attempts), (CommandState::Done, 1));
    assert_eq!(row.answer.result["a"], 1);
    assert_eq!(row.request, request);
    assert!(f.store.unfinished_commands().await.unwrap().is_empty());
}

#[tokio::test]
async fn events_are_numbered_without_gaps_published_after_their_commit_and_read_by_cursor() {
    let f = Fixture::new().await;
    futures::future::join_all((0..40).map(|i| {
        let pace = if i % 3 == 0 { Pace::Now } else { Pace::Grouped };
        let store = f.store.clone();
        async move { line(&store, pace, &format!("line {i}")).await }
    }))
    .await;
    let seqs: Vec<u64> = f.published.lock().unwrap().iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=40).collect::<Vec<_>>());
    let page = f.store.events_after(&account(), 10, 20).await.unwrap();
    assert_eq!((page.events.len(), page.events[0].seq, page.more), (20, 11, true));
    assert_eq!(page.events, f.published.lock().unwrap()[10..30]);
    assert_eq!(f.store.last_seq(&account()).await.unwrap(), 40);
    assert_eq!(f.store.last_seq(&AccountId::new("other").unwrap()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_change_that_fails_leaves_nothing_and_spoils_no_other() {
    let f = Fixture::new().await;
    let fails = f.store.write::<(), ApiError, _>(Pace::Grouped, |tx| {
        Box::pin(async move {
            let body = EventBody::Command {
                request_id: RequestId::new(),
                command: "x".into(),
                state: CommandState::Done,
                sandbox: None,
            };
            tx.append_event(&account(), Profile::Local, body).await?;
            Err(ApiError::conflict("no"))
        })
    });
    let (failed, ()) = futures::join!(fails, line(&f.store, Pace::Grouped, "kept"));
    assert_eq!(failed.unwrap_err().message, "no");
    let events = f.store.events_after(&account(), 0, 10).await.unwrap().events;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].seq, events[0].body.kind()), (1, "line"));
}

#[tokio::test]
async fn a_name_is_unique_among_live_sandboxes_only() {
    let f = Fixture::new().await;
    let add = async |row: SandboxRow| {
        f.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.add_sandbox(&row).await }))
            .await
            .unwrap()
    };
    let mut first = sandbox("heron");
    assert!(add(first.clone()).await);
    assert!(!add(sandbox("heron")).await);
    first.status = SandboxStatus::Terminated;
    first.sandbox_id = Some(SandboxId::new("sb-1").unwrap());
    first.reason = Some("ended by you".into());
    let changed = first.clone();
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.change_sandbox(&changed).await }))
        .await
        .unwrap();
    assert!(add(sandbox("heron")).await);
    assert_eq!(f.store.sandbox_of(first.request_id).await.unwrap().unwrap(), first);
    assert_eq!(f.store.sandboxes(&account(), Profile::Local).await.unwrap().len(), 2);
    assert!(f.store.sandboxes(&account(), Profile::Modal).await.unwrap().is_empty());
    assert_eq!(f.published.lock().unwrap().last().unwrap().body.kind(), "sandbox");
}

#[tokio::test]
async fn items_keep_their_place_and_usage_counts_once() {
    let f = Fixture::new().await;
    let id = ConversationId::new();
    let items = [("a", "1"), ("b", "2"), ("a", "3")].map(|(key, text)| Item::prompt(key, text));
    let spent = Usage { input_tokens: 5, output_tokens: 6, cost: MicroDollars(70) };
    f.store
        .write::<_, StoreError, _>(Pace::Grouped, move |tx| {
            Box::pin(async move {
                for item in items {
                    tx.put_item(&account(), id, item).await?;
                }
                let usage = UsageRow { process: "p".into(), result_index: 0, conversation: id, usage: spent };
                tx.add_usage(&usage).await?;
                tx.add_usage(&usage).await
            })
        })
        .await
        .unwrap();
    let items = f.store.items(id, 0, 10).await.unwrap();
    let shown: Vec<_> = items.into_iter().map(|i| (i.position, i.item)).collect();
    assert_eq!(shown, [(0, Item::prompt("a", "3")), (1, Item::prompt("b", "2"))]);
    assert_eq!(f.store.usage(id).await.unwrap(), spent);
}

fn conversation(account: &AccountId) -> ConversationRow {
    ConversationRow {
        conversation: ConversationId::new(),
        account: account.clone(),
        profile: Profile::Local,
        sandbox_id: SandboxId::new("sb-1").unwrap(),
        session: None,
        title: None,
        model: None,
        created_at: timestamp(1),
    }
}

#[tokio::test]
async fn a_conversation_keeps_its_first_title_and_its_last_model() {
    let f = Fixture::new().await;
    let row = conversation(&account());
    let id = row.conversation;
    for (title, model) in [(None, None), (Some("herons"), Some("opus")), (Some("egrets"), Some("haiku")), (None, None)]
    {
        let row = ConversationRow { title: title.map(Untrusted::new), model: model.map(Untrusted::new), ..row.clone() };
        f.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.put_conversation(&row).await }))
            .await
            .unwrap();
    }
    let row = f.store.conversation(id).await.unwrap().unwrap();
    assert_eq!((row.title.unwrap().raw(), row.model.unwrap().raw()), ("herons", "haiku"));
}

#[tokio::test]
async fn what_an_account_has_spent_counts_from_a_time_on_and_for_it_alone() {
    let f = Fixture::new().await;
    let rows = [account(), AccountId::new("other").unwrap()].map(|account| conversation(&account));
    for (n, row) in rows.into_iter().enumerate() {
        let usage = Usage { input_tokens: 5, output_tokens: 6, cost: MicroDollars(70) };
        let usage = UsageRow { process: n.to_string(), result_index: 0, conversation: row.conversation, usage };
        f.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| {
                Box::pin(async move {
                    tx.put_conversation(&row).await?;
                    tx.add_usage(&usage).await
                })
            })
            .await
            .unwrap();
    }
    let now = jiff::Timestamp::now();
    let minute = jiff::Span::new().minutes(1);
    assert_eq!(f.store.spent_since(&account(), now - minute).await.unwrap().cost, MicroDollars(70));
    assert_eq!(f.store.spent_since(&account(), now + minute).await.unwrap(), Usage::default());
}

#[tokio::test]
async fn a_search_finds_any_part_of_what_is_shown_in_any_language_and_case() {
    let f = Fixture::new().await;
    let id = ConversationId::new();
    let tool = |output: &str| Item {
        key: "tool".into(),
        parent: None,
        timestamp: None,
        body: ItemBody::Tool(Tool {
            name: "Bash".into(),
            input: serde_json::json!({ "command": "cargo TEST" }),
            output: output.into(),
            ..Tool::default()
        }),
    };
    let thinking = ItemBody::Thinking { text: "Heron?".into(), duration_ms: None };
    let items = [
        Item::prompt("a", "Der GRÜNE Reiher_100%"),
        Item::prompt("b", "\u{1b}[31m灰色の鷺\u{1b}[0m"),
        tool("running"),
        Item { body: thinking, ..Item::prompt("c", "") },
        tool("a heron failed"),
    ];
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                for item in items {
                    tx.put_item(&account(), id, item).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    for (text, found) in [
        ("grüne", vec![0]),
        ("r_1", vec![0]),
        ("0%", vec![0]),
        ("鷺", vec![1]),
        ("[31m", vec![]),
        ("cargo test", vec![2]),
        ("heron", vec![2]),
        ("running", vec![]),
        ("r", vec![0, 2]),
    ] {
        assert_eq!(f.store.search_items(id, text, 10).await.unwrap(), found, "{text}");
    }
    assert_eq!(f.store.search_items(id, "r", 1).await.unwrap(), [0]);
    assert_eq!(f.store.item_count(id).await.unwrap(), 4);
}

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
async fn an_outbox_keeps_what_was_not_acknowledged_until_its_exec_ends() {
    let f = Fixture::new().await;
    let sandbox = SandboxId::new("sb-1").unwrap();
    let row = ExecRow::new(ExecId::new(), account(), Profile::Local, sandbox.clone(), "{}".into());
    let id = row.exec_id;
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                assert!(tx.add_exec(&row).await?);
                assert!(!tx.add_exec(&row).await?);
                for n in 1..=3 {
                    tx.add_outbox(id, n, b"line").await?;
                }
                tx.add_outbox(id, 2, b"other").await?;
                tx.acknowledge_outbox(id, 1).await?;
                tx.exec_started(id).await?;
                tx.exec_committed(id, 100).await?;
                tx.exec_committed(id, 60).await
            })
        })
        .await
        .unwrap();
    assert_eq!(f.store.outbox(id).await.unwrap(), [(2, b"line".to_vec()), (3, b"line".to_vec())]);
    let running = f.store.unfinished_execs().await.unwrap();
    assert_eq!((running[0].state, running[0].committed), (ExecState::Running, 100));
    assert!(f.store.ended_execs(&sandbox, 9).await.unwrap().is_empty());
    f.store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move { tx.exec_ended(id, Some(137), Some("killed")).await })
        })
        .await
        .unwrap();
    assert!(f.store.outbox(id).await.unwrap().is_empty());
    assert_eq!(f.store.ended_execs(&sandbox, 9).await.unwrap(), [id]);
    assert_eq!(f.store.exec(id).await.unwrap().unwrap().exit_code, Some(137));
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
