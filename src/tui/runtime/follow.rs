//! The account's event stream as events of the screen.

use tokio::sync::mpsc;

use crate::{
    client::{Client, Follow},
    core::{AccountId, text::sanitize_line},
    tui::app::{Event, LinkEvent},
};

/// Follows until the screen is gone.
pub(super) async fn follow(client: Client, account: AccountId, queue: mpsc::Sender<Event>) {
    let mut events = client.follow(account);
    loop {
        let event = match events.next().await {
            Follow::Connected => Event::Link(LinkEvent::Connected),
            Follow::Published(published) => Event::Published(Box::new(published)),
            // Most breaks are a server that is replaced: only what can't be mended at once is told.
            Follow::Broken => continue,
            Follow::Lost(error) => {
                tracing::warn!(error = sanitize_line(&error.to_string()).as_str(), "the server can't be followed");
                Event::Link(LinkEvent::Lost { error })
            }
        };
        if queue.send(event).await.is_err() {
            return;
        }
    }
}
