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
    api::{ApiError, Live, OUTPUT, OpenBlock, PlacedItem, Published},
    core::{AccountId, ConversationId, Untrusted},
    store::{Commit, Store},
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
}

impl Default for Channel {
    fn default() -> Self {
        let (sender, _) = broadcast::channel(BEHIND);
        Self { sender, seq: 0, open: BTreeMap::new() }
    }
}

impl Channel {
    fn begin(&mut self, conversation: ConversationId, item: &str, block: &str) {
        let key = (conversation, item.to_owned());
        // A program that begins and ends blocks and never says their lines.
        if self.open.len() < BLOCKS || self.open.contains_key(&key) {
            let (item, block) = (item.to_owned(), block.to_owned());
            self.open.insert(key, OpenBlock { conversation, item, block, text: Untrusted::default() });
        }
    }

    /// A block that nobody was told of stays untold: its item brings all of it.
    fn grow(&mut self, conversation: ConversationId, item: &str, from: u64, text: Untrusted) {
        let Some(open) = self.open.get_mut(&(conversation, item.to_owned())) else { return };
        open.text.push_str(text.raw());
        let (item, block) = (item.to_owned(), open.block.clone());
        self.send(Published::Live(Live::Delta { conversation, item, block, from, text }));
    }

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

    /// Sends what one commit brought: events, items, and that they are stored. A block whose item is there is no longer
    /// open.
    pub(super) fn publish(&self, commit: Commit) {
        let mut channels = self.lock();
        let mut last: BTreeMap<AccountId, u64> = BTreeMap::new();
        for event in commit.events {
            let channel = channels.entry(event.account.clone()).or_default();
            channel.seq = event.seq;
            last.insert(event.account.clone(), event.seq);
            channel.send(Published::Event(Box::new(event)));
        }
        // A message for each conversation: all of a commit might be more than a follower takes at once.
        let mut changed: BTreeMap<(AccountId, ConversationId), Vec<PlacedItem>> = BTreeMap::new();
        for (account, item) in commit.items {
            changed.entry((account, item.conversation)).or_default().push(item);
        }
        for ((account, conversation), items) in changed {
            let channel = channels.entry(account).or_default();
            for item in &items {
                channel.open.remove(&(conversation, item.item.key.clone()));
            }
            channel.send(Published::Live(Live::Items { items }));
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
        match change {
            Change::Begun(block) => self.grow(account, conversation, &block.item, kind(block.kind), 0, block.text),
            Change::Grown { item, from, text } => {
                self.with(account, |channel| channel.grow(conversation, &item, from as u64, text));
            }
            Change::Dropped { item } => self.with(account, |channel| {
                if channel.open.remove(&(conversation, item.clone())).is_some() {
                    channel.send(Published::Live(Live::Dropped { conversation, items: vec![item] }));
                }
            }),
        }
    }

    /// Sends more of an open block; from 0 on it begins, also one that was there.
    pub(super) fn grow(
        &self,
        account: &AccountId,
        conversation: ConversationId,
        item: &str,
        block: &str,
        from: u64,
        text: Untrusted,
    ) {
        self.with(account, |channel| {
            if from == 0 {
                channel.begin(conversation, item, block);
            }
            channel.grow(conversation, item, from, text);
        });
    }

    /// A turn is over: nothing of it is open any more. What another command writes there goes on.
    pub(super) fn clear(&self, account: &AccountId, conversation: ConversationId) {
        self.with(account, |channel| {
            let of_turn =
                |(c, _): &(ConversationId, String), block: &mut OpenBlock| *c == conversation && block.block != OUTPUT;
            let items: Vec<String> = channel.open.extract_if(.., of_turn).map(|((_, item), _)| item).collect();
            if !items.is_empty() {
                channel.send(Published::Live(Live::Dropped { conversation, items }));
            }
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
mod tests;
