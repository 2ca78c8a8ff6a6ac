//! Conversations: titles, items, searches, and what was spent.

use super::*;
use crate::core::{ConversationId, Item, ItemBody, MicroDollars, SandboxId, Usage, item::Tool};

fn conversation(account: &AccountId) -> ConversationRow {
    ConversationRow {
        conversation: ConversationId::new(),
        account: account.clone(),
        profile: Profile::Local,
        sandbox_id: SandboxId::new("sb-1").unwrap(),
        session: None,
        title: None,
        model: None,
        context_tokens: None,
        created_at: timestamp(1),
    }
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

#[tokio::test]
async fn a_conversation_keeps_its_first_title_and_the_last_of_its_model_and_context() {
    let f = Fixture::new().await;
    let row = conversation(&account());
    let id = row.conversation;
    let said = [("herons", "opus", 12_000), ("egrets", "haiku", 9_000)].map(Some);
    for said in [None].into_iter().chain(said).chain([None]) {
        let row = ConversationRow {
            title: said.map(|(title, ..)| title.into()),
            model: said.map(|(_, model, _)| model.into()),
            context_tokens: said.map(|(.., tokens)| tokens),
            ..row.clone()
        };
        f.store
            .write::<_, StoreError, _>(Pace::Now, move |tx| Box::pin(async move { tx.put_conversation(&row).await }))
            .await
            .unwrap();
    }
    let row = f.store.conversation(id).await.unwrap().unwrap();
    assert_eq!((row.title.unwrap().raw(), row.model.unwrap().raw()), ("herons", "haiku"));
    assert_eq!(row.context_tokens, Some(9_000));
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
