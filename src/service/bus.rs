//! What happens, to all who follow an account: stored events after their commit, and what streams between commits.
//!
//! The order of one account is the order of its lock: a follower's keyframe is taken under it together with its place
//! in the stream, so nothing falls between the two.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{Stream, StreamExt, stream};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    agent::fold::{Change, OpenKind},
    api::{ApiError, Event, EventBody, Live, OpenBlock, Published},
    core::{AccountId, ConversationId},
    store::Store,
};

/// Messages that may wait for a follower. One that is further behind than this is cut off: it comes again with its
/// cursor and reads from the store, which holds nobody up.
const BEHIND: usize = 1024;

/// Open blocks that an account's followers are told of at most; Claude has a few.
const BLOCKS: usize = 512;

/// Events that are read from the store at once.
const PAGE: u32 = 256;

/// All accounts' channels. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Bus(Arc<Mutex<HashMap<AccountId, Channel>>>);

#[derive(Debug)]
struct Channel {
    sender: broadcast::Sender<Published>,
    /// Number of the last event that went out.
    seq: u64,
    open: BTreeMap<(ConversationId, String), OpenBlock>,
    /// Blocks that the next stored lines of a conversation complete.
    closing: HashMap<ConversationId, Vec<String>>,
}

impl Default for Channel {
    fn default() -> Self {
        let (sender, _) = broadcast::channel(BEHIND);
        Self { sender, seq: 0, open: BTreeMap::new(), closing: HashMap::new() }
    }
}

impl Channel {
    fn send(&self, message: Published) {
        // Nobody listening is no trouble.
        let _ = self.sender.send(message);
    }
}

impl Bus {
    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Channel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, account: &AccountId, change: impl FnOnce(&mut Channel) -> T) -> T {
        change(self.lock().entry(account.clone()).or_default())
    }

    /// Sends the events of one commit.
    pub(super) fn publish(&self, events: Vec<Event>) {
        let mut channels = self.lock();
        let mut last: BTreeMap<AccountId, u64> = BTreeMap::new();
        for event in events {
            let channel = channels.entry(event.account.clone()).or_default();
            if let EventBody::Line { conversation, .. } = &event.body {
                for item in channel.closing.remove(conversation).unwrap_or_default() {
                    channel.open.remove(&(*conversation, item));
                }
            }
            channel.seq = event.seq;
            last.insert(event.account.clone(), event.seq);
            channel.send(Published::Event(Box::new(event)));
        }
        for (account, seq) in last {
            channels.entry(account).or_default().send(Published::Live(Live::Committed { seq }));
        }
    }

    /// Sends something that is never stored.
    pub(super) fn live(&self, account: &AccountId, live: Live) {
        self.with(account, |channel| channel.send(Published::Live(live)));
    }

    /// Sends what was written of an answer.
    pub(super) fn delta(&self, account: &AccountId, conversation: ConversationId, change: Change) {
        self.with(account, |channel| {
            let delta = match change {
                Change::Begun(block) => {
                    // A program that begins and ends blocks and never says their lines.
                    if channel.open.len() >= BLOCKS {
                        return;
                    }
                    let block = OpenBlock {
                        conversation,
                        item: block.item,
                        block: kind(block.kind).to_owned(),
                        text: block.text,
                    };
                    channel.open.insert((conversation, block.item.clone()), block.clone());
                    Live::Delta { conversation, item: block.item, block: block.block, from: 0, text: block.text }
                }
                Change::Grown { item, from, text } => {
                    let Some(block) = channel.open.get_mut(&(conversation, item.clone())) else { return };
                    block.text.push_str(text.raw());
                    Live::Delta { conversation, item, block: block.block.clone(), from: from as u64, text }
                }
            };
            channel.send(Published::Live(delta));
        });
    }

    /// Says which open blocks the next stored lines of a conversation complete.
    pub(super) fn completes(&self, account: &AccountId, conversation: ConversationId, items: Vec<String>) {
        self.with(account, |channel| channel.closing.entry(conversation).or_default().extend(items));
    }

    /// A turn is over: nothing of it is open any more.
    pub(super) fn clear(&self, account: &AccountId, conversation: ConversationId) {
        self.with(account, |channel| {
            channel.open.retain(|(c, _), _| *c != conversation);
            channel.closing.remove(&conversation);
        });
    }

    fn subscribe(&self, account: &AccountId) -> (broadcast::Receiver<Published>, u64, Vec<OpenBlock>) {
        self.with(account, |channel| {
            (channel.sender.subscribe(), channel.seq, channel.open.values().cloned().collect())
        })
    }

    /// Stored events after the cursor (from now on when absent), a keyframe, then what happens. Ends when the follower
    /// is too slow or the database fails.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn follow(
        &self,
        store: &Store,
        account: &AccountId,
        after: Option<u64>,
    ) -> Result<impl Stream<Item = Published> + Send + use<>, ApiError> {
        let cursor = match after {
            Some(after) => after,
            None => store.last_seq(account).await?,
        };
        let past = Past { bus: self.clone(), store: store.clone(), account: account.clone(), cursor };
        Ok(stream::unfold(Some(past), step).flatten())
    }
}

fn kind(kind: OpenKind) -> &'static str {
    match kind {
        OpenKind::Text => "text",
        OpenKind::Thinking => "thinking",
        OpenKind::Input => "tool",
    }
}

/// A follower that still reads what is stored.
struct Past {
    bus: Bus,
    store: Store,
    account: AccountId,
    cursor: u64,
}

type Piece = stream::BoxStream<'static, Published>;

/// One page of the past; after the last, the present.
async fn step(past: Option<Past>) -> Option<(Piece, Option<Past>)> {
    let mut past = past?;
    // The page is read after the subscription: what is stored later comes by the channel.
    let (receiver, published, open) = past.bus.subscribe(&past.account);
    let page = match past.store.events_after(&past.account, past.cursor, PAGE).await {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(%error, "a follower of events is cut off");
            return None;
        }
    };
    past.cursor = page.events.last().map_or(past.cursor, |e| e.seq);
    let events = stream::iter(page.events.into_iter().map(|e| Published::Event(Box::new(e))));
    // Something was stored between subscribing and reading: the open blocks are older than the events. Once more.
    if page.more || (published != 0 && past.cursor > published) {
        tokio::task::yield_now().await;
        return Some((events.boxed(), Some(past)));
    }
    let seq = past.cursor;
    let keyframe = stream::iter([Published::Live(Live::Keyframe { seq, open })]);
    Some((events.chain(keyframe).chain(present(receiver, seq)).boxed(), None))
}

/// What happens from now on, but what was sent already.
fn present(receiver: broadcast::Receiver<Published>, sent: u64) -> impl Stream<Item = Published> {
    stream::unfold(receiver, move |mut receiver| async move {
        loop {
            match receiver.recv().await {
                Ok(Published::Event(event)) if event.seq <= sent => {}
                Ok(Published::Live(Live::Committed { seq })) if seq <= sent => {}
                Ok(message) => return Some((message, receiver)),
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a follower was too slow");
                    return None;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        agent::fold,
        api::CommandState,
        core::{Profile, RequestId, Untrusted},
        store::{Pace, StoreError},
    };

    fn account() -> AccountId {
        AccountId::new("default").unwrap()
    }

    async fn open(dir: &tempfile::TempDir) -> (Bus, Store) {
        let bus = Bus::default();
        let sink = bus.clone();
        let store = Store::open(&dir.path().join("s.db"), move |events| sink.publish(events)).await.unwrap();
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
        bus.completes(&account(), conversation, vec!["m/0".into()]);
        store
            .write::<_, StoreError, _>(Pace::Now, move |tx| {
                Box::pin(async move {
                    let body = EventBody::Line { conversation, request_id: None, raw: Untrusted::new("{}") };
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
}
