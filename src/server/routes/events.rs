//! The account's event stream as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt};

use super::{
    super::answer::{Failure, Params},
    App,
};
use crate::api::{EventsQuery, Published};

/// How often a silent stream says that it lives, so that a follower behind ssh or a sleeping laptop notices a dead
/// one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Stored events carry their `seq` as id: a follower that comes again names the last one, in the query or, as browsers
/// do, in `Last-Event-ID`.
pub(super) async fn follow(
    State(app): State<App>,
    headers: HeaderMap,
    Params(query): Params<EventsQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.parse().ok());
    let events = app.service.follow(&query.account, last.or(query.after)).await?;
    let stream = events.filter_map(|published| async move { encode(&published).map(Ok) });
    let stop = app.stop.clone().cancelled_owned();
    Ok(Sse::new(stream.take_until(stop)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn encode(published: &Published) -> Option<Event> {
    let event = match published {
        Published::Event(event) => Event::default().id(event.seq.to_string()),
        Published::Live(_) => Event::default(),
    };
    match event.json_data(published) {
        Ok(event) => Some(event),
        Err(e) => {
            tracing::error!(error = %e, ?published, "an event can't be sent");
            None
        }
    }
}
