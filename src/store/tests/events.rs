//! Events, and what a change that fails leaves of them.

use super::*;
use crate::{
    api::{ApiError, CommandState, EventBody},
    core::{ConversationId, RequestId, Untrusted},
};

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
