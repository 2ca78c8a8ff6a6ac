use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    agent::fold,
    api::{CommandState, EventBody},
    core::{Item, Profile, RequestId},
    store::{Pace, StoreError},
};

fn account() -> AccountId {
    AccountId::new("default").unwrap()
}

async fn open(dir: &tempfile::TempDir) -> (Bus, Store) {
    let bus = Bus::default();
    let sink = bus.clone();
    let store = Store::open(&dir.path().join("s.db"), move |commit| sink.publish(commit)).await.unwrap();
    (bus, store)
}

async fn append(store: &Store, n: usize) {
    store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                for _ in 0..n {
                    let (request_id, state) = (RequestId::new(), CommandState::Running);
                    let body = EventBody::Command { request_id, command: "chat".into(), state, sandbox: None };
                    tx.append_event(&account(), Profile::Local, body).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
}

async fn take(stream: impl Stream<Item = Published>, until: u64) -> Vec<u64> {
    let mut stream = Box::pin(stream);
    let (mut seen, mut keyframes) = (Vec::new(), 0);
    while seen.last().copied().unwrap_or(0) < until {
        match tokio::time::timeout(Duration::from_secs(30), stream.next()).await.unwrap().unwrap() {
            Published::Event(event) => seen.push(event.seq),
            Published::Live(Live::Keyframe { seq, .. }) => {
                keyframes += 1;
                assert_eq!(seq, seen.last().copied().unwrap_or(seq), "all before the keyframe was sent");
            }
            Published::Live(_) => {}
        }
    }
    assert!(keyframes <= 1);
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_follower_sees_each_event_once_and_in_order(
        before in 0usize..600,
        groups in prop::collection::vec(1usize..9, 1..12),
        cursor in 0.0..1.0f64,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let (bus, store) = open(&dir).await;
            append(&store, before).await;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let after = (before as f64 * cursor) as u64;
            let total = (before + groups.iter().sum::<usize>()) as u64;
            let writer = store.clone();
            let writing = tokio::spawn(async move {
                for n in groups {
                    append(&writer, n).await;
                }
            });
            let stream = bus.follow(&store, &account(), Some(after)).await.unwrap();
            let seen = take(stream, total).await;
            assert_eq!(seen, (after + 1..=total).collect::<Vec<_>>());
            writing.await.unwrap();
        });
    }
}

#[tokio::test]
async fn a_keyframe_has_what_is_open_and_nothing_that_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (bus, store) = open(&dir).await;
    let conversation = ConversationId::new();
    for item in ["m/0", "m/1"] {
        let block = fold::OpenBlock { item: item.into(), kind: OpenKind::Text, tool: None, text: "a".into() };
        bus.delta(&account(), conversation, Change::Begun(block));
        let grown = Change::Grown { item: item.into(), from: 1, text: "b".into() };
        bus.delta(&account(), conversation, grown);
    }
    store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                let body = EventBody::Line { conversation, request_id: None, raw: Untrusted::new("{}") };
                tx.put_item(&account(), conversation, Item::prompt("m/0", "ab")).await?;
                tx.append_event(&account(), Profile::Local, body).await
            })
        })
        .await
        .unwrap();
    let stream = bus.follow(&store, &account(), None).await.unwrap();
    let first = Box::pin(stream).next().await.unwrap();
    let Published::Live(Live::Keyframe { seq: 1, open }) = first else { panic!("{first:?}") };
    assert_eq!(open.iter().map(|b| (b.item.as_str(), b.text.raw())).collect::<Vec<_>>(), [("m/1", "ab")]);
}

#[tokio::test]
async fn items_come_behind_their_lines_and_before_the_word_that_all_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (bus, store) = open(&dir).await;
    let conversation = ConversationId::new();
    let mut stream = Box::pin(bus.follow(&store, &account(), None).await.unwrap());
    assert!(matches!(stream.next().await, Some(Published::Live(Live::Keyframe { .. }))));
    store
        .write::<_, StoreError, _>(Pace::Now, move |tx| {
            Box::pin(async move {
                tx.put_item(&account(), conversation, Item::prompt("a", "1")).await?;
                let body = EventBody::Line { conversation, request_id: None, raw: Untrusted::new("{}") };
                tx.append_event(&account(), Profile::Local, body).await?;
                tx.put_item(&account(), conversation, Item::prompt("b", "2")).await?;
                tx.put_item(&account(), conversation, Item::prompt("a", "3")).await
            })
        })
        .await
        .unwrap();
    let seen: Vec<Published> = stream.by_ref().take(3).collect().await;
    let [Published::Event(_), Published::Live(Live::Items { items }), Published::Live(Live::Committed { seq: 1 })] =
        &seen[..]
    else {
        panic!("{seen:?}")
    };
    let shown: Vec<_> = items.iter().map(|i| (i.position, i.item.clone())).collect();
    let item = |key: &str, text: &str| Item::prompt(key, text);
    assert_eq!(shown, [(0, item("a", "1")), (1, item("b", "2")), (0, item("a", "3"))]);
}

#[tokio::test]
async fn blocks_that_a_turn_leaves_open_are_dropped_and_those_of_a_shell_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (bus, store) = open(&dir).await;
    let conversation = ConversationId::new();
    let mut stream = Box::pin(bus.follow(&store, &account(), None).await.unwrap());
    assert!(matches!(stream.next().await, Some(Published::Live(Live::Keyframe { .. }))));
    let block = fold::OpenBlock { item: "m/0".into(), kind: OpenKind::Text, tool: None, text: "a".into() };
    bus.delta(&account(), conversation, Change::Begun(block));
    bus.grow(&account(), conversation, "shell", OUTPUT, 0, "one".into());
    bus.clear(&account(), conversation);
    bus.grow(&account(), conversation, "shell", OUTPUT, 3, " two".into());
    let last = stream.by_ref().take(4).collect::<Vec<_>>().await.pop().unwrap();
    assert!(matches!(&last, Published::Live(Live::Delta { from: 3, .. })), "{last:?}");
    let stream = bus.follow(&store, &account(), None).await.unwrap();
    let first = Box::pin(stream).next().await.unwrap();
    let Published::Live(Live::Keyframe { open, .. }) = first else { panic!("{first:?}") };
    assert_eq!(open.iter().map(|b| (b.item.as_str(), b.text.raw())).collect::<Vec<_>>(), [("shell", "one two")]);
}

#[tokio::test]
async fn a_block_that_goes_is_told_once_and_in_no_keyframe() {
    let dir = tempfile::tempdir().unwrap();
    let (bus, store) = open(&dir).await;
    let conversation = ConversationId::new();
    let mut stream = Box::pin(bus.follow(&store, &account(), None).await.unwrap());
    assert!(matches!(stream.next().await, Some(Published::Live(Live::Keyframe { .. }))));
    let block = fold::OpenBlock { item: "m/0".into(), kind: OpenKind::Text, tool: None, text: "half".into() };
    bus.delta(&account(), conversation, Change::Begun(block));
    for _ in 0..2 {
        bus.delta(&account(), conversation, Change::Dropped { item: "m/0".into() });
    }
    bus.live(&account(), Live::Committed { seq: 9 });
    let told: Vec<_> = stream.by_ref().take(3).collect().await;
    let dropped = |live: &Live| matches!(live, Live::Dropped { items, .. } if *items == ["m/0"]);
    assert!(matches!(&told[1], Published::Live(live) if dropped(live)), "{told:?}");
    assert!(matches!(&told[2], Published::Live(Live::Committed { seq: 9 })), "{told:?}");
    let first = Box::pin(bus.follow(&store, &account(), None).await.unwrap()).next().await.unwrap();
    assert!(matches!(&first, Published::Live(Live::Keyframe { open, .. }) if open.is_empty()), "{first:?}");
}

#[tokio::test]
async fn a_slow_follower_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (bus, store) = open(&dir).await;
    let mut stream = Box::pin(bus.follow(&store, &account(), None).await.unwrap());
    assert!(matches!(stream.next().await, Some(Published::Live(Live::Keyframe { .. }))));
    for seq in 0..2 * BEHIND as u64 {
        bus.live(&account(), Live::Committed { seq: seq + 1 });
    }
    assert!(stream.next().await.is_none());
}
