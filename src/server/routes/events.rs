//! The account's event stream as server-sent events.

use std::convert::Infallible;

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, Sse},
};
use futures::{Stream, StreamExt};

use super::{
    super::answer::{Failure, Params},
    App,
};
use crate::api::{EventsQuery, Published};

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
    // A silent stream says nothing: on a Unix socket the end of either side closes it, and a screen where nothing happens
    // must not be woken up. A transport that can break unnoticed needs a word every few seconds.
    Ok(Sse::new(stream.take_until(stop)))
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
