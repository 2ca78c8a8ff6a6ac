//! Following an account's events: over breaks, by the cursor.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until};

use super::{Client, http::Call};
use crate::{
    api::{ApiError, EventsQuery, Live, Published},
    core::AccountId,
};

/// The largest message: a line of Claude's CLI, which may hold a tool's whole output. The longest that was seen has
/// 10 MB; JSON in JSON can double it, and a stream that exceeds this is broken.
const MAX_MESSAGE: usize = 64 << 20;

/// Between two tries at first, so that a server which ends at once isn't started in a tight loop.
const PAUSE: Duration = Duration::from_millis(50);

/// Each pause is twice the one before, up to this: what is mended by hand is found mended at once, as people count, and
/// a screen that is left open overnight costs nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The events of an account from now on.
pub struct Events {
    client: Client,
    query: EventsQuery,
    connection: Option<Connection>,
    /// The pause before the next try, and when that is; none before the first.
    pause: Duration,
    again: Option<Instant>,
}

/// What following gives.
#[derive(Debug)]
pub enum Follow {
    /// Connected, for the first time or again: from here on nothing is missed.
    Connected,
    /// A message.
    Published(Published),
    /// The connection ended. It is made again at once, with a new server if need be.
    Broken,
    /// No server can be reached or started, and this is why. Tried again after a pause.
    Lost(ApiError),
}

struct Connection {
    body: Incoming,
    buffer: BytesMut,
    /// Bytes at its beginning that hold no end of a message.
    searched: usize,
}

impl Client {
    /// Follows an account's events from now on.
    pub fn follow(&self, account: AccountId) -> Events {
        let query = EventsQuery { account, after: None };
        Events { client: self.clone(), query, connection: None, pause: PAUSE, again: None }
    }
}

impl Events {
    /// What comes next. Connects again by itself, for ever; a wait that is given up loses nothing.
    pub async fn next(&mut self) -> Follow {
        let Some(connection) = &mut self.connection else { return self.connect().await };
        let Some(published) = connection.next().await else {
            self.connection = None;
            self.later();
            return Follow::Broken;
        };
        // Only a server that says something is one that stays.
        self.pause = PAUSE;
        match &published {
            Published::Event(event) => self.query.after = Some(event.seq),
            Published::Live(Live::Keyframe { seq, .. }) => self.query.after = Some(*seq),
            Published::Live(_) => {}
        }
        Follow::Published(published)
    }

    async fn connect(&mut self) -> Follow {
        if let Some(again) = self.again {
            sleep_until(again).await;
        }
        let call = Call::get("/v1/events").query(&self.query);
        match self.client.call(&call, async |answer| Ok(answer.into_body())).await {
            Ok(body) => {
                self.connection = Some(Connection { body, buffer: BytesMut::new(), searched: 0 });
                Follow::Connected
            }
            Err(error) => {
                self.later();
                Follow::Lost(error)
            }
        }
    }

    fn later(&mut self) {
        self.again = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Connection {
    /// The next message; nothing when the connection is over. Messages of a newer server are passed over.
    async fn next(&mut self) -> Option<Published> {
        loop {
            while let Some(data) = self.message() {
                if let Ok(published) = serde_json::from_slice(&data) {
                    return Some(published);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
            if self.buffer.len() > MAX_MESSAGE {
                return None;
            }
        }
    }

    /// The data of the next whole message. Ours are one `data:` line each; other lines (ids, comments) are left out.
    fn message(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.buffer[self.searched..].iter().position(|b| *b == b'\n').map(|n| n + self.searched);
            let Some(end) = end else {
                self.searched = self.buffer.len();
                return None;
            };
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            self.searched = 0;
            if let Some(data) = line.strip_prefix(b"data:") {
                return Some(data.to_vec());
            }
        }
    }
}
